// Reads files that the command line names, with `-` for standard input. Errors contain the file's name.

import { resolve } from "node:path";
import { readText } from "../../os/files/private-files";
import { UsageError } from "../failure";
import type { Host } from "../host";

export interface Named {
  /** The file's name in errors. */
  readonly file: string;
  readonly text: string;
}

/** Reads a file, or standard input for `-`. Throws UsageError if the file cannot be read or is not UTF-8. */
export async function readNamed(host: Host, path: string): Promise<Named> {
  if (path === "-") return { file: "stdin", text: await host.input.all() };
  const read = await readText(resolve(host.cwd, path));
  if (read.is !== "there") throw new UsageError(`cannot read ${path}: ${read.why}`);
  return { file: path, text: read.text };
}

/** Returns the paths. Throws UsageError if there is none. */
export function requireFiles(paths: readonly string[]): readonly string[] {
  if (paths.length === 0) throw new UsageError("which file?", "Name it: -f FILE (- is standard input)");
  return paths;
}

/** Returns the path. Throws UsageError if there is none. */
export function requireFile(path: string | null): string {
  if (path === null) throw new UsageError("which file?", "Name it: -f FILE (- is standard input)");
  return path;
}
