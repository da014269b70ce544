// How a task ends, in the two shapes that are kept: `RecordEnd` is what its agent writes down and reports, `TaskFinal`
// is what the server keeps. The other shapes (an exit, a report, what a slot remembers) are derived from these.

import type { BootMs, Bytes, Ms } from "../units";

/** Why a task ended, for programs, where its state, exit code and signal do not say it. */
export const END_CAUSES = {
  time_limit: "it reached its own time limit",
  out_of_memory: "it, or its machine, had no more memory",
  lease_expired: "it was exclusive, and its node did not hear the server for as long as its lease",
  start_failed: "its command could not be started, on no node: its arguments are too long",
  no_command: "its command is not on its node, or not executable there",
  no_directory: "its working directory is not on its node, or closed to its account",
  no_account: "its account is not on its node, or its node gives it to no task of this user",
  port_taken: "a port that it publishes was taken on its node",
  device_fault: "its agent ended it for what its card did to it, or it to its card",
  no_room: "its node had no room for it within the time that an accepted task waits",
  node_unable: "its node could not begin it: what a start needs was full, used up, missing or did not answer",
  lease_too_short: "its grace to stop leaves nothing of the lease of an exclusive task",
  node_rebooted: "its node was restarted",
  node_forgotten: "an operator had its node forgotten",
  result_unknown: "it is over, and nobody knows how it ended, or why it was stopped",
  no_record: "its node has no record of it",
} as const;
export type EndCause = keyof typeof END_CAUSES;

/** The causes by which a start fails that another node, or this one later, may well make. */
export const START_TROUBLES = ["no_command", "no_directory", "no_account", "port_taken", "node_unable"] as const;
export type StartTrouble = (typeof START_TROUBLES)[number];

/** Why the supervisor of a task says that it never began, or what ended it other than the process itself. */
export const EXIT_CAUSES = ["start_failed", "lease_expired", ...START_TROUBLES] as const;
export type ExitCause = (typeof EXIT_CAUSES)[number];

export const isStartTrouble = (cause: EndCause | undefined): cause is StartTrouble =>
  START_TROUBLES.some((one) => one === cause);

/** The facts that every shape of an end has. */
export interface EndFacts {
  readonly exit_code: number | null;
  /** The signal's name without SIG, or null. */
  readonly signal: string | null;
  /** The cause that programs decide on. Ends that earlier releases wrote have none. */
  readonly cause?: EndCause | undefined;
  /** The reason in words for people, or null if the exit code says everything. */
  readonly reason: string | null;
  readonly peak_memory_bytes: Bytes | null;
}

/** How the main process of a task ended, as its supervisor saw it. */
export interface TaskExit extends EndFacts {
  /** The cause if something other than the process itself ended the task. */
  readonly cause?: ExitCause | undefined;
  readonly started_ms: BootMs;
  readonly ended_ms: BootMs;
  readonly oom: boolean;
  /** How many processes of the task outlived its main process and were killed. */
  readonly left: number;
}

/** The states of an end that an agent tells. */
export const TOLD_ENDS = ["succeeded", "failed", "stopped", "rejected", "unknown", "gone"] as const;

/**
 * The end that an agent writes down. `unknown`: the task began, and nobody knows how it ended. `gone`: it never
 * completed, which becomes `lost` at the server.
 */
export interface RecordEnd extends EndFacts {
  readonly state: (typeof TOLD_ENDS)[number];
  readonly started_ms: BootMs | null;
  readonly finished_ms: BootMs;
  /** The uid of the successor that the agent made under its grant, or null. */
  readonly next_uid: string | null;
}

/** The last 4 KiB of each stream. */
export interface Tail {
  readonly stdout: string;
  readonly stderr: string;
}

/** A `RecordEnd` as it is sent. Times are ages, which the server subtracts from its own time. */
export interface ReportedEnd extends Omit<RecordEnd, "started_ms" | "finished_ms" | "next_uid"> {
  readonly started_age_ms: Ms | null;
  readonly finished_age_ms: Ms;
  readonly tail: Tail | null;
  readonly next: { readonly uid: string; readonly starts_in_ms: Ms } | null;
}

/** The end that the server keeps. */
export interface TaskFinal extends EndFacts {
  readonly state: "succeeded" | "failed" | "stopped" | "rejected" | "unknown" | "lost";
  readonly started_ms: Ms | null;
  readonly finished_ms: Ms;
  readonly tail: Tail | null;
}

/** The fields of the end of a task that never began, or whose result is not known. */
export const NO_RESULT = { started_ms: null, exit_code: null, signal: null, peak_memory_bytes: null } as const;
