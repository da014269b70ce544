// How a run begins: the one place where a whole row of it is made, so that a new column has one first value.

import type { RunRow } from "./rows-work";

/** What tells a new run from every other; the rest follows, or begins as with every run. */
export type NewRun = Pick<
  RunRow,
  | "uid"
  | "run"
  | "name"
  | "project"
  | "user"
  | "app_uid"
  | "app"
  | "workload_uid"
  | "version"
  | "spec_hash"
  | "settings"
  | "after"
  | "created_ms"
>;

/** The row of a new run: it waits for what it comes after, or is queued at once. */
export const newRun = (given: NewRun): RunRow => ({
  ...given,
  state: given.after.length > 0 ? "waiting" : "queued",
  reason: null,
  cancel: null,
  started_ms: null,
  finished_ms: null,
  exit_code: null,
  signal: null,
  cause: null,
});
