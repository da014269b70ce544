// The progress of an applied app, from the server's views: each workload or run is done, going, or stuck for a reason.

import type { WorkloadView } from "../../wire/api/apps";
import type { BlockedView } from "../../wire/api/plans";
import type { RunDetail } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";

export interface SeenApp {
  readonly workloads: readonly WorkloadView[];
  /** The living tasks and waiting slots of the app. */
  readonly tasks: readonly TaskView[];
  /** The runs that the apply made. */
  readonly runs: readonly RunDetail[];
  /** Why slots wait, for the slots that were asked about. */
  readonly blocked: readonly BlockedView[];
}

export interface Line {
  readonly name: string;
  /** The number of the run that the line is about, or null for a workload. */
  readonly run: number | null;
  readonly state: "done" | "going" | "stuck";
  readonly detail: string;
}

/** A slot that failed this often in a row counts as stuck. */
const CRASHES = 3;

/** Returns one line for each service and daemon, and one for each run. */
export function progressOf({ workloads, tasks, runs, blocked }: SeenApp): Line[] {
  return [
    ...workloads
      .filter(({ kind }) => kind !== "job")
      .map((one) => {
        const own = tasks.filter((task) => task.workload === one.name);
        return { name: one.name, run: null, ...workloadLine(one, own, blocked) };
      }),
    ...runs.map(runLine),
  ];
}

function workloadLine(
  workload: WorkloadView,
  tasks: readonly TaskView[],
  blocked: readonly BlockedView[],
): Omit<Line, "name" | "run"> {
  const { version, kind, replicas, removing } = workload;
  if (removing) return { state: tasks.length === 0 ? "done" : "going", detail: `${tasks.length} still to end` };
  const up = tasks.filter(isUp).filter((task) => task.version === version);
  const wanted = kind === "daemon" ? tasks.filter((task) => task.version === version).length : replicas;
  const detail = `${up.length}/${wanted} up`;
  if (up.length === wanted && tasks.length === wanted) return { state: "done", detail };
  const names = new Set(tasks.map((task) => task.name));
  const impossible = blocked.find((one) => one.kind === "unsatisfiable" && names.has(one.name));
  if (impossible !== undefined) return { state: "stuck", detail: `${detail}: ${impossible.summary}` };
  const crashing = tasks.find(isCrashing);
  if (crashing !== undefined)
    return {
      state: "stuck",
      detail: `${crashing.name} ${crashing.reason ?? `has crashed ${crashing.crashes} times in a row`}`,
    };
  const waiting = tasks.find((task) => task.state === "pending" && task.reason !== null);
  return { state: "going", detail: waiting === undefined ? detail : `${detail}: ${waiting.reason}` };
}

/**
 * Returns whether a slot between two attempts has crashed too often. Attempt numbers are no count of crashes, since
 * numbers that an agent was granted and did not use are skipped.
 */
const isCrashing = ({ state, crashes }: TaskView): boolean =>
  (state === "pending" || state === "preparing") && crashes >= CRASHES;

const isUp = ({ state, health, desired }: TaskView): boolean =>
  state === "running" && desired === "run" && (health === null || health === "healthy");

function runLine({ run, name, state, reason, unknown }: RunDetail): Line {
  const named = { name: `run ${run} (${name})`, run };
  const detail = reason === null ? state : `${state}: ${reason}`;
  if (state === "succeeded") return { ...named, state: "done", detail };
  const isStuck = state === "failed" || state === "cancelled" || unknown > 0;
  return { ...named, state: isStuck ? "stuck" : "going", detail };
}
