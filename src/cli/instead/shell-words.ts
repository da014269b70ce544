// Words of commands that change only the shell that runs them. `orch run` refuses them too.

const ACTIVATE =
  "Activate it here, and a run takes it along; or name its directory: orch run --activate conda=DIR -- CMD";

export const SHELL_WORDS: Readonly<Record<string, string>> = {
  module: "run --login -c 'module <WORDS> && CMD' / run --login -c 'module WORDS && CMD'",
  "module load": "run --login -c 'module load <MODULE> && CMD' / run --login -c 'module load MODULE && CMD'",
  "module add": "run --login -c 'module add <MODULE> && CMD' / run --login -c 'module add MODULE && CMD'",
  "module use": "run --login -c 'module use <DIR> && CMD' / run --login -c 'module use DIR && CMD'",
  "ml load": "run --login -c 'ml load <MODULE> && CMD' / run --login -c 'ml load MODULE && CMD'",
  "conda activate": ACTIVATE,
  "mamba activate": ACTIVATE,
  "micromamba activate": ACTIVATE,
  source: "Activate it here, and a run takes it along; or: orch run --activate venv=DIR -- CMD, -c '. FILE && CMD'",
};

/** Returns whether a command that begins so may be one of these. */
export const isShellWord = (word: string): boolean =>
  Object.keys(SHELL_WORDS).some((typed) => typed === word || typed.startsWith(`${word} `));
