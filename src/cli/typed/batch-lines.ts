// The script of a line of sbatch: a file that can be read here, or standard input.

import { resolve } from "node:path";
import { readText } from "../../os/files/private-files";
import type { Host } from "../host";
import { SBATCH } from "../instead/slurm-job-options";
import { readOptions } from "../instead/slurm-option";
import { slurmAnswer, type Script, type SlurmAnswer } from "../instead/slurm";
import { typedAt } from "./typed-at";

/** The most of standard input that is read for its #SBATCH lines. */
const MOST_BYTES = 1024 * 1024;

/** Returns the answer to a line of Slurm, with the options of the script of sbatch; null if the line is not Slurm's. */
export async function answerSlurm(argv: readonly string[], host: Host): Promise<SlurmAnswer | null> {
  const script: Script = argv[0] === "sbatch" ? await scriptOf(argv.slice(1), host) : { is: "elsewhere" };
  return slurmAnswer(argv, script, typedAt(host));
}

async function scriptOf(argv: readonly string[], host: Host): Promise<Script> {
  const { given, operands } = readOptions(SBATCH, argv, true);
  const [file] = operands;
  if (file !== undefined) {
    const read = await readText(resolve(host.cwd, file));
    // What begins otherwise is no batch script, and its lines are no options.
    return read.is === "there"
      ? { is: "file", text: read.text.startsWith("#!") ? read.text : "" }
      : { is: "elsewhere" };
  }
  const isAsked =
    given.some(({ typed }) => typed === "--wrap") || argv.some((word) => /^(-h|--help|-V|--version)$/.test(word));
  if (host.input.tty || isAsked) return { is: "elsewhere" };
  const piped = await host.input.piped(MOST_BYTES);
  return piped.is === "bytes" ? { is: "piped", text: new TextDecoder().decode(piped.bytes) } : { is: "elsewhere" };
}

/** Returns the text of a script, which begins with `#!`, as sbatch asks; null if there is none of that name. */
export async function scriptAt(path: string, { cwd }: Host): Promise<string | null> {
  const read = await readText(resolve(cwd, path));
  return read.is === "there" && read.text.startsWith("#!") ? read.text : null;
}
