// Runs as `orch runs` shows them, and what waits as `orch queue` does.

import { formatAge } from "../../core/format";
import type { Ms } from "../../core/units";
import type { RunView } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";
import { paintState, type Style } from "./color";
import { age } from "./figures";
import type { Column } from "./table";
import { taskWhy } from "./tasks";

export const runColumns = (now_ms: Ms, styled: Style): Column<RunView>[] => [
  { title: "RUN", align: "right", cell: (run) => String(run.run) },
  { title: "NAME", cell: (run) => run.name },
  { title: "USER", cell: (run) => run.user },
  { title: "STATE", cell: (run) => run.state, paint: (run, cell) => paintState(styled, run.state, cell) },
  { title: "NODE", cell: ({ nodes }) => (nodes ?? []).join(",") },
  { title: "AGE", align: "right", cell: (run) => age(run.created_ms, now_ms) },
  { title: "TOOK", align: "right", cell: (run) => took(run, now_ms) },
  { title: "COMMAND", least: 12, cell: ({ command }) => command ?? "" },
  { title: "WHY", cell: runWhy },
];

/** Returns why a run is in its state, for one cell. */
export const runWhy = (run: Pick<RunView, "state" | "exit_code" | "signal" | "reason">): string =>
  taskWhy({ ...run, state: run.state === "failed" || run.state === "cancelled" ? "failed" : "running" });

/** Returns how long a run has run. One that waits for its next attempt does not run. */
const took = ({ state, started_ms, finished_ms }: RunView, now_ms: Ms): string =>
  started_ms === null || state === "queued" ? "-" : formatAge(Math.max(0, (finished_ms ?? now_ms) - started_ms));

/** What waits: a run, or a slot of a service or a daemon. */
export type QueuedView = Pick<RunView, "name" | "project" | "user" | "created_ms" | "reason"> & {
  readonly run: number | null;
  readonly position: number | null;
  readonly priority: number | null;
  readonly state: string;
};

/** Returns what waits: slots of services and daemons first, then runs in the order of the plan. */
export const queued = (runs: readonly RunView[], slots: readonly TaskView[]): QueuedView[] => [
  ...slots.map((slot) => ({ ...slot, position: null, priority: null })),
  ...runs,
];

export const queueColumns = (now_ms: Ms): Column<QueuedView>[] => [
  { title: "POS", align: "right", cell: ({ position }) => String(position ?? "-") },
  { title: "RUN", align: "right", cell: ({ run }) => String(run ?? "-") },
  { title: "NAME", cell: ({ name }) => name },
  { title: "PROJECT", cell: ({ project }) => project },
  { title: "USER", cell: ({ user }) => user },
  { title: "PRIO", align: "right", cell: ({ priority }) => String(priority ?? "-") },
  { title: "STATE", cell: ({ state }) => state },
  { title: "AGE", align: "right", cell: ({ created_ms }) => age(created_ms, now_ms) },
  { title: "WHY", cell: ({ reason }) => reason ?? "" },
];
