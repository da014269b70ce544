// Flags of Slurm, Docker, Kubernetes and Nomad, and the flags that mean the same here.

import { PER } from "./combine";
import { hostsIn } from "./host-list";

export interface OtherFlag {
  readonly tool: string;
  /** The spellings: `--gres`, `-N`. */
  readonly typed: readonly string[];
  readonly takesValue: boolean;
  /** The commands that get it, or null for all. */
  readonly on: readonly string[] | null;
  /**
   * Returns what to write instead; nothing if it is only to be left out. Words without a dash are operands. Null: it is
   * another tool's flag. `NO_LINE`: no command line means the same, and `why` says so.
   */
  readonly instead: (value: string, typed: string) => readonly string[] | null;
  /** Why it is left out, or what is different, for each value. */
  readonly why: (value: string) => string | null;
  /** Whether its value is written behind the operand: `web=3`. */
  readonly joins?: boolean;
  /** Whether its value is written before each operand: `lab/web`. */
  readonly leads?: boolean;
}

export const NO_LINE: readonly string[] = ["no line"];

type Instead = OtherFlag["instead"];

const JOBS = ["run", "submit"];
const to =
  (flag: string, value: (typed: string) => string = (typed) => typed): Instead =>
  (typed) => [flag, value(typed)];
const only =
  (...words: string[]): Instead =>
  () =>
    words;
const nothing: Instead = () => [];
const noLine: Instead = () => NO_LINE;
const operands: Instead = (typed) => typed.split(",");
const same: Instead = (value, typed) => [typed, value];

const valued = (
  tool: string,
  typed: string,
  on: readonly string[] | null,
  instead: Instead,
  why: string | null | OtherFlag["why"] = null,
): OtherFlag => ({ tool, typed: typed.split(" "), takesValue: true, on, instead, why: saying(why) });
const bare = (
  tool: string,
  typed: string,
  on: readonly string[] | null,
  instead: Instead,
  why: string | null | OtherFlag["why"] = null,
): OtherFlag => ({ tool, typed: typed.split(" "), takesValue: false, on, instead, why: saying(why) });

const saying = (why: string | null | OtherFlag["why"]): OtherFlag["why"] =>
  typeof why === "function" ? why : () => why;

/** `gpu:a100:2` is `a100:2`, and `gpu` is one card. `all` has no counterpart: a task has a number of cards. */
const cards = (typed: string): string => {
  const asked = typed.replace(/^device=/, "").replace(/^gpu\b:?/, "");
  return asked === "" || asked === "all" ? "1" : asked;
};
/** Slurm's memory without a unit is in MiB. */
const mebibytes = (typed: string): string => (/^\d+$/.test(typed) ? `${typed}MiB` : typed);
/** Slurm's time without a colon is in minutes. With one colon it is minutes and seconds. */
const minutes = (typed: string): string =>
  /^\d+$/.test(typed) ? `${typed}m` : typed.replace(/^(\d+):(\d\d)$/, (_, m, s) => `${Number(m)}m${Number(s)}s`);
/** The flags for what `--dependency` calls its conditions. */
const AFTER: Readonly<Record<string, string>> = {
  afterok: "--after",
  afterany: "--after-any",
  afternotok: "--after-failed",
};
const conditions = (typed: string): string[][] => typed.split(/[,?]/).map((one) => one.split(":"));
const runsAfter: Instead = (typed) =>
  conditions(typed).flatMap(([when = "", ...runs]) => {
    const flag = AFTER[when] ?? (/^\d+$/.test(when) ? "--after-any" : null);
    return flag === null
      ? []
      : [...(/^\d+$/.test(when) ? [when] : []), ...runs].flatMap((run) => [flag, run.split("+")[0] ?? run]);
  });
function noCondition(typed: string): string | null {
  const lost = conditions(typed)
    .map(([when = ""]) => when)
    .filter((when) => AFTER[when] === undefined && !/^\d+$/.test(when));
  const any = typed.includes("?") ? ["all of them are waited for, not any"] : [];
  const said = [...lost.map((when) => `${when} has no counterpart`), ...any];
  return said.length === 0 ? null : said.join(", ");
}

const hosts = (typed: string): string => hostsIn(typed).join(",");
const nodesOf = (typed: string): string => /^\d+/.exec(typed)?.[0] ?? "N";
const tasksSaid = (typed: string): string | null =>
  typed === "1"
    ? null
    : `${typed} tasks are --cpu ${typed} for one process that starts them, --nodes ${typed} for so many machines`;

const gres: Instead = (typed) => (/^(gpu\b|\d|[a-z]+\d)/i.test(typed) ? ["--gpu", cards(typed)] : []);
const noGres = (typed: string): string | null =>
  typed.startsWith("shard")
    ? "a share of a card is asked for by its memory: --gpu '{ share: 8GB }'"
    : /^(gpu\b|\d|[a-z]+\d)/i.test(typed)
      ? null
      : `${typed}: a run asks for cards; a file asks for what else is counted (resources)`;

/** A feature that is the name of a card asks for such cards. */
const feature: Instead = (typed) =>
  /[|*[]/.test(typed)
    ? []
    : typed
        .split(/[&,]/)
        .flatMap((one) =>
          /^(a|h|b|v|l|t|p|gb|gh|mi|rtx|gtx|k)[-_]?\d{1,4}[a-z]*$/i.test(one) ? [PER.model, one] : ["--where", one],
        );
const noFeature = (typed: string): string | null =>
  /[|*[]/.test(typed)
    ? "choose by labels of nodes with --where, such as 'zone in (a, b)', or by cards with --gpu A100,H100"
    : null;

const exported: Instead = (typed) =>
  typed
    .split(",")
    .filter((one) => one !== "" && !/^(ALL|NONE|NIL)$/.test(one))
    .flatMap((one) => ["--env", one]);

const IMAGES = "images are not built yet, and a process has its node's files and network";
/** Commands whose operands name apps and what is in them. */
const NAMING = ["logs", "show", "explain", "restart", "scale", "rm", "spec", "events"];
const ALL_OUTPUT = "all output is kept: orch logs";

/** An entry that returns null for a value leaves it to the next entry of the same spelling. */
export const OTHER_FLAGS: readonly OtherFlag[] = [
  valued("orch", "-e --env --env-file --name --memory --gpu --cpu --pool --project --label --priority", JOBS, same),
  valued("Slurm", "-t --time", JOBS, to("--time", minutes)),
  valued("Slurm", "-c", JOBS, to("--cpu")),
  valued("Slurm", "--gres", JOBS, gres, noGres),
  valued("Slurm", "--gpus-per-node --gpus-per-task -G", JOBS, to("--gpu", cards)),
  valued("docker", "--gpus", JOBS, (typed) => (typed === "all" ? ["--gpu", "1"] : ["--gpu", cards(typed)])),
  valued(
    "docker",
    "-p --publish",
    JOBS,
    (typed) => (/^[\d.:[\]]+(\/\w+)?$/.test(typed) ? [] : null),
    "a run opens ports by itself; a service has `ports` in its file",
  ),
  valued("Slurm", "-p --partition", JOBS, to("--pool")),
  valued("Slurm", "-N --nodes", JOBS, to("--nodes", nodesOf)),
  valued("Slurm", "-n --ntasks", JOBS, to(PER.tasks), tasksSaid),
  valued(
    "Slurm",
    "--ntasks-per-node",
    JOBS,
    to(PER.tasksOfNode),
    "a run is one process on each node, which starts more",
  ),
  valued("Slurm", "-J --job-name", JOBS, to("--name")),
  valued("Slurm", "--cpus-per-task --cpus-per-gpu --cores", JOBS, to("--cpu")),
  valued("docker", "--cpus --cpu-shares", JOBS, to("--cpu")),
  valued("Slurm", "--mem", JOBS, to("--memory", mebibytes)),
  valued("Slurm", "--mem-per-cpu", JOBS, to(PER.memoryOfCore, mebibytes)),
  valued("Slurm", "--mem-per-gpu", JOBS, to(PER.memoryOfCard, mebibytes)),
  valued("docker", "-m --memory-swap", JOBS, to("--memory")),
  valued("Slurm", "--time-min --timelimit --time-limit --timeout", JOBS, to("--time", minutes)),
  valued("docker", "-w", JOBS, (typed) => (typed.startsWith("/") ? ["--workdir", typed] : null)),
  valued("Slurm", "-w --nodelist --node --nodename", JOBS, to("--host", hosts)),
  valued(
    "Slurm",
    "-x --exclude",
    JOBS,
    to("--where", (typed) => `node notin (${hosts(typed)})`),
  ),
  valued("Slurm", "-C --constraint", JOBS, feature, noFeature),
  valued("Slurm", "-o --output -e --error --open-mode", JOBS, nothing, ALL_OUTPUT),
  valued("Slurm", "-i --input", JOBS, nothing, "standard input is given as < FILE"),
  valued("Slurm", "-A --account", JOBS, to("--project")),
  valued("Slurm", "-D --chdir", JOBS, to("--workdir")),
  valued("Slurm", "-d --dependency", JOBS, runsAfter, noCondition),
  valued("Slurm", "-a --array", JOBS, nothing, "arrays are not built yet: a loop, or several runs"),
  valued(
    "Slurm",
    "-q --qos",
    JOBS,
    to("--priority", () => "0"),
    "a priority is a number",
  ),
  valued("Slurm", "--wrap", JOBS, to("-c")),
  valued("Slurm", "--export", JOBS, exported, (typed) =>
    /(^|,)ALL(,|$)/.test(typed) ? "the environment of here is not taken: --env names variables" : null,
  ),
  valued("Slurm", "--mail-type --mail-user", JOBS, nothing, "mail is not built yet"),
  valued("Slurm", "--reservation", JOBS, nothing, "reservations are not built yet"),
  bare("Slurm", "--exclusive", JOBS, nothing, "cores, memory and cards of a run are its own"),
  bare("Slurm", "--requeue --no-requeue", JOBS, nothing, "a lost run says so; orch retry runs it again"),
  bare("Slurm", "--pty -I", JOBS, nothing, "terminals are not built yet"),
  valued("Slurm", "--jobid", JOBS, noLine, "going into a run that runs is not built yet"),
  bare("Slurm", "--overlap", JOBS, nothing, "what runs in a run is started by its command"),
  valued("Slurm", "-b --begin", JOBS, nothing, "a later start is not built yet"),
  bare("Slurm", "-H --hold", JOBS, nothing, "holding a run is not built yet"),
  valued(
    "Slurm",
    "--signal",
    JOBS,
    nothing,
    "a signal before the time limit is not built yet; at the limit it gets TERM",
  ),
  bare(
    "Slurm",
    "--test-only",
    JOBS,
    noLine,
    "what no node can ever run is refused at once; orch explain says why a run waits",
  ),
  bare("Slurm", "--nice", JOBS, (typed) => ["--priority", /^\d+$/.test(typed) ? `-${typed}` : "-100"]),
  valued("Slurm", "--comment", JOBS, nothing, "--label K=V keeps words with a run"),
  valued("Slurm", "-L --licenses", JOBS, nothing, "licences are asked for in a file (resources)"),
  valued(
    "Slurm",
    "--cpu-bind --gpu-bind --mpi --hint --distribution --threads-per-core",
    JOBS,
    nothing,
    "processes of a run share its cores",
  ),
  bare("Slurm", "--parsable", JOBS, nothing, "-d prints the number alone"),
  bare("docker", "--rm", JOBS, nothing, "nothing is left of a run but its record and its output"),
  valued("docker", "-v --volume --mount --tmpfs", JOBS, nothing, "a process sees its node's own directories"),
  valued(
    "docker",
    "--network --net --ipc --pid --shm-size --hostname --entrypoint --runtime --platform",
    JOBS,
    nothing,
    IMAGES,
  ),
  valued("docker", "--restart", JOBS, nothing, "what shall always run is a service: orch apply -f FILE"),
  valued(
    "docker",
    "--cap-add --cap-drop --security-opt --device",
    JOBS,
    nothing,
    "a process has the rights of its account",
  ),
  bare("docker", "--privileged --init", JOBS, nothing, "a process has the rights of its account"),
  valued("docker", "-u --user", JOBS, nothing, "a run is its owner's; `user` in a file takes granted accounts"),
  valued("docker", "--ulimit", JOBS, to("--limit")),
  valued("docker", "-l", JOBS, to("--label")),
  bare("docker", "--detach --detached --bg --no-wait", JOBS, only("-d")),
  bare("nomad", "-detach", JOBS, only("-d")),
  valued("kubectl", "-l --selector", null, nothing, "lists have no selector yet; --json and jq choose"),
  valued("kubectl", "-o --output --format", null, (typed) => (typed === "wide" ? [] : ["--json"])),
  bare("nomad", "-json", null, only("--json")),
  bare("kubectl", "-A --all-namespaces", null, nothing, "lists show every project"),
  valued("docker", "-n", ["logs"], (typed) => (/^\d+$/.test(typed) ? ["--tail", typed] : null)),
  { ...valued("kubectl", "--replicas", ["scale"], nothing), joins: true },
  {
    ...valued("kubectl", "-n --namespace", NAMING, nothing, "a namespace is a project here, written before the name"),
    leads: true,
  },
  valued("kubectl", "-n --namespace", null, nothing, "lists show every project; names may be written PROJECT/APP"),
  bare("Slurm", "--me", null, only("--mine")),
  bare("kubectl", "--watch", ["runs", "queue", "nodes", "events"], nothing, "orch ps -w and orch events -f go on"),
  valued(
    "Slurm",
    "-s --signal",
    ["cancel"],
    noLine,
    "a signal that does not end a run is not built yet: orch cancel ends it",
  ),
  valued(
    "Slurm",
    "-u --user",
    ["cancel"],
    only("--mine"),
    "one's own runs are cancelled at once, others by their numbers",
  ),
  valued(
    "Slurm",
    "-t --state -p --partition -A --account -w --nodelist",
    ["cancel"],
    noLine,
    "orch queue and orch ps show which runs those are; orch cancel takes their numbers",
  ),
  valued("Slurm", "-n --name --jobname", ["cancel"], operands),
  valued(
    "Slurm",
    "-u --users",
    null,
    (typed) => ["--user", typed],
    "people are called as in orch user ls, or by their Unix account; one's own: --mine",
  ),
  valued("Slurm", "-j --jobs --job", null, operands),
  valued("Slurm", "-t --states --state", ["ps"], nothing, "orch queue lists what waits, orch ps what runs"),
  bare(
    "Slurm",
    "--start",
    ["ps"],
    nothing,
    "starts are not estimated yet; orch queue has the order, orch explain the reason",
  ),
  valued(
    "Slurm",
    "-S --starttime",
    ["runs", "events"],
    to("--since", () => "1d"),
  ),
  valued(
    "Slurm",
    "-w --nodelist",
    ["ps"],
    to("--node", (typed) => hostsIn(typed)[0] ?? typed),
    (typed) => (hostsIn(typed).length > 1 ? "a list is of one node, or of all" : null),
  ),
  valued("Slurm", "-p --partition -w --nodelist", ["runs", "queue", "nodes"], nothing, "this list has no such choice"),
  bare("Slurm", "-N --long", ["nodes", "ps", "queue", "runs"], nothing),
  valued("kubectl", "-c --container", null, nothing, "a task is one process"),
  bare(
    "kubectl",
    "-p --previous",
    ["logs"],
    nothing,
    "of what waits to start again it is the last attempt that ran; an earlier one is asked for with --attempt N",
  ),
  bare(
    "kubectl",
    "--force --ignore-daemonsets --delete-emptydir-data",
    null,
    nothing,
    "a drain moves what can move, and tells of the rest",
  ),
  valued("kubectl", "--grace-period --timeout", null, nothing, "`stop: { grace: … }` in the file is the time to end"),
  bare("nomad", "--enable -enable", ["node drain"], nothing),
  valued(
    "orch",
    "--from",
    ["retry"],
    noLine,
    "Arrays are not built yet, so a run has no parts that failed: orch retry RUN runs all of it again",
  ),
  bare("terraform", "-auto-approve --auto-approve", ["apply", "rm"], only("--yes")),
  bare("kubectl", "--dry-run", ["apply"], nothing, "orch plan shows it"),
  bare("docker", "--verbose --debug", null, nothing),
];
