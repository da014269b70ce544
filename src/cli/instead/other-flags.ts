// Flags of Docker, Kubernetes and Nomad, and the flags that mean the same here. Those of Slurm are in ../instead.

import { cards } from "./slurm-values";
import { LOOKS } from "./looking";

export interface OtherFlag {
  readonly tool: string;
  /** The spellings: `--volume`, `-v`. */
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

const IMAGES = "images are not built yet, and a process has its node's files and network";
const SELECTORS = "-l --selector --field-selector --pod-selector --filter";
const inFile = (name: string): string =>
  `a namespace is a project here, which the file names: \`project: ${name}\` at its top`;
/** Commands whose operands name apps and what is in them. */
export const NAMING: readonly string[] = ["logs", "show", "explain", "restart", "scale", "rm", "spec", "events"];
const LAST =
  "of what waits to start again it is the last attempt that ran; an earlier one is asked for with --attempt N";
const MOVES = "a drain moves what can move, and tells of the rest";
/** Commands that other tools give flags which change nothing of what is done. */
const ACTING = ["apply", "rm", "restart", "scale", "node drain", "node forget", "node taint", "node label"];

/** An entry that returns null for a value leaves it to the next entry of the same spelling. */
export const OTHER_FLAGS: readonly OtherFlag[] = [
  valued("orch", "-e --env --env-file --name --memory --gpu --cpu --pool --project --label --priority", JOBS, same),
  valued("docker", "--gpus", JOBS, (typed) => (typed === "all" ? ["--gpu", "1"] : ["--gpu", cards(typed)])),
  valued(
    "docker",
    "-p --publish",
    JOBS,
    (typed) => (/^[\d.:[\]]+(\/\w+)?$/.test(typed) ? [] : null),
    "a run opens ports by itself; a service has `ports` in its file",
  ),
  valued("docker", "--cpus --cpu-shares", JOBS, to("--cpu")),
  valued("docker", "-m --memory-swap", JOBS, to("--memory")),
  valued("docker", "-w", JOBS, (typed) => (typed.startsWith("/") ? ["--workdir", typed] : null)),
  bare("docker", "--rm", JOBS, nothing, "nothing is left of a run but its record and its output"),
  valued(
    "docker",
    "-v --volume --mount --tmpfs",
    JOBS,
    (typed) => (/[:/=]/.test(typed) ? [] : null),
    "a process sees its node's own directories",
  ),
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
  valued("docker", "-l", JOBS, (typed) => (typed.includes("=") ? ["--label", typed] : null)),
  bare("docker", "--detach --detached --bg --no-wait", JOBS, only("-d")),
  bare("nomad", "-detach", JOBS, only("-d")),
  valued("kubectl", SELECTORS, LOOKS, nothing, "lists have no selector yet; --json and jq choose"),
  valued("kubectl", SELECTORS, null, noLine, "nothing is done by a selector yet: orch ps and orch nodes have names"),
  valued("kubectl", "-o --output --format", null, (typed) => (typed === "wide" ? [] : ["--json"])),
  bare("nomad", "-json", null, only("--json")),
  bare("kubectl", "-A --all-namespaces", null, nothing, "lists show every project"),
  valued("docker", "-n", ["logs"], (typed) => (/^\d+$/.test(typed) ? ["--tail", typed] : null)),
  { ...valued("kubectl", "--replicas", ["scale"], nothing), joins: true },
  {
    ...valued("kubectl", "-n --namespace", NAMING, nothing, "a namespace is a project here, written before the name"),
    leads: true,
  },
  valued("kubectl", "-n --namespace", ["apply", "plan", "validate"], noLine, inFile),
  valued("kubectl", "-n --namespace", LOOKS, nothing, "lists show every project; names may be written PROJECT/APP"),
  valued("kubectl", "--namespace", JOBS, to("--project")),
  valued("kubectl", "-n --namespace", null, noLine, "a namespace is a project here; names may be written PROJECT/NAME"),
  bare("kubectl", "--watch", ["runs", "queue", "nodes", "events"], nothing, "orch ps -w and orch events -f go on"),
  valued("kubectl", "-c --container", null, nothing, "a task is one process"),
  bare("kubectl", "-p --previous", ["logs"], nothing, LAST),
  bare("kubectl", "--force --ignore-daemonsets --delete-emptydir-data", ["node drain"], nothing, MOVES),
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
  valued("docker", "-c --compose-file", ["apply"], (typed) => [typed]),
  bare("kubectl", "--force --record --now --all -i --interactive", ACTING, nothing),
  bare("docker", "-d --detach --detach-keys --build --remove-orphans --force-recreate --prune", ["apply"], nothing),
  bare("docker", "-v --volumes -f --with-registry-auth", ["rm"], nothing),
  bare("kubectl", "-f --filename -R --recursive --server-side", ["apply", "rm", "restart"], nothing),
  bare("kubectl", "--force --now --wait", ["cancel"], nothing),
  bare("nomad", "-purge -yes -detach -verbose", ["apply", "rm"], nothing),
  bare("docker", "--verbose --debug", null, nothing),
];
