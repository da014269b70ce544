// Checks a spec before it is sent, without a server, and reports all errors at once.

import type { AppDecl } from "../../core/model/workload";
import { formatIssue, type Issue } from "../../spec/issue";
import { parseApp } from "../../spec/parse";
import type { Context } from "../context";
import { UsageError } from "../failure";
import { clean } from "../print/clean";

/** Returns the app that the file declares. Prints all errors and throws a UsageError if there are any. */
export function checkSpec(context: Context, file: string, text: string): AppDecl {
  const parsed = parseApp(text, file);
  if (parsed.is === "parsed") return parsed.app;
  printIssues(context, file, parsed.issues);
  const count = parsed.issues.length;
  throw new UsageError(`${file}: ${count} ${count === 1 ? "error" : "errors"}; nothing was sent`);
}

/** Prints each issue on a line: `app.yaml:3:9: services.api.replica: unknown key (did you mean replicas?)`. */
export function printIssues({ note }: { note(line: string): void }, file: string, issues: readonly Issue[]): void {
  for (const issue of issues) note(clean(formatIssue(file, issue)));
}
