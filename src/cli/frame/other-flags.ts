// Flags of Slurm, Docker, Kubernetes and Nomad, and the flags that mean the same here.

export interface OtherFlag {
  readonly tool: string;
  /** The spellings: `--gres`, `-N`. */
  readonly typed: readonly string[];
  readonly takesValue: boolean;
  /** The commands that get it, or null for all. */
  readonly on: readonly string[] | null;
  /** Returns what to write instead; nothing if it is only to be left out. Null: it is another tool's flag. */
  readonly instead: (value: string, typed: string) => readonly string[] | null;
  /** Why it is left out, or what is different. */
  readonly why: string | null;
  /** Whether its value is written behind the operand: `web=3`. */
  readonly joins?: boolean;
}

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
const same: Instead = (value, typed) => [typed, value];

const valued = (
  tool: string,
  typed: string,
  on: readonly string[] | null,
  instead: Instead,
  why: string | null = null,
): OtherFlag => ({ tool, typed: typed.split(" "), takesValue: true, on, instead, why });
const bare = (
  tool: string,
  typed: string,
  on: readonly string[] | null,
  instead: Instead,
  why: string | null = null,
): OtherFlag => ({ tool, typed: typed.split(" "), takesValue: false, on, instead, why });

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
const runsAfter: Instead = (typed) =>
  typed
    .split(/[,:?]/)
    .filter((one) => /^\d+$/.test(one))
    .flatMap((run) => ["--after", run]);

const IMAGES = "images are not built yet, and a process has its node's files and network";
const ALL_OUTPUT = "all output is kept: orch logs";

/** An entry that returns null for a value leaves it to the next entry of the same spelling. */
export const OTHER_FLAGS: readonly OtherFlag[] = [
  valued("orch", "-e --env --env-file --name --memory --gpu --cpu --pool --project --label --priority", JOBS, same),
  valued("Slurm", "-t --time", JOBS, to("--time", minutes)),
  valued("Slurm", "-c", JOBS, to("--cpu")),
  valued("Slurm", "--gres --gpus-per-node --gpus-per-task -G", JOBS, to("--gpu", cards)),
  valued("docker", "--gpus", JOBS, (typed) => (typed === "all" ? ["--gpu", "1"] : ["--gpu", cards(typed)])),
  valued(
    "docker",
    "-p --publish",
    JOBS,
    (typed) => (/^[\d.:[\]]+(\/\w+)?$/.test(typed) ? [] : null),
    "a run opens ports by itself; a service has `ports` in its file",
  ),
  valued("Slurm", "-p --partition", JOBS, to("--pool")),
  valued(
    "Slurm",
    "-N --nodes -n --ntasks",
    JOBS,
    to("--nodes", (typed) => /^\d+/.exec(typed)?.[0] ?? "N"),
  ),
  valued("Slurm", "--ntasks-per-node", JOBS, nothing, "a node of a run is one process, which may start more"),
  valued("Slurm", "-J --job-name", JOBS, to("--name")),
  valued("Slurm", "--cpus-per-task --cpus-per-gpu --cores", JOBS, to("--cpu")),
  valued("docker", "--cpus --cpu-shares", JOBS, to("--cpu")),
  valued("Slurm", "--mem --mem-per-cpu --mem-per-gpu", JOBS, to("--memory", mebibytes)),
  valued("docker", "-m --memory-swap", JOBS, to("--memory")),
  valued("Slurm", "--time-min --timelimit --time-limit --timeout", JOBS, to("--time", minutes)),
  valued("docker", "-w", JOBS, (typed) => (typed.startsWith("/") ? ["--workdir", typed] : null)),
  valued("Slurm", "-w --nodelist --node --nodename", JOBS, to("--host")),
  valued(
    "Slurm",
    "-x --exclude",
    JOBS,
    to("--where", (typed) => `hostname notin (${typed})`),
  ),
  valued("Slurm", "-C --constraint", JOBS, to("--where")),
  valued("Slurm", "-o --output --error", JOBS, nothing, ALL_OUTPUT),
  valued("Slurm", "-A --account", JOBS, to("--project")),
  valued("Slurm", "-D --chdir", JOBS, to("--workdir")),
  valued("Slurm", "--dependency", JOBS, runsAfter),
  valued("Slurm", "-a --array", JOBS, nothing, "arrays are not built yet: a loop, or several runs"),
  valued(
    "Slurm",
    "-q --qos",
    JOBS,
    to("--priority", () => "0"),
    "a priority is a number",
  ),
  valued("Slurm", "--wrap", JOBS, to("-c")),
  valued(
    "Slurm",
    "--export",
    JOBS,
    (typed) =>
      typed.includes("=")
        ? typed
            .split(",")
            .filter((one) => one.includes("="))
            .flatMap((one) => ["--env", one])
        : [],
    "name each variable with --env",
  ),
  valued("Slurm", "--mail-type --mail-user", JOBS, nothing, "mail is not built yet"),
  valued("Slurm", "--reservation", JOBS, nothing, "reservations are not built yet"),
  bare("Slurm", "--exclusive", JOBS, nothing, "cores, memory and cards of a run are its own"),
  bare("Slurm", "--requeue --no-requeue", JOBS, nothing, "a lost run says so; orch retry runs it again"),
  bare("Slurm", "--pty -I", JOBS, nothing, "terminals are not built yet"),
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
  valued("kubectl", "-n --namespace", null, nothing, "lists show every project; names may be written PROJECT/APP"),
  bare("Slurm", "--me", null, only("--mine")),
  bare("kubectl", "--watch", ["runs", "queue", "nodes", "events"], nothing, "orch ps -w and orch events -f go on"),
  valued("Slurm", "-u --users", null, (typed) => ["--user", typed]),
  valued("Slurm", "-j --jobs --job", null, nothing, "a run is named by its number: orch show RUN"),
  valued(
    "Slurm",
    "-S --starttime",
    ["runs", "events"],
    to("--since", () => "1d"),
  ),
  valued("Slurm", "-w --nodelist", ["ps"], to("--node")),
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
  bare("terraform", "-auto-approve --auto-approve", ["apply", "rm"], only("--yes")),
  bare("kubectl", "--dry-run", ["apply"], nothing, "orch plan shows it"),
  bare("docker", "--verbose --debug", null, nothing),
];
