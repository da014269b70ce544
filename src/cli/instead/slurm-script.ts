// A batch script of Slurm: the options in its #SBATCH lines, up to the first line that is a command, and how orch runs
// it.

import type { Words } from "./combine";

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

export interface ScriptRun {
  /** The program that reads the script from its standard input, up to the script's own arguments. */
  readonly program: readonly string[];
  readonly flags: readonly Words[];
  /** What of Slurm's the script counts on. */
  readonly why: readonly string[];
}

/** Returns how a script runs whose text is its standard input. */
export function runOfScript(script: string): ScriptRun {
  const [first = "", ...rest] = script.split("\n");
  const shebang = /^#!\s*(.*)/.exec(first)?.[1]?.trim().split(/\s+/) ?? [];
  const [path = "bash", ...typed] =
    shebang[0]?.endsWith("/env") === true ? shebang.slice(1).filter(isNoSplit) : shebang;
  const program = path === "" ? "bash" : path.replace(/^(\/usr)?\/bin\//, "");
  const isShell = /(^|\/)(ba|z|k|da|c|tc)?sh$/.test(program);
  const isLogin = (word: string): boolean => isShell && /^(-l|--login)$/.test(word);
  const args = typed.filter((word) => !isLogin(word));
  const body = rest.filter((line) => !line.trimStart().startsWith("#")).join("\n");
  const loads = /^\s*(module|ml)\s/m.test(body);
  const why: string[] = [];
  if (/^\s*srun\b/m.test(body)) why.push("srun goes from the script: a run starts its programs itself");
  const slurms = [...new Set(body.match(/\bSLURM_\w+/g))];
  if (slurms.length > 0) {
    const own = Object.entries(OWN).filter(([name]) => name === "SLURM_JOB_ID" || slurms.includes(name));
    const said = own.map(([name, ours]) => `$${name} is $${ours} there`).join(", ");
    why.push(`${said}, and other variables of Slurm are not set`);
  }
  const reader = isShell ? READERS.exec(body)?.[1] : undefined;
  if (reader !== undefined) why.push(`${reader} in it takes < /dev/null, since standard input is the script`);
  return {
    program: [program, ...args, isShell ? "-s" : "-"],
    flags: loads || typed.some(isLogin) ? [["--login"]] : [],
    why,
  };
}

/** What orch calls a variable of Slurm. */
const OWN: Readonly<Record<string, string>> = {
  SLURM_JOB_ID: "ORCH_RUN",
  SLURM_ARRAY_JOB_ID: "ORCH_RUN",
  SLURM_ARRAY_TASK_ID: "ORCH_SLOT",
};

/** Programs that read standard input to its end, and so the rest of a script that a shell reads from there. */
const READERS = /^\s*(ssh|mpirun|mpiexec|ffmpeg|parallel)\s(?!.*<)/m;

const isNoSplit = (word: string): boolean => word !== "-S" && word !== "--split-string";
