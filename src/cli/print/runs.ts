// Runs as `orch runs` shows them, and what waits as `orch queue` does.

import type { Ms } from "../../core/units";
import type { RunView } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";
import { paintState, type Style } from "./color";
import { age, ages, lasted } from "./figures";
import { byName, foldedName, summary } from "./fold";
import type { Listing } from "./listing";
import type { Column } from "./table";
import { askedName, elementsOver, taskWhy, waitsWhy } from "./tasks";

export const runColumns = (now_ms: Ms, styled: Style): Column<RunView>[] => [
  { title: "RUN", align: "right", cell: (run) => String(run.run) },
  {
    title: "NAME",
    cut: "middle",
    gives: [
      [4, 24],
      [8, 12],
    ],
    cell: (run) => run.name,
  },
  {
    title: "USER",
    gives: [
      [3, 8],
      [7, 0],
    ],
    cell: (run) => run.user,
  },
  { title: "STATE", cell: (run) => run.state, paint: (run, cell) => paintState(styled, run.state, cell) },
  {
    title: "NODE",
    cut: "middle",
    gives: [
      [2, 16],
      [6, 10],
    ],
    cell: ({ nodes }) => (nodes ?? []).join(","),
  },
  { title: "AGE", align: "right", cell: (run) => age(run.created_ms, now_ms) },
  { title: "TOOK", align: "right", cell: (run) => took(run, now_ms) },
  { title: "ELEMENTS", gives: [[10, "below"]], cell: elementsOver },
  {
    title: "COMMAND",
    gives: [
      [1, 24],
      [5, 12],
      [9, 0],
    ],
    cell: ({ command }) => command ?? "",
  },
  { title: "WHY", prose: true, cell: (run) => waitsWhy(runWhy(run), run.blocked, String(run.run)) },
];

/** Returns why a run is in its state, for one cell. */
export const runWhy = (run: Pick<RunView, "state" | "exit_code" | "signal" | "reason" | "array">): string => {
  // The end of an array is that of one of its elements, which its reason names.
  if (run.array !== null && run.reason !== null) return run.reason;
  return taskWhy({ ...run, state: run.state === "failed" || run.state === "cancelled" ? "failed" : "running" });
};

/** Returns how long a run has run. One that waits for its next attempt does not run. */
const took = ({ state, started_ms, finished_ms }: RunView, now_ms: Ms): string =>
  started_ms === null || state === "queued" ? "-" : lasted((finished_ms ?? now_ms) - started_ms);

/** What waits: a run, or a slot of a service or a daemon. */
export type QueuedView = Pick<RunView, "name" | "project" | "user" | "created_ms" | "reason" | "blocked"> & {
  readonly run: number | null;
  /** What `orch explain` is asked for. */
  readonly asked: string;
  readonly position: number | null;
  readonly priority: number | null;
  readonly state: string;
};

/**
 * Returns what waits, for somebody of project `home`: slots of services and daemons first, then runs in the order of
 * the plan.
 */
export const queued = (runs: readonly RunView[], slots: readonly TaskView[], home: string | null): QueuedView[] => [
  ...slots.map((slot) => ({ ...slot, asked: askedName(slot, home), position: null, priority: null })),
  ...runs.map((run) => ({ ...run, asked: String(run.run) })),
];

/** Slots of one workload that wait for the same reason are one row. `whole`: each has its own. */
export function queueListing(whole: boolean): Omit<Listing<QueuedView>, "columns"> {
  const named = byName<QueuedView>(({ name }) => name);
  const ofWorkload = (row: QueuedView): string | null =>
    row.run === null ? `${row.project}/${named.series(row) ?? ""}` : null;
  return {
    folding: whole ? null : { ...named, series: ofWorkload },
    summary: (rows) =>
      summary(
        "wait",
        rows.map(({ run }) => (run === null ? "slots" : "runs")),
      ),
  };
}

export const queueColumns = (now_ms: Ms): Column<QueuedView>[] => [
  { title: "POS", align: "right", cell: ({ position }) => String(position ?? "-") },
  { title: "RUN", align: "right", cell: ({ run }) => String(run ?? "-") },
  {
    title: "NAME",
    cut: "middle",
    gives: [
      [3, 32],
      [6, 20],
    ],
    cell: ({ name }) => name,
    folded: ([first, ...others]) => foldedName([first.name, ...others.map(({ name }) => name)]),
  },
  {
    title: "PROJECT",
    gives: [
      [1, 10],
      [4, 0],
    ],
    cell: ({ project }) => project,
  },
  {
    title: "USER",
    gives: [
      [2, 8],
      [5, 0],
    ],
    cell: ({ user }) => user,
  },
  { title: "PRIO", align: "right", gives: [[7, 0]], cell: ({ priority }) => String(priority ?? "-") },
  { title: "STATE", cell: ({ state }) => state, folded: (rows) => `${rows.length} ${rows[0].state}` },
  {
    title: "AGE",
    align: "right",
    cell: ({ created_ms }) => age(created_ms, now_ms),
    folded: (rows) =>
      ages(
        rows.flatMap(({ created_ms }) => created_ms ?? []),
        now_ms,
      ),
  },
  { title: "WHY", prose: true, cell: ({ reason, blocked, asked }) => waitsWhy(reason ?? "", blocked, asked) },
];
