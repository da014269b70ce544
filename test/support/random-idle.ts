// Random idle cards: what workloads ask for, and for how long each task has been idle.

import type { IdleFact, Snapshot } from "../../src/core/pass/snapshot";
import type { TaskRow } from "../../src/core/model/rows-task";
import { SECOND_MS, type Ms } from "../../src/core/units";
import type { Settings } from "../../src/core/model/workload";
import type { Dice } from "./random";

export const randomIdle = (dice: Dice): Pick<Settings, "idle"> =>
  dice.chance(0.3)
    ? {}
    : {
        idle: {
          gpu_below_percent: 5,
          for_ms: dice.pick([1, 20]) * SECOND_MS,
          action: dice.pick(["stop", "stop", "notify"] as const),
          only_if_wanted: dice.chance(0.7),
        },
      };

type Facts = Map<string, IdleFact>;

/** Lets time pass: some tasks use their cards, others do not. */
export function idleLives(dice: Dice, facts: Facts, tasks: Iterable<TaskRow>, elapsed_ms: Ms): void {
  const living = new Set<string>();
  for (const { uid, promised, observed } of tasks) {
    if (promised.devices.length === 0 || observed.state !== "running") continue;
    living.add(uid);
    const before = facts.get(uid) ?? { idle_ms: 0, told: false };
    if (dice.chance(0.1)) facts.delete(uid);
    else facts.set(uid, { ...before, idle_ms: before.idle_ms + elapsed_ms });
  }
  for (const uid of facts.keys()) if (!living.has(uid)) facts.delete(uid);
}

/**
 * Checks that only tasks are stopped for idleness whose workload asked for it, that were idle for long enough, and that
 * were in somebody's way.
 */
export function holdIdle(
  { idle, state }: Snapshot,
  task: TaskRow,
  why: string,
  waits: boolean,
  demand: (holds: boolean, what: string) => void,
): void {
  if (!/^its (\d+ )?GPUs? (was|were) below/.test(why)) return;
  const settings = (state.runs.get(task.owner_uid) ?? state.workloads.get(task.owner_uid))?.settings.idle;
  demand(settings?.action === "stop", `${task.uid} is stopped for idleness without having asked for it`);
  if (settings === undefined) return;
  const gang = [...state.tasks.values()].filter(
    (other) => other.owner_uid === task.owner_uid && other.slot === task.slot && other.attempt === task.attempt,
  );
  for (const { uid, promised } of gang) {
    const long = (idle.get(uid)?.idle_ms ?? 0) >= settings.for_ms;
    demand(promised.devices.length === 0 || long, `${uid} is stopped before it was idle for long enough`);
  }
  demand(waits || !settings.only_if_wanted, `${task.uid} is stopped for nobody`);
}
