// What to type instead of a line of Slurm: `sbatch --gres=gpu:2 train.sh`, `squeue --me`, `scontrol show job 5`.

import type { Ms } from "../../core/units";
import { combined, type Words } from "./combine";
import { inTurn, sayAll, shown, type Instead } from "./line";
import { cancelInstead, SCANCEL, type Ends } from "./slurm-cancel";
import { sacctmgrInstead, scontrolInstead } from "./slurm-control";
import { SALLOC, SBATCH, SRUN, type JobOption } from "./slurm-job-options";
import { listInstead, SACCT, SINFO, SQUEUE, type ListName, type ListOption } from "./slurm-lists";
import { lastOfEach, readOptions, type SlurmLine } from "./slurm-option";
import { batchWords, runOfScript } from "./slurm-script";
import type { Becomes } from "./slurm-values";

/** Where a line of Slurm was typed. */
export interface TypedAt {
  /** The account of who typed it, or null if it is not known. */
  readonly user: string | null;
  readonly now_ms: Ms;
}

/** What a batch job runs. `piped`: it is standard input; `file`: it can be read here. */
export type Script = { readonly is: "piped" | "file"; readonly text: string } | { readonly is: "elsewhere" };

/** Returns the answer to a line of Slurm: what to type instead, or a line of orch that prints help or the version. */
export type SlurmAnswer =
  { readonly is: "instead"; readonly instead: Instead } | { readonly is: "own"; readonly line: readonly string[] };

const JOBS: Readonly<Record<string, readonly JobOption[]>> = { sbatch: SBATCH, srun: SRUN, salloc: SALLOC };
const LISTS: Readonly<Record<string, readonly [ListName, readonly ListOption[]]>> = {
  squeue: ["ps", SQUEUE],
  sacct: ["runs", SACCT],
  sinfo: ["nodes", SINFO],
};
/** Commands that take runs, or nothing: what to type, and what is different. */
const OTHERS: Readonly<Record<string, { readonly line: string | null; readonly why: string | null }>> = {
  sstat: { line: "show <RUN>", why: null },
  seff: { line: "show <RUN>", why: null },
  sattach: { line: "logs -f <RUN>", why: null },
  sprio: { line: "queue", why: null },
  sview: { line: "nodes", why: null },
  smap: { line: "nodes", why: null },
  sdiag: { line: null, why: "what waits is in orch queue, and why in orch explain" },
  sshare: { line: null, why: "shares and quotas are not built yet" },
  sreport: { line: null, why: "use is not summed up yet: orch runs --json has it run by run" },
  strigger: { line: null, why: "notices are not built yet: orch events -f goes on" },
  scrontab: { line: null, why: "schedules are not built yet" },
  sbcast: { line: null, why: "nodes read what they have mounted, or what a job fetches" },
};
const HELPED: Readonly<Record<string, string>> = {
  sbatch: "run",
  srun: "run",
  salloc: "run",
  squeue: "queue",
  sacct: "runs",
  sinfo: "nodes",
  scancel: "cancel",
  scontrol: "show",
  sacctmgr: "user add",
};

export const SLURM_COMMANDS: readonly string[] = [...new Set([...Object.keys(HELPED), ...Object.keys(OTHERS)])];

/** `-h` is something else for those that print lists without a head. */
const asksHelp = (command: string, argv: readonly string[]): boolean => {
  const own = command in JOBS ? ownWords(command, argv) : argv;
  return own.some((word) => /^--(help|usage)$/.test(word) || (word === "-h" && !/^(squeue|sinfo)$/.test(command)));
};
/** The words up to a job's program. A value is no operand. */
function ownWords(command: string, argv: readonly string[]): readonly string[] {
  const { operands } = readOptions(JOBS[command] ?? [], argv, true);
  return argv.slice(0, argv.length - operands.length);
}

/** Returns the answer to a line, or null if its first word is no command of Slurm. */
export function slurmAnswer(
  [command = "", ...argv]: readonly string[],
  script: Script,
  at: TypedAt,
): SlurmAnswer | null {
  if (!SLURM_COMMANDS.includes(command)) return null;
  if (asksHelp(command, argv)) return { is: "own", line: [...(HELPED[command] ?? "show").split(" "), "--help"] };
  if (argv.length === 1 && /^(-V|--version)$/.test(argv[0] ?? "")) return { is: "own", line: ["version"] };
  const said = { tool: "Slurm", typed: command };
  const instead = (made: Pick<Instead, "why" | "line">, typed = command): SlurmAnswer => ({
    is: "instead",
    instead: { ...said, typed, why: made.why, line: made.line },
  });
  const list = LISTS[command];
  if (list !== undefined) {
    const [name, options] = list;
    const line = readOptions(options, argv, false);
    return instead(andUnknown(listInstead(name, line, at.now_ms), line.unknown));
  }
  if (command in JOBS) return instead(jobInstead(command, argv, script));
  if (command === "scancel") {
    const line: SlurmLine<Ends> = readOptions(SCANCEL, argv, false);
    return instead(andUnknown(cancelInstead(line, at.user), line.unknown));
  }
  if (command === "scontrol" || command === "sacctmgr") {
    const { read, ...made } = command === "scontrol" ? scontrolInstead(argv) : sacctmgrInstead(argv);
    return instead(made, [command, ...argv.filter((word) => !word.startsWith("-")).slice(0, read)].join(" "));
  }
  return instead(otherInstead(command, argv));
}

const andUnknown = (
  made: Pick<Instead, "why" | "line">,
  unknown: readonly string[],
): Pick<Instead, "why" | "line"> => ({
  ...made,
  why: sayAll([...(made.why === null ? [] : [made.why]), ...unknown.map((typed) => `${typed} has no counterpart`)]),
});

function otherInstead(command: string, argv: readonly string[]): Pick<Instead, "why" | "line"> {
  const { line = null, why = null } = OTHERS[command] ?? {};
  if (line === null) return { why, line };
  // Their options but -j have values that choose columns.
  const runs = argv
    .filter((word, at) => /^\d/.test(word) && (at === 0 || /^(-j|--jobs)$|^[^-]/.test(argv[at - 1] ?? "")))
    .concat(argv.flatMap((word) => /^(?:-j|--jobs=)(\d.*)$/.exec(word)?.[1] ?? []))
    .flatMap((word) => word.split(","))
    .map((run) => run.replace(/^(\d+)\.\w+$/, "$1"));
  if (!line.includes("<RUN>")) return { why, line };
  return { why, line: runs.length === 0 ? line : inTurn(runs.map((run) => line.replace("<RUN>", () => shown([run])))) };
}

/** Returns the line of `orch run` for a job. */
function jobInstead(command: string, typed: readonly string[], script: Script): Pick<Instead, "why" | "line"> {
  const options = JOBS[command] ?? [];
  // What is typed counts more than what the script says.
  const ofLines = readOptions(options, "text" in script ? batchWords(script.text) : [], false);
  const line = readOptions(options, typed, true);
  const given = lastOfEach([...ofLines.given, ...line.given]);
  const unknown = [...ofLines.unknown, ...line.unknown];
  const made: Becomes[] = given.map(({ option, value }) => option.becomes(value));
  const waits = command === "sbatch" && given.some(({ option }) => option.typed.includes("--wait"));
  const why = made.flatMap((one) => one.why ?? []);
  const ofScript = command === "sbatch" && "text" in script ? runOfScript(script.text) : null;
  why.push(...unknown.map((one) => `${one} has no counterpart`), ...(ofScript?.why ?? []));
  if (made.some(({ never }) => never))
    return { why: sayAll(made.flatMap((one) => (one.never ? (one.why ?? []) : []))), line: null };
  const flags: Words[] = combined([...made.flatMap((one) => one.flags ?? []), ...(ofScript?.flags ?? [])]);
  const isText = flags.some(([flag]) => flag === "-c");
  const detached = command === "sbatch" && !waits ? ["-d"] : [];
  const head = ["run", ...detached, ...flags.map(shown)];
  const what = isText
    ? []
    : ["--", command === "sbatch" ? batch(line.operands, script, ofScript?.program) : programOf(line.operands)];
  return { why: sayAll(why), line: [...head, ...what].join(" ") };
}

const programOf = (operands: readonly string[]): string => (operands.length === 0 ? "<CMD>" : shown(operands));

/** The script is standard input, which is kept with the run: a file may be edited while it waits. */
function batch(
  [file, ...args]: readonly string[],
  script: Script,
  program: readonly string[] = ["bash", "-s"],
): string {
  if (script.is === "piped") return `${shown(program)} < SCRIPT`;
  if (file === undefined) return "bash <SCRIPT>";
  if (script.is === "elsewhere") return shown(["bash", file, ...args]);
  return `${shown([...program, ...args])} < ${shown([file])}`;
}
