// Amounts that Slurm counts a task, a core or a card, as amounts of a whole node of a run.

/** Words of a flag as its entry translates it. What `PER` names are no flags of orch, and are combined here. */
export type Words = readonly string[];

/** `--cpu` for each task, `--nodes` that share tasks, `--memory` for each core or card, and a model of all cards. */
export const PER = {
  tasks: "tasks",
  tasksOfNode: "tasks of a node",
  memoryOfCore: "memory of a core",
  memoryOfCard: "memory of a card",
  model: "model of the cards",
} as const;

/** Returns whether a word is one of `PER`, behind which an amount stands. */
export const isCounted = (word: string): boolean => Object.values<string>(PER).includes(word);

const valueOf = (all: readonly Words[], flag: string): string | null =>
  all.findLast(([name]) => name === flag)?.[1] ?? null;
const countOf = (text: string | null): number => Number(/(\d+)$/.exec(text ?? "")?.[1] ?? 1);
const times = (size: string, by: number): string =>
  size.replace(/^\d+(\.\d+)?/, (amount) => String(Number(amount) * by));

/** Returns the flags of a line, each with its words, in the order in which they were given. */
export function combined(all: readonly Words[]): Words[] {
  const nodes = countOf(valueOf(all, "--nodes"));
  const ofNode = valueOf(all, PER.tasksOfNode);
  const tasks = ofNode === null ? Math.ceil(countOf(valueOf(all, PER.tasks)) / nodes) : countOf(ofNode);
  const cores = valueOf(all, "--cpu");
  const cpu = tasks * Number(cores ?? 1);
  const gpu = valueOf(all, "--gpu");
  const out = all.filter(([name = ""]) => !isCounted(name) && name !== (tasks > 1 ? "--cpu" : ""));
  if (tasks > 1) out.push(["--cpu", String(cpu)]);
  const model = valueOf(all, PER.model);
  const core = valueOf(all, PER.memoryOfCore);
  const card = valueOf(all, PER.memoryOfCard);
  if (core !== null) out.push(["--memory", times(core, Number.isFinite(cpu) ? cpu : 1)]);
  if (card !== null)
    out.push(["--memory", times(card, isBareCount(gpu) || gpu?.includes(":") === true ? countOf(gpu) : 1)]);
  const whole = out.map((words) =>
    model !== null && words[0] === "--gpu" && isBareCount(words[1] ?? null) ? ["--gpu", `${model}:${words[1]}`] : words,
  );
  if (model !== null && gpu === null) whole.push(["--gpu", model]);
  const isDefault = (words: Words): boolean => words[0] === "--nodes" && words[1] === "1";
  return whole.filter(
    (words, at) => !isDefault(words) && whole.findIndex((one) => one.join("\n") === words.join("\n")) === at,
  );
}

const isBareCount = (text: string | null): boolean => text !== null && /^\d+$/.test(text);
