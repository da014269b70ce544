// Nodes that lie: in some worlds one machine's agent says, beside the truth about its own tasks, what is false about
// everybody else. The server must believe none of it, and every invariant of the other nodes must hold.

import { successorUid } from "../../src/core/fresh";
import { indicesOf } from "../../src/core/model/array";
import { identityIn } from "../../src/core/model/new-task";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { Reported, TaskReport } from "../../src/core/model/record";
import { taskName } from "../../src/core/model/task";
import type { ToServer } from "../../src/wire/agent";
import { isQuiet } from "./alone";
import type { Machine } from "./machine";
import type { World } from "./world";

type Hello = Extract<ToServer, { type: "hello" }>;

/** Returns what the network carries of a message: the message, or a lie in its place. */
export function lieInstead(world: World, machine: Machine, data: string): string {
  const { lie } = world.faults;
  if (lie === 0 || machine !== world.machines[0] || !world.dice.lies.chance(lie)) return data;
  const message = JSON.parse(data) as ToServer;
  if (message.type === "hello") return JSON.stringify(helloOfLater(world, message));
  if (message.type !== "inventory" && message.type !== "report") return data;
  if (message.type === "inventory" && !isQuiet(world) && world.dice.lies.chance(0.5))
    return unreadableHalf(world, message);
  const entries = [...message.entries, ...falseEntries(world, machine), ...takenBack(world, machine)];
  return JSON.stringify({ ...message, entries });
}

/** An inventory in which nobody can read how the living tasks are. They are there all the same. */
function unreadableHalf({ misread }: World, inventory: Extract<ToServer, { type: "inventory" }>): string {
  const entries = inventory.entries.map((entry) => {
    if (entry.reported.state !== "running") return entry;
    misread.add(entry.uid);
    return { ...entry, reported: { state: "dances" } };
  });
  return JSON.stringify({ ...inventory, entries });
}

/** A hello of a server that never was, or of this one at a revision that it has not reached. */
function helloOfLater({ database, dice }: World, hello: Hello): Hello {
  const { timeline, epoch, revision } = database.state.cluster;
  const ahead = dice.lies.chance(0.5) ? { epoch: epoch + 1_000_000, revision } : { epoch, revision: revision + 50_000 };
  const signature = hello.highest?.signature ?? "";
  return { ...hello, highest: { timeline, ...ahead, signature } };
}

/**
 * Says that it runs a later attempt of a slot that it had, and that another node has now: the uid follows from the
 * attempt that it had, whose end it has told.
 */
function takenBack({ database, dice, nodes }: World, machine: Machine): TaskReport[] {
  const { slots, tasks } = database.state;
  const slot = slots.values().find(({ ends }) => ends.some(({ node_id }) => nodes.get(node_id) === machine));
  const end = slot?.ends.find(({ node_id }) => nodes.get(node_id) === machine);
  const now = tasks.values().find(({ owner_uid, slot: n }) => owner_uid === slot?.owner_uid && n === slot.slot);
  if (slot === undefined || end === undefined || now === undefined || nodes.get(now.node_id) === machine) return [];
  const attempt = Math.min(now.grant_until + dice.lies.int(0, 1), end.attempt + 20);
  let { uid } = end;
  for (let n = end.attempt + 1; n <= attempt; n++) uid = successorUid(uid, n);
  const made = { ...now, uid, attempt, grant_until: attempt, member: end.member };
  return [entryOf(made, { state: "running", pid: 2, started_age_ms: 1 })];
}

/** Says that others' tasks have ended, and that tasks that nobody assigned have succeeded or run here. */
function falseEntries({ database, dice, nodes }: World, machine: Machine): TaskReport[] {
  const { lies } = dice;
  const others = [...database.state.tasks.values()].filter(({ node_id }) => nodes.get(node_id) !== machine);
  const task = others.length === 0 ? null : lies.pick(others);
  if (task === null) return [];
  const succeeded: Reported = {
    state: "succeeded",
    started_age_ms: 2,
    finished_age_ms: 1,
    exit_code: 0,
    signal: null,
    reason: null,
    peak_memory_bytes: null,
    tail: null,
    next: null,
  };
  const made = { ...task, uid: lies.hex(32), attempt: task.attempt + lies.int(0, 1), grant_until: task.attempt + 1 };
  return [withResults(entryOf(task, succeeded), task), withResults(entryOf(made, succeeded), made)];
}

/** Says of all elements of a batch that they have succeeded. */
const withResults = (entry: TaskReport, { batch }: TaskRow): TaskReport =>
  batch === null
    ? entry
    : {
        ...entry,
        results: {
          from: 0,
          results: [...indicesOf(batch.parts)].map((index) => [index, 0, 1] as const),
          places: 1,
          only: 0,
        },
      };

const entryOf = (task: TaskRow, reported: Reported): TaskReport => ({
  uid: task.uid,
  name: taskName(task),
  identity: identityIn(task),
  grant_until: task.grant_until,
  held: task.promised,
  exclusive: task.exclusive,
  unix_user: task.unix_user,
  seal: { uid: task.uid, attempt: task.attempt, signature: "made up" },
  reported,
});
