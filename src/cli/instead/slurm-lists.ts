// squeue, sacct and sinfo: what their options choose, and the lists of orch that choose the same. `orch ps`, `queue`,
// `runs` and `nodes` are given these options too.

import type { Ms } from "../../core/units";
import type { Words } from "./combine";
import { hostsIn } from "./host-list";
import { inTurn, sayAll, shown, type Instead } from "./line";
import { agoOf } from "./slurm-since";
import type { GivenOption, SlurmLine, SlurmOption } from "./slurm-option";

/** What one option chooses. */
export interface Choice {
  /** Runs by number or name. */
  readonly runs?: readonly string[];
  readonly users?: readonly string[];
  readonly isMine?: boolean;
  readonly states?: readonly string[];
  readonly nodes?: readonly string[];
  readonly since?: string;
  readonly flags?: readonly Words[];
  readonly why?: string;
}
export type ListOption = SlurmOption<(now_ms: Ms) => Choice>;
export type ListName = "ps" | "queue" | "runs" | "nodes";

const one =
  (value: ListOption["value"]) =>
  (typed: string, choice: (value: string, now_ms: Ms) => Choice): ListOption => ({
    typed: typed.split(" "),
    value,
    becomes: (given) => (now_ms) => choice(given, now_ms),
  });
const bare = one("none");
const valued = one("needed");
const glued = one("glued");
const each = (
  make: typeof bare,
  typed: readonly string[],
  choice: (value: string, now_ms: Ms) => Choice,
): ListOption[] => typed.map((spellings) => make(spellings, choice));

const words = (typed: string): string[] => typed.split(",").filter((word) => word !== "");
/** `12.batch` is a step of run 12. */
const runs = (typed: string): Choice => ({ runs: words(typed).map((run) => run.replace(/\.\w+$/, "")) });
const silent = (): Choice => ({});
const left = (why: string) => (): Choice => ({ why });
/** Options by which the lists of orch do not choose. */
const unchosen = (...typed: string[]): ListOption[] =>
  typed.map((spellings) =>
    valued(spellings, () => ({ why: `${spellings.split(" ").at(-1)}: --json and jq choose by it` })),
  );
const COLUMNS = "columns are fixed: --json has all there is";

const COMMON: readonly ListOption[] = [
  valued("-j --jobs", runs),
  valued("--name", (typed) => ({ runs: words(typed) })),
  valued("-u --user", (typed) => ({ users: words(typed) })),
  bare("--me", () => ({ isMine: true })),
  ...each(glued, ["--json", "--yaml"], () => ({ flags: [["--json"]] })),
  ...unchosen("-A --account", "-q --qos", "-M --clusters"),
  valued("-o --format", left(COLUMNS)),
  ...each(bare, ["-l --long", "-v --verbose", "--local"], silent),
];

export const SQUEUE: readonly ListOption[] = [
  valued("-t --states", (typed) => ({ states: words(typed) })),
  valued("--state", (typed) => ({ states: words(typed) })),
  valued("-n --name", (typed) => ({ runs: words(typed) })),
  valued("--users", (typed) => ({ users: words(typed) })),
  valued("-w --nodelist", (typed) => ({ nodes: hostsIn(typed) })),
  valued("--job", runs),
  valued("-i --iterate", () => ({ flags: [["-w"]] })),
  bare("--start", () => ({
    states: ["pending"],
    why: "starts are not estimated yet; orch queue has the order, orch explain the reason",
  })),
  valued("-O --Format", left(COLUMNS)),
  ...unchosen("-p --partition", "-R --reservation", "-L --licenses"),
  valued("-S --sort", left("lists have one order: --json and jq sort")),
  glued("-s --steps", left("a run has no steps")),
  ...each(
    bare,
    ["-a --all", "-h --noheader", "-r --array", "-P --priority", "--noconvert", "--hide", "--federation", "--sibling"],
    silent,
  ),
  ...COMMON,
];

export const SACCT: readonly ListOption[] = [
  valued("-s --state", (typed) => ({ states: words(typed) })),
  valued("-S --starttime", since),
  valued("-E --endtime", left("a list goes up to now")),
  ...unchosen("-N --nodelist"),
  ...unchosen("-r --partition", "-g --gid", "-W --wckeys", "-x --associations"),
  ...unchosen("-i --nnodes", "-I --ncpus", "-k --timelimit-min", "-K --timelimit-max", "-F --flags"),
  ...each(valued, ["--units", "--delimiter", "-f --file"], silent),
  ...each(
    bare,
    (
      "-a,--allusers -X,--allocations -n,--noheader -p,--parsable -P,--parsable2 -b,--brief -B,--batch-script " +
      "-c,--completion -D,--duplicates -e,--helpformat -L,--allclusters -T,--truncate --noconvert --whole-hetjob"
    )
      .split(" ")
      .map((typed) => typed.replace(",", " ")),
    silent,
  ),
  ...COMMON,
];

export const SINFO: readonly ListOption[] = [
  valued("-n --nodes", (typed) => ({ nodes: hostsIn(typed) })),
  valued("-w --nodelist", (typed) => ({ nodes: hostsIn(typed) })),
  ...unchosen("-p --partition", "-t --states"),
  valued("-O --Format", left(COLUMNS)),
  valued("-S --sort", left("lists have one order: --json and jq sort")),
  valued("-i --iterate", left("orch ps -w and orch events -f go on")),
  ...each(
    bare,
    (
      "-N,--Node -R,--list-reasons -s,--summarize -a,--all -h,--noheader -d,--dead -e,--exact -r,--responding " +
      "-T,--reservation -F,--federation --hide --noconvert"
    )
      .split(" ")
      .map((typed) => typed.replace(",", " ")),
    silent,
  ),
  ...COMMON.filter(({ typed }) => !/^(-j|-u|--name|--me|-A)$/.test(typed[0] ?? "")),
];

/** The options of Slurm that each list of orch is given. */
export const OF_LIST: Readonly<Record<ListName, readonly ListOption[]>> = {
  ps: SQUEUE,
  queue: SQUEUE,
  runs: SACCT,
  nodes: SINFO,
};

function since(typed: string, now_ms: Ms): Choice {
  const ago = agoOf(typed, now_ms);
  return ago === null ? { why: `${typed}: how far back a list goes is said as --since 3d` } : { since: ago };
}

/** The states of orch for those of Slurm. `orch queue` has what is `pending`, `orch ps` what is `active`. */
const STATES: readonly (readonly [RegExp, string])[] = [
  [/^(pd|pending|cf|configuring|rq|requeued?|rh|requeue_hold|s|suspended|queued|waiting)$/, "pending"],
  [/^(r|running|cg|completing|so|stage_out|st|stopped|si|signaling)$/, "active"],
  [/^(cd|completed|succeeded)$/, "succeeded"],
  [/^(ca|cancelled|dl|deadline|pr|preempted|rv|revoked)$/, "cancelled"],
  [/^(f|failed|to|timeout|oom|out_of_memory|nf|node_fail|bf|boot_fail|lf|launch_failed)$/, "failed"],
  [/^all$/, "all"],
];
/** Returns what fits states in Slurm's words, also several, but none of `own`. */
export function statesOfSlurm(own: readonly string[]): RegExp {
  const small = STATES.map(([one]) => one.source.slice(1, -1)).join("|");
  const all = `${small}|${small.toUpperCase()}`;
  return new RegExp(`^(?!(${own.join("|")})$)(${all})(,(${all}))*$`);
}
const stateOf = (typed: string): string | null => STATES.find(([one]) => one.test(typed.toLowerCase()))?.[1] ?? null;

/** Returns what to type instead of a list that is given options of Slurm, or operands that name runs. */
export function listInstead(
  base: ListName,
  { given, operands }: Pick<SlurmLine<(now_ms: Ms) => Choice>, "given" | "operands">,
  now_ms: Ms,
): Pick<Instead, "why" | "line"> {
  const choices = given.map(({ option, value }: GivenOption<(now_ms: Ms) => Choice>) => option.becomes(value)(now_ms));
  const all = <K extends "runs" | "users" | "states" | "nodes" | "flags">(key: K) =>
    choices.flatMap((choice): readonly (string | Words)[] => choice[key] ?? []) as NonNullable<Choice[K]>[number][];
  const why = new Set(choices.flatMap((choice) => choice.why ?? []));
  const json = all("flags").some(([flag]) => flag === "--json") ? ["--json"] : [];
  const more = all("flags").filter(([flag]) => flag !== "--json");
  const say = (lines: readonly (readonly string[])[]) => ({
    why: sayAll(why),
    line: inTurn(lines.map((line) => shown([...line, ...json]))),
  });
  const named = [...operands, ...all("runs")];
  const nodes = [...(base === "nodes" ? operands : []), ...all("nodes")];
  if (base === "nodes")
    return say(nodes.length === 0 ? [["nodes", ...more.flat()]] : nodes.map((node) => ["node", "show", node]));
  if (named.length > 0) return say(named.map((run) => [base === "runs" ? "show" : "ps", run]));
  const states = all("states");
  const meant = states.map(stateOf);
  for (const [at, state] of meant.entries()) if (state === null) why.add(`no run is ever ${states[at]}`);
  const lists = listsOf(
    base,
    meant.filter((state) => state !== null),
  );
  const people = choices.some(({ isMine }) => isMine) ? [["--mine"]] : all("users").map((user) => ["--user", user]);
  const ago = choices.findLast((choice) => choice.since !== undefined)?.since;
  const isPs = lists.every(([name]) => name === "ps");
  if (nodes.length > 0 && !isPs) why.add("by nodes orch ps --node chooses");
  const places = nodes.length > 0 && isPs ? nodes.map((node) => ["--node", node]) : [[]];
  const others = (name: string | undefined): string[] =>
    more.filter(([flag]) => name === base && (flag !== "-w" || name === "ps")).flat();
  return say(
    lists.flatMap((list) =>
      (people.length === 0 ? [[]] : people).flatMap((person) =>
        places.map((place) => [
          ...list,
          ...person,
          ...place,
          ...(list[0] === "runs" && ago !== undefined ? ["--since", ago] : []),
          ...others(list[0]),
        ]),
      ),
    ),
  );
}

/** Returns the lists that have runs of these states. `orch ps` has also what waits. */
function listsOf(base: ListName, states: readonly string[]): string[][] {
  if (states.length === 0) return [[base]];
  if (states.includes("all")) return [["runs"]];
  const isLive = (state: string): boolean => state === "pending" || state === "active";
  const final = [...new Set(states.filter((state) => !isLive(state)))].map((state) => ["runs", "--state", state]);
  const live = new Set(states.filter(isLive));
  if (live.size === 0) return final;
  if (!live.has("active")) return [["queue"], ...final];
  if (base === "runs") return [...(live.has("pending") ? [["queue"]] : []), ["runs", "--state", "running"], ...final];
  return [["ps"], ...final];
}
