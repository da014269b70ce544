// Every way a command can fail, as one line for people and one exit code for programs.

import type { ErrorCode } from "../wire/api/errors";

/** The exit codes of product.md. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unreachable: 3,
  denied: 4,
  changes: 5,
  /** `orch run`: the fault is orch's, not the job's. */
  own: 125,
  interrupted: 130,
} as const;

/** A failure that says what is wrong, what to do about it, and how the process ends. */
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

/** The command line or a file is wrong: nothing was asked of anybody. */
export class UsageError extends CliError {
  override name = "UsageError";
  constructor(message: string, hint: string | null = null) {
    super(EXIT.usage, message, hint);
  }
}

/** What a refusal of the server means for the exit code. */
export const EXIT_OF_CODE: Readonly<Record<ErrorCode, number>> = {
  bad_request: EXIT.usage,
  spec: EXIT.usage,
  too_large: EXIT.usage,
  unauthenticated: EXIT.denied,
  forbidden: EXIT.denied,
  unavailable: EXIT.unreachable,
  unsatisfiable: EXIT.failed,
  not_found: EXIT.failed,
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

/** What helps against a refusal when the server itself gave no hint. */
export const HINT_OF_CODE: Partial<Readonly<Record<ErrorCode, string>>> = {
  unauthenticated: "Log in again with: orch login URL (or set ORCH_TOKEN)",
  forbidden: "Ask an admin of this cluster for the role or the project",
  changed_meanwhile: "Look at the new plan and apply again",
  too_many: "Wait a moment and try again",
};
