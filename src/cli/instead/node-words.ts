// `node update --availability drain n1` of docker and `node eligibility -disable n1` of Nomad: the line of orch that
// does the same to a node. Which command that is depends on their options.

const STATES: Readonly<Record<string, (nodes: readonly string[]) => readonly string[]>> = {
  drain: (nodes) => ["node", "drain", ...nodes],
  active: (nodes) => ["node", "resume", ...nodes],
  pause: (nodes) => ["node", "taint", ...nodes, CORDONED],
};
const CORDONED = "cordoned:no_schedule";

/** What is typed instead, in words for a shell, for each command one; none if `why` says why there is none. */
export interface NodeChange {
  readonly tool: string;
  readonly typed: string;
  readonly why: string | null;
  readonly lines: readonly (readonly string[])[];
}

/** Returns what to type instead of a line that changes a node, or null if it is none. */
export function changedNode(argv: readonly string[]): NodeChange | null {
  const [first, verb] = argv;
  if (first !== "node" || (verb !== "update" && verb !== "eligibility")) return null;
  const { given, names } = optionsOf(argv.slice(2));
  const nodes = names.length === 0 ? ["<NODE>"] : names;
  if (verb === "eligibility") {
    const isOff = given.some(([flag]) => /^--?disable$/.test(flag));
    const line = ["node", "taint", ...nodes, isOff ? CORDONED : "cordoned-"];
    return { tool: "nomad", typed: "node eligibility", why: null, lines: [line] };
  }
  const state = given.find(([flag]) => flag === "--availability")?.[1] ?? "";
  const labels = given.flatMap(([flag, value]) =>
    flag === "--label-add" ? [value] : flag === "--label-rm" ? [`${value}-`] : [],
  );
  const lines = [
    ...(labels.length === 0 ? [] : [["node", "label", ...nodes, ...labels]]),
    ...[STATES[state]?.(nodes)].filter((line) => line !== undefined),
  ];
  const none = given.some(([flag]) => flag === "--role")
    ? "there is one server, and every other machine is a node"
    : "orch node drain, resume, label and taint change a node";
  return { tool: "docker", typed: "node update", why: lines.length === 0 ? none : null, lines };
}

/** Splits `--availability drain --label-rm=a n1` into options with their values, and names. */
function optionsOf(argv: readonly string[]): { given: (readonly [string, string])[]; names: string[] } {
  const given: (readonly [string, string])[] = [];
  const names: string[] = [];
  for (let at = 0; at < argv.length; at++) {
    const word = argv[at] ?? "";
    const [flag = "", value] = word.split(/=(.*)/s);
    const isBare = /^--?(enable|disable)$/.test(word);
    if (!word.startsWith("-")) names.push(word);
    else given.push([flag, value ?? (isBare ? "" : (argv[++at] ?? ""))]);
  }
  return { given, names };
}
