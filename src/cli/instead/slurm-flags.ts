// Options of Slurm behind commands of orch: `orch queue -u alice`, `orch runs -S 2026-11-01`, `orch cancel -t PD`.

import { shown, type Instead } from "./line";
import { cancelInstead, SCANCEL, type CancelOption } from "./slurm-cancel";
import { OF_RUN } from "./slurm-job-options";
import { listInstead, OF_LIST, type Choice, type ListName, type ListOption } from "./slurm-lists";
import { readOptions, type SlurmOption } from "./slurm-option";
import { slurmAnswer, type TypedAt } from "./slurm";
import type { Own } from "./misread";
import { NO_LINE, type OtherFlag } from "./other-flags";

/** The options of sbatch, srun and salloc as flags that `orch run` is given. */
const OF_JOBS: readonly OtherFlag[] = OF_RUN.map(({ typed, value, becomes }) => ({
  tool: "Slurm",
  typed,
  takesValue: value === "needed",
  on: ["run"],
  instead: (given) => {
    const { flags = [], never = false } = becomes(given);
    return never ? NO_LINE : flags.flat();
  },
  why: (given) => becomes(given).why ?? null,
}));
/** What names runs for commands that take them as operands. */
const naming = (on: readonly string[], most: number): OtherFlag => ({
  tool: "Slurm",
  typed: ["-j", "--jobs", "--job", "--jobid"],
  takesValue: true,
  on,
  instead: (given) => given.split(",").slice(0, most),
  why: (given) => (given.split(",").length > most ? "one run at a time" : null),
});
export const SLURM_FLAGS: readonly OtherFlag[] = [
  ...OF_JOBS,
  naming(["show", "explain", "logs"], 1),
  naming(["retry", "settle"], Number.POSITIVE_INFINITY),
];

const isList = (name: string): name is ListName => Object.hasOwn(OF_LIST, name);

/** Returns what to type instead of `orch NAME …` if all its flags are the command's own or Slurm's, or null. */
export function slurmFlagInstead(name: string, argv: readonly string[], own: Own, at: TypedAt): Instead | null {
  if (isList(name)) {
    const options = [...ownOptions(argv, own, chosenBy), ...OF_LIST[name]];
    return answerOf(options, argv, own, (line) => listInstead(name, line, at.now_ms));
  }
  if (name === "cancel") {
    const options = [...ownOptions(argv, own, endsBy), ...SCANCEL];
    return answerOf(options, argv, own, (line) => cancelInstead(line, at.user));
  }
  if (name !== "submit") return null;
  const answer = slurmAnswer(["sbatch", ...argv], { is: "elsewhere" }, at);
  const first = argv.find((word) => word.startsWith("-") && own(word) === null) ?? "";
  return answer?.is === "instead" ? { ...answer.instead, typed: first.split("=")[0] ?? first } : null;
}

/** Returns what to type instead of a list of orch that is given operands which it does not take: `orch runs 5`. */
export function operandInstead(name: string, argv: readonly string[], own: Own, at: TypedAt): string | null {
  if (!isList(name)) return null;
  const line = readOptions([...ownOptions(argv, own, chosenBy), ...OF_LIST[name]], argv, false);
  return line.unknown.length > 0 || line.operands.length === 0 ? null : listInstead(name, line, at.now_ms).line;
}

function answerOf<B>(
  options: readonly SlurmOption<B>[],
  argv: readonly string[],
  own: Own,
  instead: (line: ReturnType<typeof readOptions<B>>) => Pick<Instead, "why" | "line">,
): Instead | null {
  const line = readOptions(options, argv, false);
  const first = line.given.find(({ typed }) => own(typed) === null);
  if (line.unknown.length > 0 || first === undefined) return null;
  return { tool: "Slurm", typed: first.typed, ...instead(line) };
}

/** Declares the flags of a line that are the command's own. */
function ownOptions<B>(
  argv: readonly string[],
  own: Own,
  becomes: (typed: string, value: string | null) => B,
): SlurmOption<B>[] {
  const typed = new Set(argv.flatMap((word) => [word.split("=")[0] ?? word, word.slice(0, 2)]));
  return [...typed].flatMap((flag) => {
    const kind = flag.startsWith("-") ? own(flag) : null;
    const isValued = kind === "valued";
    if (kind === null) return [];
    return [
      {
        typed: [flag],
        value: isValued ? "needed" : "none",
        becomes: (value) => becomes(flag, isValued ? value : null),
      },
    ];
  });
}

/** What a flag of orch's own lists chooses. */
const chosenBy =
  (typed: string, value: string | null): ReturnType<ListOption["becomes"]> =>
  (): Choice => {
    if (typed === "--mine") return { isMine: true };
    if (value === null) return { flags: [[typed]] };
    if (typed === "--user") return { users: [value] };
    if (typed === "--state") return { states: [value] };
    if (typed === "--since") return { since: value };
    if (typed === "--node") return { nodes: [value] };
    return { flags: [[typed, value]] };
  };

const endsBy = (typed: string, value: string | null): ReturnType<CancelOption["becomes"]> =>
  typed === "--mine"
    ? { isMine: true }
    : { why: `${shown(value === null ? [typed] : [typed, value])} is added to each line` };
