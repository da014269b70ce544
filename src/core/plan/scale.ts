// Which replicas a service keeps when it is scaled: those that serve best. It is decided once, in the commit that
// changes their number, so that nothing that happens later makes another choice.

import { formatAge } from "../format";
import type { State } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { SlotRow, WorkloadRow } from "../model/rows-work";
import { slotsOf, withoutOf, type WhyGoes } from "../model/slots";
import { isWanted, slotKey } from "../model/task";
import type { TaskSpec } from "../model/workload";
import { cardsOf } from "../cards/node-cards";
import { ownerSlotName } from "../pass/pass";
import { crashesOf, sayCrashes } from "../pass/crashes";
import { crashesIn } from "../pass/slot";
import type { PlanLimits } from "../pass/snapshot";
import type { Ms } from "../units";
import { whyLeaves } from "./replicas";

const RANK: Readonly<Record<WhyGoes, number>> = {
  pending: 0,
  crashing: 1,
  leaving: 2,
  silent: 2,
  unsettled: 3,
  highest: 4,
};

/** A replica that goes since its service is scaled down. */
export interface Going {
  /** The name of its slot, such as `recs.api.1`. */
  readonly name: string;
  readonly slot: number;
  readonly why: WhyGoes;
  /** Whether a task of it runs, which is then stopped. */
  readonly running: boolean;
  /** The reason in words, with the replica as `it`. */
  readonly detail: string;
}

/** What a scaling is decided on. */
export interface ScaleFacts {
  readonly state: State;
  readonly now_ms: Ms;
  readonly limits: Pick<PlanLimits, "settle_ms" | "stable_ms">;
  readonly spec: (hash: string) => TaskSpec;
}

export interface Scaled {
  readonly without: WorkloadRow["without"];
  /** In the order in which they were chosen. */
  readonly goes: readonly Going[];
}

/**
 * Decides which slots a service has after its replicas were changed. Fewer: those go first that serve least. More:
 * numbers that were given up come back first, the lowest first. `exclusive`: the slots are 0 to N - 1, since each may
 * have data of its own that only its own number finds again.
 */
export function scale(facts: ScaleFacts, workload: WorkloadRow, replicas: number, exclusive: boolean): Scaled {
  const slots = slotsOf(workload);
  const tasks = Map.groupBy(
    facts.state.tasks.values().filter((task) => task.owner_uid === workload.uid && isWanted(task)),
    ({ slot }) => slot,
  );
  const going = (slot: number, { why, detail }: Fitness): Going => {
    const running = tasks.get(slot)?.some(({ observed }) => observed.state === "running") === true;
    return { name: ownerSlotName(workload, slot), slot, why, running, detail };
  };
  if (exclusive) {
    const goes = slots.filter((slot) => slot >= replicas).reverse();
    return { without: null, goes: goes.map((slot) => going(slot, fit("highest", HIGHEST))) };
  }
  if (replicas >= slots.length) {
    const left = (workload.without ?? []).slice(replicas - slots.length);
    return { without: left.length === 0 ? null : left, goes: [] };
  }
  const judged = slots.map((slot) => ({ slot, fitness: fitnessOf(facts, workload, slot, tasks.get(slot) ?? []) }));
  judged.sort((a, b) => RANK[a.fitness.why] - RANK[b.fitness.why] || b.slot - a.slot);
  const first = judged.slice(0, slots.length - replicas);
  const gone = new Set(first.map(({ slot }) => slot));
  return {
    without: withoutOf(slots.filter((slot) => !gone.has(slot))),
    // Where all go there was nothing to choose.
    goes: first.map(({ slot, fitness }) => going(slot, replicas === 0 ? fit(fitness.why, "none is wanted") : fitness)),
  };
}

type Fitness = Pick<Going, "why" | "detail">;

const HIGHEST = "it has the highest number";

const fit = (why: WhyGoes, detail: string): Fitness => ({ why, detail });

/** Returns how well a slot is served: by the best of its tasks, of which there are several while one is replaced. */
function fitnessOf(facts: ScaleFacts, workload: WorkloadRow, slot: number, tasks: readonly TaskRow[]): Fitness {
  const row = facts.state.slots.get(slotKey(workload.uid, slot));
  const found = tasks.map((task) => taskFitness(facts, workload, row, task));
  const [best] = found.sort((a, b) => RANK[b.why] - RANK[a.why]);
  if (best !== undefined) return best;
  const crashed = row === undefined || crashesIn(row, workload.version) === 0 ? "" : `: it ${sayCrashes(row)}`;
  return fit("pending", `it is pending${crashed}`);
}

function taskFitness(
  { state, now_ms, limits, spec }: ScaleFacts,
  workload: WorkloadRow,
  row: SlotRow | undefined,
  task: TaskRow,
): Fitness {
  const ran_ms = task.observed.state === "running" ? now_ms - task.observed.started_ms : null;
  if (row !== undefined && crashesOf(task, row, now_ms, limits) > 0) return fit("crashing", `it ${sayCrashes(row)}`);
  const node = state.nodes.get(task.node_id);
  if (node === undefined) return fit("silent", "its node was forgotten");
  const leaves = whyLeaves(spec, workload, { node, sound: cardsOf(node.devices).sound }, task);
  if (leaves !== null) return fit("leaving", leaves);
  if (node.contact !== "connected") return fit("silent", `its node ${node.name} is ${node.contact}`);
  if (ran_ms === null) return fit("unsettled", "it does not run yet");
  return ran_ms < limits.settle_ms
    ? fit("unsettled", `it has run for ${formatAge(ran_ms)} only`)
    : fit("highest", HIGHEST);
}
