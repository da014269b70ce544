// What is wrong with a file, one line an error, on standard error.

import { formatIssue, type Issue } from "../../spec/issue";
import { clean } from "./clean";

/** `app.yaml:3:9: services.api.replica: unknown key (did you mean replicas?)`, all of them. */
export function printIssues({ note }: { note(line: string): void }, file: string, issues: readonly Issue[]): void {
  for (const issue of issues) note(clean(formatIssue(file, issue)));
}
