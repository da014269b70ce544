// What went wrong, on standard error: one line that says what and what to do, and the exit code that goes with it.

import { CliError, EXIT, EXIT_OF_CODE, HINT_OF_CODE } from "../failure";
import type { Sink } from "../host";
import { ApiError, UnreachableError } from "../../wire/client";
import { formatIssue, type Issue } from "../../spec/issue";
import { clean } from "./clean";

/** Prints the error and gives the exit code. An unexpected one keeps its stack: it is a bug to be reported. */
export function complain(error: unknown, err: Sink): number {
  const said = describe(error);
  if (said === null) {
    err.write(`orch: a bug: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    return EXIT.failed;
  }
  err.write(sayText(said));
  return said.exit;
}

export interface Said {
  readonly exit: number;
  readonly message: string;
  readonly hint: string | null;
  readonly issues: readonly Issue[];
}

/** Message, hint and exit code of an error that was foreseen; null for a bug. */
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

/** What a server or an agent could not start for: like a CliError, but made where the command line is not known. */
function foreseen(error: unknown): Said | null {
  if (!(error instanceof Error) || !("exit" in error) || typeof error.exit !== "number") return null;
  const hint = "hint" in error && typeof error.hint === "string" ? error.hint : null;
  return { exit: error.exit, message: error.message, hint, issues: [] };
}

/** A spec's errors are all shown where it is checked; what the server adds, such as a reason a node, is cut. */
const ISSUES_SHOWN = 20;

/** Issues one a line as compilers print them, then the message and the hint on one. */
export function sayText({ message, hint, issues }: Omit<Said, "exit">, file = ""): string {
  // What has no place and is the message itself is not said twice.
  const others = issues.filter((issue) => issue.line > 0 || `${issue.path}: ${issue.message}` !== message);
  const places = others.slice(0, ISSUES_SHOWN).map((issue) => clean(formatIssue(file, issue)));
  if (others.length > ISSUES_SHOWN) places.push(`… and ${others.length - ISSUES_SHOWN} more`);
  return [...places, `orch: ${clean(withHint(message, hint))}`].map((line) => `${line}\n`).join("");
}

/** A hint that is a sentence follows as one; another stands in brackets. */
function withHint(message: string, hint: string | null): string {
  if (hint === null || hint === "") return message;
  if (!/^\p{Lu}/u.test(hint)) return `${message} (${hint})`;
  return `${/[.?!:]$/.test(message) ? message : `${message}.`} ${hint}`;
}
