// A spec is checked here before it is sent: every error at once, without a server.

import type { AppDecl } from "../../core/model/workload";
import { parseApp } from "../../spec/parse";
import type { Context } from "../context";
import { UsageError } from "../failure";
import { printIssues } from "../print/issues";

/** Gives what the file declares, or prints all that is wrong and throws a UsageError. */
export function checkSpec(context: Context, file: string, text: string): AppDecl {
  const parsed = parseApp(text, file);
  if (parsed.is === "parsed") return parsed.app;
  printIssues(context, file, parsed.issues);
  const count = parsed.issues.length;
  throw new UsageError(`${file}: ${count} ${count === 1 ? "error" : "errors"}; nothing was sent`);
}
