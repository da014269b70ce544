// Whether a node gives its work away, until when, and which tasks are still on it and why. A node gives its work away
// because people ordered it (a drain), or because its own agent reported that the machine is about to go (it leaves).

import { compareText } from "../canonical";
import { formatAge } from "../format";
import type { State } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { NodeRow, Orphan } from "../model/rows-node";
import type { Blocked } from "./snapshot";
import { fullName, isWanted, shortId, slotKey, taskName } from "../model/task";
import { SECOND_MS, type Ms } from "../units";

/**
 * The fields that say whether a node gives its work away. The row's `intent` repeats `drain` for people who read the
 * database, and no decision reads it.
 */
type DrainFacts = Pick<NodeRow, "name" | "drain" | "leaving">;

export interface Draining {
  readonly since_ms: Ms;
  readonly deadline_ms: Ms | null;
  readonly by: string;
  readonly reason: string | null;
  /** Whether the node's own agent announced that the machine leaves; false if a person ordered the drain. */
  readonly own: boolean;
  /** Whether the machine is gone at the deadline. Stops then begin so early that they are over by the deadline. */
  readonly final: boolean;
}

/**
 * Returns the drain that a task with this grace obeys, or null if the node keeps its work. If a person drains the node
 * and the machine leaves too, the one whose stop begins first counts; if both begin together, the leaving counts.
 * Example: a drain ends in 100 s and the machine goes in 115 s; for a grace of 30 s the machine counts, since its stops
 * begin after 80 s. A caller that asks for the node as a whole passes no grace.
 */
export function drainingOf(node: DrainFacts, grace_ms: Ms = 0): Draining | null {
  const { drain, leaving } = node;
  const person: Draining | null = drain === null ? null : { ...drain, own: false, final: false };
  if (leaving === null) return person;
  const { since_ms, deadline_ms, gone, why } = leaving;
  const own: Draining = { since_ms, deadline_ms, by: node.name, reason: why, own: true, final: gone };
  return person !== null && firstStop(person, grace_ms) < firstStop(own, grace_ms) ? person : own;
}

const firstStop = (draining: Draining, grace_ms: Ms): Ms => stopsAt(draining, grace_ms) ?? Number.POSITIVE_INFINITY;

export const isDraining = ({ drain, leaving }: DrainFacts): boolean => drain !== null || leaving !== null;

/** Returns why a node gets no work, in words (`is being drained by olga: new fan`), or null. */
export function sayDraining({ drain, leaving }: DrainFacts): string | null {
  if (leaving !== null) return `is about to leave: ${leaving.why}`;
  if (drain === null) return null;
  return `is being drained by ${drain.by}${drain.reason === null ? "" : `: ${drain.reason}`}`;
}

/**
 * On a machine that goes, a stop begins this much earlier than the deadline less the grace, so that the task's end can
 * still be reported.
 */
const FINAL_MARGIN_MS = 5 * SECOND_MS;

/** Returns when a task with this grace that still runs on the node is told to stop, or null for never. */
export function stopsAt({ deadline_ms, final }: Pick<Draining, "deadline_ms" | "final">, grace_ms: Ms): Ms | null {
  return deadline_ms === null || !final ? deadline_ms : deadline_ms - grace_ms - FINAL_MARGIN_MS;
}

/**
 * Returns when a task with this grace must be told to stop on a node that gives its work away, or null if it may stay.
 */
export function dueAt(node: DrainFacts, grace_ms: Ms): Ms | null {
  const draining = drainingOf(node, grace_ms);
  return draining === null ? null : stopsAt(draining, grace_ms);
}

/**
 * Returns when a task with this grace must be told to stop because the machine itself goes, whatever a person's drain
 * says, or null.
 */
export function goneDueAt(node: Pick<DrainFacts, "leaving">, grace_ms: Ms): Ms | null {
  const { leaving } = node;
  return leaving === null || !leaving.gone
    ? null
    : stopsAt({ deadline_ms: leaving.deadline_ms, final: true }, grace_ms);
}

/** A task that keeps a draining node from being drained. */
export interface LeftTask {
  readonly uid: string;
  readonly name: string;
  readonly title: string;
  readonly kind: TaskRow["kind"] | "orphan";
  readonly state: string;
  readonly why: string;
}

/**
 * Returns the tasks that are still on a draining node, and what each waits for. `blocked` are the slots that the last
 * plan could not place.
 */
export function leftOn(state: State, node: NodeRow, blocked: readonly Blocked[], now_ms: Ms): LeftTask[] {
  const waits = new Map(blocked.map((one) => [slotKey(one.owner_uid, one.slot), one]));
  const left = [...state.tasks.values()]
    .filter((task) => task.node_id === node.id)
    .map((task) => ({
      uid: task.uid,
      name: taskName(task),
      title: fullName(task),
      kind: task.kind,
      state: task.observed.state as string,
      why: whyLeft(state, task, drainingOf(node, graceOf(state, task)), waits, now_ms),
    }));
  return [...left, ...node.orphans.map((orphan) => orphanLeft(node, orphan))].sort((a, b) =>
    compareText(a.name, b.name),
  );
}

const graceOf = (state: State, { owner_uid }: TaskRow): Ms =>
  (state.runs.get(owner_uid) ?? state.workloads.get(owner_uid))?.settings.stop.grace_ms ?? 0;

const orphanLeft = (node: NodeRow, { uid, name }: Orphan): LeftTask => ({
  uid,
  name,
  title: name,
  kind: "orphan",
  state: "running",
  why: `no server knows it; to end it: orch stop ${node.name}/${shortId(uid)}`,
});

function whyLeft(
  state: State,
  task: TaskRow,
  draining: Draining | null,
  waits: ReadonlyMap<string, Blocked>,
  now_ms: Ms,
): string {
  if (task.stop !== null) return `stops since ${formatAge(now_ms - task.stop.at_ms)}: ${task.stop.why}`;
  if (task.written_off !== null) return `given up: ${task.written_off.why}`;
  if (draining === null) return "its node is not drained";
  if (task.kind === "daemon") return "a daemon stops last";
  if (task.kind === "job") return untilText(draining, now_ms);
  const next = [...state.tasks.values()].find(
    (other) =>
      other.uid !== task.uid &&
      other.owner_uid === task.owner_uid &&
      other.slot === task.slot &&
      other.attempt > task.attempt &&
      isWanted(other),
  );
  if (next !== undefined) {
    return `stays until ${taskName(next)} runs well on ${state.nodes.get(next.node_id)?.name ?? "another node"}`;
  }
  const wait = waits.get(slotKey(task.owner_uid, task.slot));
  const before = wait === undefined ? waits.values().find((one) => one.owner_uid === task.owner_uid) : undefined;
  const turn = before === undefined ? "moves in a moment" : `moves after ${before.name}: ${before.summary}`;
  const stays = wait === undefined ? turn : sayStays(wait);
  return draining.deadline_ms === null ? stays : `${stays}; ${untilText(draining, now_ms)}`;
}

/** A successor that waits for something other than room, such as its back-off, is no matter of places. */
const sayStays = ({ nodes, summary }: Blocked): string =>
  nodes.length === 0
    ? `stays until its successor runs: ${summary}`
    : `stays for want of another place: ${summary.replace(/^waits: /, "")}`;

function untilText({ deadline_ms }: Draining, now_ms: Ms): string {
  if (deadline_ms === null) return "runs to its end; a deadline would end it sooner: orch node drain --deadline";
  const rest = deadline_ms - now_ms;
  return rest <= 0 ? "its deadline has come" : `runs at most ${formatAge(rest)} more`;
}
