// What slots and runs wait for now, in words. `ps`, `queue`, `runs`, `show` and `explain` all print what this says.

import { overIn } from "../../core/model/array";
import { isHeir } from "../../core/model/heirs";
import { isFinal } from "../../core/model/lifecycle";
import type { State } from "../../core/model/rows-state";
import type { RunAfter, RunRow } from "../../core/model/rows-work";
import type { TaskRow } from "../../core/model/rows-task";
import { sayBackOff } from "../../core/pass/crashes";
import { sayTimed } from "../../core/pass/pass";
import type { Blocked } from "../../core/pass/snapshot";
import { goesOn, type RunBounds } from "../../core/plan/outcome";
import { fullName, slotKey } from "../../core/model/task";
import type { Ms } from "../../core/units";
import type { TaskSpec } from "../../core/model/workload";

export interface Waits {
  /** Returns what the last pass of the plan has found a slot waiting for; undefined if nothing. */
  blocked(owner_uid: string, slot: number): Blocked | undefined;
  /**
   * Returns what a slot without a task waits for; null if no pass has looked at it yet. `run` is its owner, if that is
   * a run.
   */
  say(owner_uid: string, slot: number, run: RunRow | null): string | null;
  /**
   * Returns the place of a run in the queue, from 1, among all that waits for room: replicas of services count as runs
   * do. Null if it does not wait for room, or if no node can run it as it is. Those that no node can run are not before
   * anybody.
   */
  position(run_uid: string): number | null;
  /** Returns a number by which runs are sorted in the order in which they get room. */
  order(run_uid: string): number;
  /** Returns the living tasks of an owner. */
  tasks(owner_uid: string): readonly TaskRow[];
  /** Returns whether a run that has begun has no task and gets another attempt. Its rows alone say so. */
  between(run: RunRow): boolean;
  /** Returns whether a run has only a task whose turn has not come. */
  isNext(run: RunRow): boolean;
}

export interface WaitsFrom {
  readonly state: State;
  readonly now_ms: Ms;
  readonly blocked: readonly Blocked[];
  /** The keys of the slots that wait for room, in the order in which they get it. */
  readonly queue: readonly string[];
  readonly spec: (hash: string) => Pick<TaskSpec, "members">;
  readonly limits: RunBounds;
}

const NO_TASKS: readonly TaskRow[] = [];

/**
 * Of so many slots at the head of the queue it is found out whether any node can run them, which takes time for each
 * kind of request. Behind them all count.
 */
const MOST_JUDGED = 100;

/** Makes the answers for one request. What they need is collected when it is first asked for. */
export function waitsIn({ state, now_ms, blocked, queue, spec, limits }: WaitsFrom): Waits {
  const why = once(() => new Map(blocked.map((one) => [slotKey(one.owner_uid, one.slot), one])));
  const order = once(() => new Map(queue.map((key, at) => [key, at])));
  const isNever = (key: string): boolean => why().get(key)?.kind === "unsatisfiable";
  const isCounted = (key: string, at: number): boolean => at >= MOST_JUDGED || !isNever(key);
  const places = once(() => new Map(queue.filter(isCounted).map((key, at) => [key, at + 1])));
  const living = once(() => Map.groupBy(state.tasks.values(), ({ owner_uid }) => owner_uid));
  const tasks = (owner_uid: string): readonly TaskRow[] => living().get(owner_uid) ?? NO_TASKS;
  return {
    blocked: (owner_uid, slot) => why().get(slotKey(owner_uid, slot)),
    position(run_uid) {
      const key = slotKey(run_uid, 0);
      return order().has(key) && !isNever(key) ? (places().get(key) ?? null) : null;
    },
    order: (run_uid) => order().get(slotKey(run_uid, 0)) ?? Number.MAX_SAFE_INTEGER,
    tasks,
    between: (run) =>
      run.state === "running" &&
      tasks(run.uid).length === 0 &&
      // An array is over only with its last element, whose end is that of the run.
      (run.array !== null
        ? run.cancel === null
        : goesOn(run, state.slots.get(slotKey(run.uid, 0)), spec(run.spec_hash).members, limits)),
    isNext: ({ uid }) => tasks(uid).length > 0 && tasks(uid).every((task) => isHeir(task, state.tasks)),
    say(owner_uid, slot, run) {
      const found = why().get(slotKey(owner_uid, slot))?.summary ?? reasonIn(run);
      if (found !== null) return found;
      const ending = tasks(owner_uid).filter((task) => task.slot === slot && task.desired === "stop");
      if (ending.length > 0) return `waits for ${ending.map(fullName).sort().join(", ")} to end`;
      const row = state.slots.get(slotKey(owner_uid, slot));
      const held = row === undefined ? null : sayBackOff(row, now_ms);
      return held === null ? null : sayTimed(held, 0);
    },
  };
}

const reasonIn = (run: RunRow | null): string | null => (run === null ? null : (run.reason ?? waitsFor(run)));

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | null = null;
  return () => (made ??= { value: make() }).value;
}

const FOR: Readonly<Record<RunAfter["when"], string>> = {
  succeeded: "to succeed",
  ended: "to end",
  failed: "to fail",
  up: "to be up",
};

/** Returns what a run still comes after, in words, or null. */
export function waitsFor({ after, app }: RunRow): string | null {
  const open = after.filter(({ met }) => met === null);
  const names = open.map(({ name, when }) => `${app === null ? name : `${app}.${name}`} ${FOR[when]}`);
  return open.length === 0 ? null : `waits for ${names.join(", ")}`;
}

/**
 * Returns the state that people see. A run between two attempts is queued again, and one that is next on a node still
 * is. One whose end nobody knows waits for a person, and is not. Neither is an array between two batches, of which
 * elements are over.
 */
export function shownRunState(run: RunRow, waits: Waits): RunRow["state"] {
  const { state, array } = run;
  if (array !== null && overIn(array) + array.again > 0) return state;
  return state === "running" && (waits.between(run) || waits.isNext(run)) ? "queued" : state;
}

/** Returns why a run is in its state: why it ended so, what it waits for, or what is wrong with its tasks. */
export function runReason(
  run: RunRow,
  waits: Waits,
  unknown: number,
  reasonOf: (task: TaskRow) => string | null,
): string | null {
  // The row of a run that asks a person names the answers, too.
  if (isFinal(run.state) || (unknown > 0 && run.reason !== null)) return run.reason;
  const tasks = waits.tasks(run.uid);
  if (tasks.length === 0 && (waits.between(run) || shownRunState(run, waits) !== "running"))
    return waits.say(run.uid, 0, run);
  const said = waits.blocked(run.uid, 0)?.summary ?? run.reason;
  return said ?? tasks.map(reasonOf).find((reason) => reason !== null) ?? null;
}
