// The progress of an applied app, from the server's views: each workload or run is done, going, or stuck for a reason.

import { formatAge } from "../../core/format";
import type { Ms } from "../../core/units";
import type { WorkloadView } from "../../wire/api/apps";
import type { BlockedView } from "../../wire/api/plans";
import type { RunView } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";

type SeenRun = Pick<RunView, "run" | "name" | "state" | "reason" | "unknown" | "blocked" | "started_ms" | "array">;

export interface SeenApp {
  readonly workloads: readonly WorkloadView[];
  /** The living tasks and waiting slots of the app. */
  readonly tasks: readonly TaskView[];
  /** The runs that the apply made, and those of before that no node can run. */
  readonly runs: readonly SeenRun[];
  /** Why slots wait, for the slots that were asked about. */
  readonly blocked: readonly BlockedView[];
  /** The time on the server's clock. */
  readonly now_ms: Ms;
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
export function progressOf({ workloads, tasks, runs, blocked, now_ms }: SeenApp): Line[] {
  return [
    ...workloads
      .filter(({ kind }) => kind !== "job")
      .map((one) => {
        const own = tasks.filter((task) => task.workload === one.name);
        return { name: one.name, run: null, ...workloadLine(one, own, blocked, now_ms) };
      }),
    ...runs.map(runLine),
  ];
}

function workloadLine(
  workload: WorkloadView,
  tasks: readonly TaskView[],
  blocked: readonly BlockedView[],
  now_ms: Ms,
): Omit<Line, "name" | "run"> {
  const { version, kind, replicas, removing } = workload;
  if (removing) return { state: tasks.length === 0 ? "done" : "going", detail: `${tasks.length} still to end` };
  // What is to stop, or to be replaced, says nothing of how the new version does.
  const own = tasks.filter((task) => task.version === version && task.desired === "run");
  const running = own.filter(isRunning);
  const up = running.filter((task) => isUp(task, now_ms));
  const wanted = kind === "daemon" ? new Set(tasks.map(({ slot }) => slot)).size : replicas;
  const detail =
    up.length === running.length
      ? `${up.length}/${wanted} up`
      : `${running.length}/${wanted} running${sayRunning(running)}`;
  if (up.length === wanted && tasks.length === wanted) return { state: "done", detail: `${detail}${sayUp(wanted)}` };
  const names = new Set(own.map((task) => task.name));
  const impossible = blocked.find(({ kind, stuck, name }) => (stuck || kind === "unsatisfiable") && names.has(name));
  if (impossible !== undefined) return { state: "stuck", detail: `${detail}: ${impossible.summary}` };
  const crashing = own.find(isCrashing);
  if (crashing !== undefined)
    return {
      state: "stuck",
      detail: `${crashing.name} ${crashing.reason ?? `has crashed ${crashing.crashes} times in a row`}`,
    };
  const waiting = own.find((task) => task.state === "pending" && task.reason !== null);
  return { state: "going", detail: waiting === undefined ? detail : `${detail}: ${waiting.reason}` };
}

/**
 * Returns whether a slot between two attempts has crashed too often. Attempt numbers are no count of crashes, since
 * numbers that an agent was granted and did not use are skipped.
 */
const isCrashing = ({ state, crashes }: TaskView): boolean =>
  (state === "pending" || state === "preparing") && crashes >= CRASHES;

/**
 * How long a task must have run to count as up: the `healthy_for` of a rollout, and Nomad's `min_healthy_time`. One
 * that crashes some seconds after its start runs at most looks.
 */
export const UP_AFTER_MS: Ms = 10_000;

/** Returns whether a task counts as up. After a crash that is when the server counts the streak as over. */
const isUp = ({ started_ms, crashes }: TaskView, now_ms: Ms): boolean =>
  started_ms !== null && crashes === 0 && now_ms - started_ms >= UP_AFTER_MS;

/** Says what running tasks still have to show: the worst has crashed, or each has run for a moment only. */
function sayRunning(tasks: readonly TaskView[]): string {
  const [worst] = tasks.toSorted((a, b) => b.crashes - a.crashes);
  if (worst === undefined || worst.crashes === 0) return ` (up after ${formatAge(UP_AFTER_MS)})`;
  return `, not stable yet: ${worst.name} ${worst.reason ?? `crashed ${worst.crashes}×`}`;
}

/** Says what was waited for. */
const sayUp = (wanted: number): string =>
  wanted === 0 ? "" : ` (${wanted === 1 ? "it has" : "each has"} run for ${formatAge(UP_AFTER_MS)} without a crash)`;

const isRunning = ({ state, health, desired }: TaskView): boolean =>
  state === "running" && desired === "run" && (health === null || health === "healthy");

function runLine({ run, name, state, reason, unknown, blocked }: SeenRun): Line {
  const named = { name: `run ${run} (${name})`, run };
  const detail = reason === null ? state : `${state}: ${reason}`;
  if (state === "succeeded") return { ...named, state: "done", detail };
  const isStuck = state === "failed" || state === "cancelled" || unknown > 0 || blocked === "unsatisfiable";
  return { ...named, state: isStuck ? "stuck" : "going", detail };
}
