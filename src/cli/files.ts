// Files that the command line names, `-` for standard input, with errors that name them.

import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { UsageError } from "./failure";
import type { Host } from "./host";

export interface Named {
  /** As errors name it. */
  readonly file: string;
  readonly text: string;
}

/** Reads a file, or standard input for `-`. What is not UTF-8 is refused. */
export async function readNamed(host: Host, path: string): Promise<Named> {
  if (path === "-") return { file: "stdin", text: await host.input.all() };
  let bytes: Uint8Array;
  try {
    bytes = await readFile(resolve(host.cwd, path));
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const why = { ENOENT: "no such file", EACCES: "not yours to read", EISDIR: "a directory" }[code ?? ""] ?? message;
    throw new UsageError(`cannot read ${path}: ${why}`);
  }
  try {
    return { file: path, text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    throw new UsageError(`${path}: not UTF-8 text`, (error as Error).message);
  }
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
