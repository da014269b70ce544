// Amounts that Slurm counts a task, a core, a card or a whole job, as amounts of a node of a run; and one of each flag.

/** Words of a flag as its entry translates it. What `PER` names are no flags of orch, and are combined here. */
export type Words = readonly string[];

/** Amounts of which another amount of the line makes the amount of a node. */
export const PER = {
  tasks: "tasks",
  tasksOfNode: "tasks of a node",
  coresOfCard: "cores of a card",
  memoryOfCore: "memory of a core",
  memoryOfCard: "memory of a card",
  cardsOfTask: "cards of a task",
  cardsOfAll: "cards of all nodes",
  model: "model of the cards",
} as const;

/** The flags of `orch run` that may be given several times. Of all others the last one counts. */
export const MANY: ReadonlySet<string> = new Set(
  "-e --env --env-file --host --where --tolerate --after --after-any --after-failed --label --limit".split(" "),
);

/** Returns whether a word is one of `PER`, behind which an amount stands. */
export const isCounted = (word: string): boolean => Object.values<string>(PER).includes(word);

const valueOf = (all: readonly Words[], flag: string): string | null =>
  all.findLast(([name]) => name === flag)?.[1] ?? null;
const countOf = (text: string | null): number => Number(/(\d+)$/.exec(text ?? "")?.[1] ?? 1);
const times = (size: string, by: number): string =>
  size.replace(/^\d+(\.\d+)?/, (amount) => String(Number(amount) * by));
const isBareCount = (text: string | null): boolean => text !== null && /^\d+$/.test(text);

/** Returns how many cards `2`, `a100:2` or `a100` are. */
const cardsIn = (spec: string | null): number =>
  spec === null || (!isBareCount(spec) && !/:\d+$/.test(spec)) ? 1 : countOf(spec);
const withCards = (spec: string, count: number): string => {
  const model = spec.replace(/:?\d+$/, (end) => (isBareCount(spec) || end.startsWith(":") ? "" : end));
  return model === "" ? String(count) : count === 1 && model === spec ? spec : `${model}:${count}`;
};

/** Returns the cards of a node: as asked for a node, else for a task or for all nodes. */
function cardsOfNode(all: readonly Words[], tasks: number, nodes: number): string | null {
  const [ofTask, ofAll, ofNode] = [PER.cardsOfTask, PER.cardsOfAll, "--gpu"].map((flag) => valueOf(all, flag));
  const asked =
    ofNode ??
    (ofTask != null
      ? withCards(ofTask, cardsIn(ofTask) * tasks)
      : ofAll != null
        ? withCards(ofAll, Math.ceil(cardsIn(ofAll) / nodes))
        : null);
  const model = valueOf(all, PER.model);
  if (model === null) return asked;
  return asked === null ? model : isBareCount(asked) ? `${model}:${asked}` : asked;
}

/** Returns the flags of a line in the order in which they were given, each with its words and only once. */
export function combined(all: readonly Words[]): Words[] {
  const nodes = countOf(valueOf(all, "--nodes"));
  const ofNode = valueOf(all, PER.tasksOfNode);
  const tasks = ofNode === null ? Math.ceil(countOf(valueOf(all, PER.tasks)) / nodes) : countOf(ofNode);
  const gpu = cardsOfNode(all, tasks, nodes);
  const coresOfCard = valueOf(all, PER.coresOfCard);
  const cpu = coresOfCard === null ? tasks * Number(valueOf(all, "--cpu") ?? 1) : countOf(coresOfCard) * cardsIn(gpu);
  const made: Words[] = [];
  if (gpu !== null && valueOf(all, "--gpu") === null) made.push(["--gpu", gpu]);
  if (tasks > 1 || coresOfCard !== null) made.push(["--cpu", String(cpu)]);
  const ofCore = valueOf(all, PER.memoryOfCore);
  const ofCard = valueOf(all, PER.memoryOfCard);
  if (ofCore !== null) made.push(["--memory", times(ofCore, Number.isFinite(cpu) ? cpu : 1)]);
  if (ofCard !== null) made.push(["--memory", times(ofCard, cardsIn(gpu))]);
  const isMade = (name: string): boolean => made.some(([flag]) => flag === name);
  const given = all
    .filter(([name = ""]) => !isCounted(name) && !isMade(name))
    .map((words) => (words[0] === "--gpu" && gpu !== null ? ["--gpu", gpu] : words));
  const isDefault = (words: Words): boolean => words[0] === "--nodes" && words[1] === "1";
  return lastOfEach([...given, ...made].filter((words) => !isDefault(words)));
}

/** Leaves out flags that a later one replaces, and what is said twice. */
function lastOfEach(all: readonly Words[]): Words[] {
  const named = ([name = ""]: Words): string => name.split("=")[0] ?? name;
  return all.filter((words, at) => {
    const again = (one: Words): boolean =>
      MANY.has(named(words)) ? one.join("\n") === words.join("\n") : named(one) === named(words);
    return MANY.has(named(words)) ? all.findIndex(again) === at : all.findLastIndex(again) === at;
  });
}
