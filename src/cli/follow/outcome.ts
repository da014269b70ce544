// The outcome of a finished run: the exit code of the waiting command, and a line if the code does not say everything.

import { linuxSignal } from "../../core/signals";
import { EXIT } from "../failure";
import type { EndCause } from "../../core/model/end";
import type { RunDetail } from "../../wire/api/runs";

type Ended = Pick<
  RunDetail,
  "run" | "state" | "exit_code" | "signal" | "cause" | "cancelled_by" | "reason" | "unknown" | "array"
>;

/**
 * The exit codes of a job that one of its limits ended, whatever its process returned: 124 as from `timeout`, 137 as
 * after the kernel's SIGKILL. 123: nobody knows how it ended.
 */
const EXIT_OF_CAUSE: Partial<Record<EndCause, number>> = {
  time_limit: 124,
  out_of_memory: 137,
  result_unknown: EXIT.unknown,
};

/**
 * Returns the job's own exit code: 128 + n for a signal. A job that orch ended and that returned 0 has failed with 1. A
 * job without a code gets 130 if it was cancelled, else 125, which is orch's own failure alone. An array has no code of
 * its own: it has failed with 1.
 */
export function exitOfRun({ state, exit_code, signal, cause, unknown, array }: Ended): number {
  if (unknown > 0) return EXIT.unknown;
  if (state === "succeeded") return EXIT.done;
  if (array !== null) return state === "cancelled" ? EXIT.interrupted : EXIT.failed;
  const limit = cause === null ? undefined : EXIT_OF_CAUSE[cause];
  if (limit !== undefined) return limit;
  if (signal !== null) return 128 + (linuxSignal(signal) ?? 0);
  if (exit_code !== null && exit_code !== 0) return exit_code;
  if (state === "cancelled") return EXIT.interrupted;
  return exit_code === null ? EXIT.own : EXIT.failed;
}

/** Returns one line on how the run ended, or null if the exit code says everything. */
export function outcomeLine({ run, state, exit_code, signal, cancelled_by, reason, unknown }: Ended): string | null {
  if (unknown > 0) return `run ${run} ${reason ?? "waits for a person: nobody knows how it ended"}`;
  if (state !== "cancelled" && reason === null && signal === null) return null;
  const code = exit_code === null || exit_code === 0 ? "" : `, exit ${exit_code}`;
  const how = signal === null ? code : `, killed by ${signal}`;
  if (state === "cancelled" && cancelled_by !== null) return `run ${run} cancelled by ${cancelled_by}${how}`;
  return `run ${run} ${state}${how}${reason === null ? "" : `: ${reason}`}`;
}
