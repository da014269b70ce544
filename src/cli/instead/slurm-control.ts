// scontrol and sacctmgr: what is changed, shown and kept by words such as `update NodeName=box3 State=DRAIN`.

import { hostsIn } from "./host-list";
import { inTurn, shown, type Instead } from "./line";

/** The words that were read, and what is typed instead. */
export interface ControlAnswer extends Pick<Instead, "why" | "line"> {
  readonly read: number;
}

const none = (why: string, read = 1): ControlAnswer => ({ why, line: null, read });
const lines = (all: readonly (readonly string[])[], why: string | null = null, read = 1): ControlAnswer => ({
  why,
  line: inTurn(all.map((words) => words.map((word) => (/^<\w+>$/.test(word) ? word : shown([word]))).join(" "))),
  read,
});

/** Options of scontrol and sacctmgr that have a value. */
const VALUED = /^(-M|-u|--clusters|--uid)$/;

const wordsOf = (argv: readonly string[]): string[] =>
  argv.filter((word, at) => !word.startsWith("-") && !VALUED.test(argv[at - 1] ?? ""));

/** Reads `NodeName=box3` pairs. Names are in lower case. */
const pairsIn = (words: readonly string[]): Map<string, string> =>
  new Map(
    words.flatMap((word) => {
      const at = word.indexOf("=");
      return at < 1 ? [] : [[word.slice(0, at).toLowerCase(), word.slice(at + 1)] as const];
    }),
  );

/** `1,2`, `jobid=1` and `1.0` name runs 1 and 2. */
const runsIn = (words: readonly string[]): string[] =>
  words.flatMap((word) => word.replace(/^\w+=/, "").split(",")).map((run) => run.replace(/^(\d+)\.\w+$/, "$1"));
const onRuns = (words: readonly string[]): string[] => (words.length === 0 ? ["<RUN>"] : runsIn(words));

const HOLDING = "holding runs is not built yet";
const AFTER = `${HOLDING}; a run waits for another one with --after`;
const SUSPENDING = "suspending runs is not built yet";

export function scontrolInstead(argv: readonly string[]): ControlAnswer {
  const [verb = "", ...rest] = wordsOf(argv);
  const { json } = { json: argv.includes("--json") ? ["--json"] : [] };
  switch (verb.toLowerCase()) {
    case "":
      return lines([["show", "<RUN|NODE>"]], null, 0);
    case "show":
      return shows(rest, json);
    case "update":
      return updates(rest);
    case "requeue":
      return lines([["retry", ...onRuns(rest)]], "a run that still runs is cancelled first: orch cancel");
    case "requeuehold":
      return lines([["cancel", ...onRuns(rest)]], `${HOLDING}: orch retry makes the run anew, later`);
    case "cancel":
      return lines([["cancel", ...onRuns(rest)]]);
    case "hold":
    case "uhold":
    case "release":
      return none(AFTER);
    case "suspend":
    case "resume":
      return none(SUSPENDING);
    case "top":
      return none("--priority orders one's runs, when they are made");
    case "wait_job":
      return lines(onRuns(rest).map((run) => ["logs", "-f", run]));
    case "write":
      return lines(
        onRuns(rest.slice(1, 2)).map((run) => ["show", run]),
        "a run's command is shown, not what it got as standard input",
      );
    case "ping":
      return lines([["whoami"]]);
    case "version":
      return lines([["version"]]);
    case "completing":
      return lines([["ps"]]);
    case "reboot":
    case "reboot_nodes": {
      const nodes = rest.filter((word) => !word.includes("=") && word.toLowerCase() !== "asap").flatMap(hostsIn);
      const why = "a machine is drained, rebooted by its own means, and resumed: orch node resume";
      return lines([["node", "drain", ...(nodes.length === 0 ? ["<NODE>"] : nodes)]], why);
    }
    case "create":
    case "delete":
      return none("reservations are not built yet; a pool is said where a node joins: orch agent join --pool");
    case "reconfigure":
    case "reconfig":
      return none("the server reads its settings when it starts: orch server --help");
    default:
      return none(`${verb} has no counterpart; see orch --help`);
  }
}

function shows([kind = "", ...names]: readonly string[], json: readonly string[]): ControlAnswer {
  const [key = ""] = kind.toLowerCase().split("=");
  const named = [...(kind.includes("=") ? [kind] : []), ...names];
  if (/^(jobs?|jobid|steps?|stepid)$/.test(key))
    return lines(
      named.length === 0 ? [["runs", ...json]] : runsIn(named).map((run) => ["show", run, ...json]),
      null,
      2,
    );
  if (/^(nodes?|nodename)$/.test(key)) {
    const nodes = named.flatMap((word) => hostsIn(word.replace(/^\w+=/, "")));
    return lines(
      nodes.length === 0 ? [["nodes", ...json]] : nodes.map((node) => ["node", "show", node, ...json]),
      null,
      2,
    );
  }
  if (/^(|partitions?|partitionname|topology|licenses|frontend)$/.test(key))
    return lines([["nodes", ...json]], null, 2);
  if (/^(hostnames?|hostlist|hostlistsorted)$/.test(key))
    return none(`--host takes names: ${names.flatMap(hostsIn).join(",") || "box1,box2"}`, 2);
  if (/^reservations?(name)?$/.test(key)) return none("reservations are not built yet", 2);
  if (key === "config") return none("the server's settings are said when it starts: orch server --help", 2);
  if (/^users?$|^assoc/.test(key)) return lines([["user", "ls", ...json]], null, 2);
  return none(`show ${kind} has no counterpart; see orch --help`);
}

function updates(words: readonly string[]): ControlAnswer {
  const given = pairsIn(words);
  const nodes = hostsIn(given.get("nodename") ?? "").filter((name) => name !== "");
  const state = given.get("state")?.toLowerCase() ?? "";
  const reason = given.get("reason");
  if (nodes.length > 0 && /^(drain|down|fail)$/.test(state))
    return lines([["node", "drain", ...nodes, ...(reason === undefined ? [] : ["--reason", reason])]]);
  if (nodes.length > 0 && /^(resume|undrain|idle)$/.test(state)) return lines([["node", "resume", ...nodes]]);
  if (given.has("jobid") || given.has("job"))
    return none("changing a run that waits is not built yet: orch cancel it, and make it anew");
  return none("of nodes, orch node drain, resume, label and taint change what may change");
}

export function sacctmgrInstead(argv: readonly string[]): ControlAnswer {
  const [verb = "", kind = "", ...rest] = wordsOf(argv);
  const given = pairsIn(rest);
  const bare = rest.filter((word) => !word.includes("=") && !/^(where|set)$/i.test(word));
  const people = [...bare, ...["name", "names", "user", "users"].flatMap((key) => given.get(key) ?? [])]
    .flatMap((word) => word.split(","))
    .filter((word) => word !== "");
  const names = people.length === 0 ? ["<NAME>"] : people;
  if (/^(add|create|delete|remove|modify)$/i.test(verb) && !/^users?$/i.test(kind))
    return none("a project is there once somebody's work names it: --project; quotas are not built yet", 2);
  if (/^(add|create)$/i.test(verb)) {
    const project = given.get("defaultaccount") ?? given.get("account") ?? given.get("accounts");
    const level = given.get("adminlevel")?.toLowerCase() ?? "none";
    const more = [
      ...(project === undefined ? [] : ["--project", project.split(",")[0] ?? project]),
      ...(level.startsWith("admin") ? ["--role", "admin"] : level === "operator" ? ["--role", "operator"] : []),
    ];
    return lines(
      names.map((name) => ["user", "add", name, ...more]),
      null,
      2,
    );
  }
  if (/^(delete|remove)$/i.test(verb))
    return lines(
      names.map((name) => ["user", "rm", name]),
      null,
      2,
    );
  if (/^modify$/i.test(verb))
    return none("a person's project and role are said when they are added: orch user add --help", 2);
  return lines([["user", "ls"]], null, 0);
}
