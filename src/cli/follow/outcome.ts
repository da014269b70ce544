// What a finished run means to whoever waited for it: the exit code, and why, when it was not its own.

import { linuxSignal } from "../../core/signals";
import { EXIT } from "../failure";
import type { EndCause } from "../../core/model/end";
import type { RunDetail } from "../../wire/api/runs";

type Ended = Pick<RunDetail, "run" | "state" | "exit_code" | "signal" | "cause" | "cancelled_by" | "reason">;

/** What a limit of the job ends it with, whatever its process gave: as `timeout` does, and as the kernel's own kill. */
const EXIT_OF_CAUSE: Partial<Record<EndCause, number>> = { time_limit: 124, out_of_memory: 137 };

/** The job's own code: 128 + n for a signal; 125 where there is none of its own. */
export function exitOfRun({ state, exit_code, signal, cause }: Ended): number {
  if (state === "succeeded") return EXIT.done;
  const limit = cause === null ? undefined : EXIT_OF_CAUSE[cause];
  if (limit !== undefined) return limit;
  if (signal !== null) return 128 + (linuxSignal(signal) ?? 0);
  if (exit_code !== null && exit_code !== 0) return exit_code;
  return state === "cancelled" ? EXIT.interrupted : EXIT.own;
}

/** One line that says how it ended; null when the exit code says all. */
export function outcomeLine({ run, state, exit_code, signal, cancelled_by, reason }: Ended): string | null {
  if (state === "succeeded" || (state === "failed" && reason === null && signal === null)) return null;
  const code = exit_code === null || exit_code === 0 ? "" : `, exit ${exit_code}`;
  const how = signal === null ? code : `, killed by ${signal}`;
  if (state === "cancelled" && cancelled_by !== null) return `run ${run} cancelled by ${cancelled_by}${how}`;
  return `run ${run} ${state}${how}${reason === null ? "" : `: ${reason}`}`;
}
