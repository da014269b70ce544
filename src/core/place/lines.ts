// Those who wait on a node for one room: the task that has it, and its heirs one after the other.

import { HOUSE_LIMITS } from "../limits";
import { isHeir, tookKey } from "../model/heirs";
import type { TaskRow } from "../model/rows-task";
import { fullName } from "../model/task";
import type { Pass } from "../pass/pass";
import { SECOND_MS, type Ms } from "../units";

/** A run that takes longer than this has no heirs: those who wait for it may find room elsewhere. */
export const HEIR_WITHIN_MS = 5 * SECOND_MS;

/** Returns when a task has run for too long to have heirs; infinite if it does not run. */
const tooLongAt = ({ observed }: TaskRow): Ms =>
  (observed.state === "running" || observed.state === "stopping") && observed.started_ms !== null
    ? observed.started_ms + HEIR_WITHIN_MS
    : Number.POSITIVE_INFINITY;

/** Returns when an heir has to be taken back, and why. Infinite: as far as is known, its turn comes. */
export function turnIsLate(pass: Pass, { node_id, heir_of }: TaskRow): { readonly at_ms: Ms; readonly why: string } {
  const fact = pass.nodes.get(node_id);
  const isLeft = fact === undefined || fact.node.contact !== "connected" || (fact.heard && !fact.usable);
  if (isLeft) return { at_ms: pass.now_ms, why: "its node takes no new tasks" };
  const before = (heir_of ?? []).flatMap((uid) => pass.state.tasks.get(uid) ?? []);
  let late = { at_ms: Number.POSITIVE_INFINITY, why: "" };
  for (const task of before) {
    const at_ms = tooLongAt(task);
    if (at_ms < late.at_ms) late = { at_ms, why: `${fullName(task)} still runs` };
  }
  return late;
}

/**
 * Returns the tasks that end soon and have fewer heirs than they may have, in no order: each with its heirs behind it,
 * one after the other.
 */
export function openLines(pass: Pass, stopped: ReadonlySet<string>): TaskRow[][] {
  const { took } = pass.snapshot;
  if (took === undefined || took.size === 0) return [];
  const lines = new Map<string, TaskRow[]>();
  const heirs: TaskRow[] = [];
  for (const tasks of pass.tasks.values()) {
    for (const task of tasks) {
      if (isHeir(task, pass.state.tasks)) heirs.push(task);
      else if (endsSoon(pass, stopped, task, took)) lines.set(task.uid, [task]);
    }
  }
  for (const heir of heirs) for (const uid of heir.heir_of ?? []) lines.get(uid)?.push(heir);
  return [...lines.values()]
    .filter((tasks) => tasks.length <= HOUSE_LIMITS.heirs)
    .map((tasks) => tasks.toSorted((a, b) => (b.heir_of?.includes(a.uid) === true ? -1 : 1)));
}

/** Returns whether a task may have heirs: one that ends by itself, and soon, by what runs like it took. */
function endsSoon(
  pass: Pass,
  stopped: ReadonlySet<string>,
  task: TaskRow,
  took: NonNullable<Pass["snapshot"]["took"]>,
): boolean {
  const { kind, batch, exclusive, desired, written_off, promised } = task;
  if (kind !== "job" || batch !== null || exclusive || desired !== "run" || written_off !== null) return false;
  if (promised.devices.length > 0 || promised.ports.length > 0 || stopped.has(task.uid)) return false;
  if ((took.get(tookKey(task)) ?? Number.POSITIVE_INFINITY) > HEIR_WITHIN_MS || tooLongAt(task) <= pass.now_ms)
    return false;
  // What a restart has ended leaves no room behind: its node has that already.
  if (pass.nodes.get(task.node_id)?.node.boot_id !== task.boot_id) return false;
  return pass.state.runs.get(task.owner_uid)?.cancel === null;
}
