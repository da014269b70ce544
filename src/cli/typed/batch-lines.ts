// The options that a batch script brings for sbatch: its #SBATCH lines, up to the first line that is a command.

import { resolve } from "node:path";
import { readText } from "../../os/files/private-files";
import type { Host } from "../host";

const WORD = /(?:"[^"]*"|'[^']*'|[^\s"'])+/g;
const QUOTED = /"([^"]*)"|'([^']*)'/g;

/** Returns the words of the #SBATCH lines of a script. */
export function batchWords(script: string): string[] {
  const words: string[] = [];
  for (const line of script.split("\n")) {
    if (line.trim() !== "" && !line.startsWith("#")) break;
    for (const word of /^#SBATCH\s+(.*)/.exec(line)?.[1]?.match(WORD) ?? []) {
      if (word.startsWith("#")) break;
      words.push(word.replaceAll(QUOTED, "$1$2"));
    }
  }
  return words;
}

/** Returns the line of sbatch with the options of its script in front, as sbatch reads them; as it is without one. */
export async function withBatchLines([first = "", ...argv]: readonly string[], host: Host): Promise<readonly string[]> {
  for (const word of argv) {
    const script = word.startsWith("-") ? null : await scriptAt(word, host);
    if (script !== null) return [first, ...batchWords(script), ...argv];
  }
  return [first, ...argv];
}

/** Returns the text of a script, which begins with `#!`, as sbatch asks; null if there is none of that name. */
export async function scriptAt(path: string, { cwd }: Host): Promise<string | null> {
  const read = await readText(resolve(cwd, path));
  return read.is === "there" && read.text.startsWith("#!") ? read.text : null;
}
