// The last words of a cluster's programs, for the message of a test or a campaign that failed.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const TAIL = 2_000;

/** Returns the ends of all logs in a cluster's directory. */
export function logsOf(dir: string): string {
  const logs = readdirSync(dir).filter((name) => name.endsWith(".log"));
  return logs.map((name) => `--- ${name}\n${readFileSync(join(dir, name), "utf8").slice(-TAIL)}`).join("\n");
}
