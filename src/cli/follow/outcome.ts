// What a finished run means to whoever waited for it: the exit code, and why, when it was not its own.

import { EXIT } from "../failure";
import { signalNumber } from "./signals";
import type { RunDetail } from "../../wire/api/runs";

type Ended = Pick<RunDetail, "run" | "state" | "exit_code" | "signal" | "reason">;

/** The job's own code: 128 + n for a signal; 125 where there is none of its own. */
export function exitOfRun({ state, exit_code, signal }: Ended): number {
  if (state === "succeeded") return EXIT.done;
  if (signal !== null) return 128 + (signalNumber(signal) ?? 0);
  if (exit_code !== null && exit_code !== 0) return exit_code;
  return state === "cancelled" ? EXIT.interrupted : EXIT.own;
}

/** One line that says how it ended; null when the exit code says all. */
export function outcomeLine({ run, state, exit_code, signal, reason }: Ended): string | null {
  if (state === "succeeded" || (state === "failed" && reason === null && signal === null)) return null;
  const code = exit_code === null || exit_code === 0 ? "" : `, exit ${exit_code}`;
  const how = signal === null ? code : `, killed by ${signal}`;
  // "cancelled by alice" has the state's own word in it.
  if (reason?.startsWith(`${state} `)) return `run ${run} ${reason}${how}`;
  return `run ${run} ${state}${how}${reason === null ? "" : `: ${reason}`}`;
}
