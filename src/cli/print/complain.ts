// Prints an error on standard error: one line that says what went wrong and what to do. Returns the exit code.

import { traceOf } from "../../os/errors";
import { CliError, EXIT, EXIT_OF_CODE, HINT_OF_CODE } from "../failure";
import type { Sink } from "../host";
import { ApiError, UnreachableError } from "../../wire/client";
import { formatIssue, type Issue } from "../../spec/issue";
import { clean, cleanLines } from "./clean";
import { sentence } from "./wrap";

/** Prints the error and returns the exit code. An unexpected error is a bug and is printed with its stack. */
export function complain(error: unknown, err: Sink): number {
  const said = describe(error);
  if (said === null) {
    err.write(`orch: a bug: ${cleanLines(traceOf(error))}\n`);
    return EXIT.failed;
  }
  err.write(sayText(said, "", err.columns));
  return said.exit;
}

export interface Said {
  readonly exit: number;
  readonly message: string;
  readonly hint: string | null;
  readonly issues: readonly Issue[];
}

/** Returns message, hint and exit code of a foreseen error, or null for a bug. */
export function describe(error: unknown): Said | null {
  if (error instanceof CliError) return { exit: error.exit, message: error.message, hint: error.hint, issues: [] };
  if (error instanceof UnreachableError) {
    return { exit: EXIT.unreachable, message: error.message, hint: error.hint, issues: [] };
  }
  if (error instanceof ApiError) {
    const { code, message, issues } = error;
    return { exit: EXIT_OF_CODE[code], message, hint: error.hint ?? HINT_OF_CODE[code] ?? null, issues };
  }
  return foreseen(error);
}

/**
 * Returns the words of an error that a server or an agent could not start for. Such errors carry message and hint like
 * a CliError, and are made where the command line is not known.
 */
function foreseen(error: unknown): Said | null {
  if (!(error instanceof Error) || !("exit" in error) || typeof error.exit !== "number") return null;
  const hint = "hint" in error && typeof error.hint === "string" ? error.hint : null;
  return { exit: error.exit, message: error.message, hint, issues: [] };
}

/**
 * The most issues that are printed for an error of the server. A spec's issues are all printed where the spec is
 * checked.
 */
const ISSUES_SHOWN = 20;

/** Prints issues one per line as compilers do, then the message and the hint on one line. */
export function sayText({ message, hint, issues }: Omit<Said, "exit">, file = "", width: number | null = null): string {
  // An issue that has no place and repeats the message is left out.
  const others = issues.filter((issue) => issue.line > 0 || `${issue.path}: ${issue.message}` !== message);
  const places = others.slice(0, ISSUES_SHOWN).map((issue) => clean(formatIssue(file, issue)));
  if (others.length > ISSUES_SHOWN) places.push(`… and ${others.length - ISSUES_SHOWN} more`);
  const hints = (hint ?? "").split("\n");
  // A hint of several lines is a list, which stands below the message.
  const said =
    hints.length > 1
      ? [`orch: ${clean(message)}`, ...hints.map((line) => `  ${clean(line)}`)]
      : [`orch: ${clean(withHint(message, hint))}`];
  const lines = [...places, ...said].flatMap((line) => sentence(line, width));
  return lines.map((line) => `${line}\n`).join("");
}

/** Appends a hint: as a sentence if it is one, else in brackets. */
function withHint(message: string, hint: string | null): string {
  if (hint === null || hint === "") return message;
  if (!/^\p{Lu}/u.test(hint)) return `${message} (${hint})`;
  return `${/[.?!:]$/.test(message) ? message : `${message}.`} ${hint}`;
}
