// What is wrong with a file, one line an error, on standard error.

import { formatIssue, type Issue } from "../../spec/issue";
import type { Context } from "../context";
import { clean } from "./clean";

/** `app.yaml:3:9: services.api.replica: unknown key (did you mean replicas?)`, all of them. */
export function printIssues(context: Context, file: string, issues: readonly Issue[]): void {
  for (const issue of issues) context.note(clean(formatIssue(file, issue)));
}
