// Files that the command line names, `-` for standard input, with errors that name them.

import { resolve } from "node:path";
import { readText } from "../../os/files/private-files";
import { UsageError } from "../failure";
import type { Host } from "../host";

export interface Named {
  /** As errors name it. */
  readonly file: string;
  readonly text: string;
}

/** Reads a file, or standard input for `-`. What is not UTF-8 is refused. */
export async function readNamed(host: Host, path: string): Promise<Named> {
  if (path === "-") return { file: "stdin", text: await host.input.all() };
  const read = await readText(resolve(host.cwd, path));
  if (read.is !== "there") throw new UsageError(`cannot read ${path}: ${read.why}`);
  return { file: path, text: read.text };
}

/** At least one file must be named. */
export function requireFiles(paths: readonly string[]): readonly string[] {
  if (paths.length === 0) throw new UsageError("which file?", "Name it: -f FILE (- is standard input)");
  return paths;
}

/** Exactly one file must be named. */
export function requireFile(path: string | null): string {
  if (path === null) throw new UsageError("which file?", "Name it: -f FILE (- is standard input)");
  return path;
}
