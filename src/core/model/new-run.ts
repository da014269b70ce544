// Makes the row of a new run, and the row of a run that is to be cancelled. No other place does, so that a new column
// has one first value.

import { freshArray } from "./array";
import type { RunRow } from "./rows-work";
import type { Ms } from "../units";

/** The fields in which new runs differ. The other fields begin alike in every run. */
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
> &
  Partial<Pick<RunRow, "stdin">>;

/** Returns the row of a new run. It waits if it comes after something, and is queued otherwise. */
export const newRun = (given: NewRun): RunRow => ({
  stdin: null,
  ...given,
  array: given.settings.array === undefined ? null : freshArray(given.settings.array),
  state: given.after.length > 0 ? "waiting" : "queued",
  reason: null,
  cancel: null,
  started_ms: null,
  finished_ms: null,
  exit_code: null,
  signal: null,
  cause: null,
  waited_for: null,
});

/**
 * Returns the row of a run that is to be cancelled. `reason` says why if that is more than who cancels it. An earlier
 * reason is dropped, since it says what the run waited for.
 */
export const withCancel = (run: RunRow, by: string, at_ms: Ms, reason: string | null = null): RunRow => ({
  ...run,
  reason,
  cancel: { at_ms, by },
});
