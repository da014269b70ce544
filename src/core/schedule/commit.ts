// Notes that a demand gets room: its tasks, its slot, and its run's state.

import { assert } from "../assert";
import { freshUid } from "../fresh";
import { identityOf, newTask } from "../model/new-task";
import type { Promised } from "../model/promised";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { fullName } from "../model/task";
import { runOf, setRun, type Demand, type PassDraft } from "../pass/pass";
import { emptySlot, slotAfterGivenUp, slotAfterPlace } from "../pass/slot";
import { settleIn } from "../place/company";
import { cardsOn, promiseOn } from "../place/promise";
import { takeRoom, type Room } from "../place/room";
import type { Look } from "../place/shape";

/** Notes the attempt: what it writes off, its tasks, its slot, and its run's state. */
export function commit(draft: PassDraft, look: Look, demand: Demand, chosen: readonly Room[]): void {
  const { pass, rooms } = look;
  const { owner, kind, slot, spec } = demand;
  for (const task of demand.gives_up) draft.ops.push({ op: "write_off", task, why: demand.why });
  const known = demand.slot_row ?? emptySlot(owner.uid, slot);
  const before = kind === "job" && demand.gives_up.length > 0 ? slotAfterGivenUp(known) : known;
  const attempt = before.attempts + 1;
  const granted = kind !== "job" && owner.settings.restart.offline && !spec.exclusive;
  const grant_until = granted ? attempt + pass.limits.grant_attempts : attempt;
  const row = slotAfterPlace(before, owner.version, grant_until);
  for (const [member, room] of chosen.entries()) {
    const { cards, why } = cardsOn(look, room);
    const promised = promiseOn(look, room, cards);
    const task = taskOf(look, demand, room, promised, { member, attempt, grant_until });
    takeRoom(rooms, room, promised);
    settleIn(rooms, room, task);
    draft.ops.push({ op: "place", task, slot: row, why: demand.why + why });
  }
  if (kind === "job") startRun(draft, owner as RunRow);
}

/**
 * Notes the attempt of a demand that gets the room of others, which have it one after the other, once all of them have
 * ended. It is promised what they were.
 */
export function commitHeir(
  draft: PassDraft,
  look: Look,
  demand: Demand,
  room: Room,
  line: readonly TaskRow[],
): TaskRow {
  const { owner, slot, why } = demand;
  const known = demand.slot_row ?? emptySlot(owner.uid, slot);
  const attempt = known.attempts + 1;
  const [holder] = line;
  assert(holder !== undefined, "somebody has the room");
  const numbers = { member: 0, attempt, grant_until: attempt };
  const row = taskOf(look, demand, room, holder.promised, numbers);
  const task = { ...row, heir_of: line.map(({ uid }) => uid) };
  settleIn(look.rooms, room, task);
  const after = fullName(line.at(-1) ?? holder);
  draft.ops.push({
    op: "place",
    task,
    slot: slotAfterPlace(known, owner.version, attempt),
    why: `${why}, after ${after}`,
  });
  startRun(draft, owner as RunRow);
  return task;
}

function startRun(draft: PassDraft, row: RunRow): void {
  const { pass } = draft;
  const run = runOf(pass, draft, row.uid) ?? row;
  if (run.state === "running" && run.reason === null) return;
  setRun(draft, { ...run, state: "running", reason: null, started_ms: run.started_ms ?? pass.now_ms }, "placed");
}

/** Returns the task of an attempt that gets room, or a batch. */
export function taskOf(
  { pass, rooms, shape }: Look,
  { owner, slot, spec }: Demand,
  { node }: Room,
  promised: Promised,
  { member, attempt, grant_until }: Pick<TaskRow, "member" | "attempt" | "grant_until">,
): TaskRow {
  return newTask({
    uid: freshUid(pass.snapshot.seed, rooms.placed.length),
    identity: identityOf(owner, { slot, member, attempt }),
    node,
    desired: spec.members > 1 ? "prepare" : "run",
    grant_until,
    promised,
    unix_user: node.facts.accounts === "shared" || shape.account.is === "none" ? null : shape.account.name,
    exclusive: spec.exclusive,
    created_ms: pass.now_ms,
    assigned_revision: pass.state.cluster.revision + 1,
  });
}
