// Reads files that the command line names, with `-` for standard input. Errors contain the file's name.

import { resolve } from "node:path";
import { readText } from "../../os/files/private-files";
import { readAs } from "../frame/command";
import type { Context } from "../context";
import { readEnv, readEnvFile } from "./environment";
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

/** Returns the one path that `-f` or an operand names. Throws UsageError if there is none, or if they name two. */
export function requireFile(flag: string | null, operand: string | undefined): string {
  if (flag !== null && operand !== undefined)
    throw new UsageError(`one file at a time: ${flag} and ${operand} are two`, "One file is one app");
  const path = flag ?? operand;
  if (path === undefined) throw new UsageError("which file?", "Name it: -f FILE (- is standard input)");
  return path;
}

/** Returns the environment: the files in their order, then single variables, which override the files. */
export async function environmentOf(
  context: Context,
  flags: { readonly env: readonly string[]; readonly envFile: readonly string[] },
): Promise<Record<string, string>> {
  const { host } = context;
  let env: Record<string, string> = {};
  for (const path of flags.envFile) {
    const { file, text: lines } = await readNamed(host, path);
    env = { ...env, ...readAs(file, lines, (raw) => readEnvFile(raw, host.env)) };
  }
  const single = flags.env.map((one) => readAs("--env", one, (raw) => readEnv(raw, host.env)));
  return { ...env, ...Object.fromEntries(single) };
}
