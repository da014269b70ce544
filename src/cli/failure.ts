// The failures of commands: one line for people and one exit code for programs.

import type { ErrorCode } from "../wire/api/errors";

/** The exit codes of the command line. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  changes: 5,
  /** Nobody knows how the job of `orch run` ended. Its run waits for a person. */
  unknown: 123,
  /** `orch run` failed by a fault of orch, not of the job. */
  own: 125,
  interrupted: 130,
} as const;

/** A failure with its message, a hint, and the exit code of the process. */
export class CliError extends Error {
  override name = "CliError";
  constructor(
    readonly exit: number,
    message: string,
    readonly hint: string | null = null,
  ) {
    super(message);
  }
}

/** The command line or a file is wrong. No request was made. */
export class UsageError extends CliError {
  override name = "UsageError";
  constructor(message: string, hint: string | null = null) {
    super(EXIT.usage, message, hint);
  }
}

/** The exit code for each code with which the server refuses a request. */
export const EXIT_OF_CODE: Readonly<Record<ErrorCode, number>> = {
  bad_request: EXIT.usage,
  spec: EXIT.usage,
  too_large: EXIT.usage,
  unauthenticated: EXIT.denied,
  forbidden: EXIT.denied,
  unavailable: EXIT.unreachable,
  unsatisfiable: EXIT.failed,
  not_found: EXIT.failed,
  method_not_allowed: EXIT.failed,
  conflict: EXIT.failed,
  changed_meanwhile: EXIT.failed,
  key_reused: EXIT.failed,
  gone: EXIT.failed,
  unsupported: EXIT.failed,
  wrong_host: EXIT.failed,
  too_many: EXIT.failed,
  internal: EXIT.failed,
  storage_full: EXIT.failed,
};

/** Hints for refusals to which the server has added none. */
export const HINT_OF_CODE: Partial<Readonly<Record<ErrorCode, string>>> = {
  unauthenticated: "Log in again with: orch login URL (or set ORCH_TOKEN)",
  forbidden: "Ask an admin of this cluster for the role or the project",
  changed_meanwhile: "Look at the new plan and apply again",
  too_many: "Wait a moment and try again",
};
