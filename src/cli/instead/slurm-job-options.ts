// The options of sbatch, srun and salloc: each one's spellings, whether a value follows, and what it is of `orch run`.

import { PER } from "./combine";
import { hostsIn } from "./host-list";
import type { SlurmOption } from "./slurm-option";
import {
  array,
  cards,
  dependency,
  exported,
  feature,
  gres,
  jobName,
  memory,
  minutes,
  nodes,
  partition,
  tasks,
  type Becomes,
} from "./slurm-values";

export type JobOption = SlurmOption<Becomes>;
type Meaning = JobOption["becomes"];

const one =
  (value: JobOption["value"]) =>
  (typed: string, becomes: Meaning): JobOption => ({ typed: typed.split(" "), value, becomes });
const bare = one("none");
const valued = one("needed");
const glued = one("glued");
/** Options of one meaning that stand for different things: a later one does not replace the others. */
const each = (make: (typed: string, becomes: Meaning) => JobOption, typed: readonly string[], becomes: Meaning) =>
  typed.map((spellings) => make(spellings, becomes));

const to =
  (flag: string, value: (typed: string) => string = (typed) => typed): Meaning =>
  (typed) => ({ flags: [[flag, value(typed)]] });
const left =
  (why: string): Meaning =>
  () => ({ why });
const silent: Meaning = () => ({});

const names = (typed: string): string => hostsIn(typed).join(",");
const onHosts: Meaning = (typed) =>
  typed.includes("/") ? { why: "--host takes names, no file" } : { flags: [["--host", names(typed)]] };

const ALL_OUTPUT = "all output is kept: orch logs";
const output: Meaning = (typed) => ({ why: /%a/.test(typed) ? `${ALL_OUTPUT} RUN_7 for element 7` : ALL_OUTPUT });
const SHARED = "processes of a run share its cores";
const LOGIN: Meaning = () => ({ flags: [["--login"]] });
export const WAITS = "without -d orch run waits until it ends, and gives its exit code";

/** What the three have in common. */
const OF_ALL: readonly JobOption[] = [
  valued("-t --time", to("--time", minutes)),
  valued("-c --cpus-per-task", to("--cpu")),
  valued("--mincpus", to("--cpu")),
  valued("--cpus-per-gpu", to(PER.coresOfCard)),
  valued("--gres", gres),
  valued("--gpus-per-node", to("--gpu", cards)),
  valued("--gpus-per-task", to(PER.cardsOfTask, cards)),
  valued("-G --gpus", to(PER.cardsOfAll, cards)),
  valued("-p --partition", partition),
  valued("-N --nodes", nodes),
  valued("-n --ntasks", tasks),
  valued("--ntasks-per-node", (typed) => ({
    flags: [[PER.tasksOfNode, typed]],
    why: "a run is one process on each node, which starts more",
  })),
  valued("-J --job-name", jobName),
  valued("--mem", memory("--memory")),
  valued("--mem-per-cpu", memory(PER.memoryOfCore)),
  valued("--mem-per-gpu", memory(PER.memoryOfCard)),
  valued("-w --nodelist", onHosts),
  valued(
    "-x --exclude",
    to("--where", (typed) => `node notin (${names(typed)})`),
  ),
  valued("-C --constraint", feature),
  valued("-A --account", to("--project")),
  valued("-D --chdir", to("--workdir")),
  valued("-d --dependency", dependency),
  valued("--export", exported),
  glued("--nice", (typed) => ({ flags: [["--priority", /^\d+$/.test(typed) ? `-${typed}` : "-100"]] })),
  valued("--priority", to("--priority")),
  glued("--get-user-env", LOGIN),
  ...each(valued, ["-o --output", "-e --error", "--open-mode"], output),
  valued("-i --input", left("standard input is given as < FILE")),
  valued("-q --qos", left("a qos has no counterpart: --pool names nodes, --priority orders runs")),
  valued("--time-min", left("there is no least time: --time is the longest")),
  ...each(valued, ["--mail-type", "--mail-user"], left("mail is not built yet")),
  valued("--reservation", left("reservations are not built yet")),
  glued("--exclusive", left("in Slurm it is the whole node, here what --cpu, --memory and --gpu ask for")),
  ...each(
    bare,
    ["-s --oversubscribe", "-O --overcommit"],
    left("cores are promised, and may be exceeded while others are idle"),
  ),
  valued("-b --begin", left("a later start is not built yet")),
  bare("-H --hold", left("holding a run is not built yet")),
  valued("--signal", left("a signal before the time limit is not built yet; at the limit it gets TERM")),
  bare("--test-only", () => ({
    why: "what no node can ever run is refused at once; orch explain says why a run waits",
    never: true,
  })),
  valued("--comment", left("--label K=V keeps words with a run")),
  valued("-L --licenses", left("licences are asked for in a file (resources)")),
  valued("--tmp", left("disk is asked for in a file (resources)")),
  ...each(
    valued,
    ["--cpu-bind", "--gpu-bind", "--mem-bind", "--mpi", "--hint", "-m --distribution", "--threads-per-core"],
    left(SHARED),
  ),
  ...each(
    valued,
    ["-B --extra-node-info", "--sockets-per-node", "--cores-per-socket", "--ntasks-per-core", "--ntasks-per-socket"],
    left("cores are counted, not sockets: --cpu"),
  ),
  valued("--ntasks-per-gpu", left("a run starts its tasks itself: --cpu and --gpu are for all of them")),
  valued("-M --clusters", left("a command talks to one cluster: orch context use")),
  valued("--container", left("images are not built yet, and a process has its node's files and network")),
  ...each(valued, ["--uid", "--gid"], left("a run is its owner's; `user` in a file takes granted accounts")),
  glued("--propagate", left("--limit names what a process may have")),
  ...each(
    bare,
    ["-Q --quiet", "-v --verbose", "--ignore-pbs", "--contiguous", "--spread-job", "--use-min-nodes"],
    silent,
  ),
  glued("-k --no-kill", silent),
  ...each(
    valued,
    (
      "--acctg-freq --bb --bbf --container-id -S,--core-spec --cpu-freq --deadline --delay-boot --extra --gpu-freq " +
      "--gpus-per-socket --gres-flags --kill-on-invalid-dep --mcs-label --network -F,--nodefile --power --prefer " +
      "--profile --segment --switches --thread-spec --tres-bind --tres-per-task --wait-all-nodes --wckey"
    )
      .split(" ")
      .map((typed) => typed.replace(",", " ")),
    silent,
  ).map(sayingIts),
  ...each(bare, ["--reboot", "--stepmgr"], silent).map(sayingIts),
];

/** Gives an option the answer that it has no counterpart. */
function sayingIts(option: JobOption): JobOption {
  return { ...option, becomes: left(`${option.typed.at(-1)} has no counterpart`) };
}

export const SBATCH: readonly JobOption[] = [
  bare("-W --wait", silent),
  valued("--wrap", to("-c")),
  valued("-a --array", array),
  bare("--parsable", left("-d prints the number alone")),
  ...each(bare, ["--requeue", "--no-requeue"], left("a lost run says so; orch retry runs it again")),
  ...each(valued, ["--batch", "--export-file"], silent).map(sayingIts),
  ...OF_ALL,
];

const OF_STEP: readonly JobOption[] = [
  glued("-I --immediate", left("a run that cannot start at once waits")),
  glued("--pty", left("terminals are not built yet")),
  valued("--jobid", () => ({ why: "going into a run that runs is not built yet", never: true })),
  ...each(bare, ["--overlap", "--exact"], left("what runs in a run is started by its command")),
  bare("--multi-prog", left("a run has one command, which may start several programs")),
  glued("--x11", left("windows are not built yet")),
  ...each(bare, ["-l --label", "-u --unbuffered", "-X --disable-status", "-Z --no-allocate"], silent),
  ...each(glued, ["-K --kill-on-bad-exit", "--resv-ports"], silent),
  bare("-E --preserve-env", left("the environment of here is not taken: --env names variables")),
  ...each(
    valued,
    ["--accel-bind", "--epilog", "--prolog", "--task-epilog", "--task-prolog", "-r --relative", "-T --threads"],
    silent,
  ).map(sayingIts),
  ...each(glued, ["--bcast", "--compress", "--send-libs"], left("nodes read what they have mounted")),
  ...each(valued, ["--msg-timeout", "--slurmd-debug"], silent),
];

export const SRUN: readonly JobOption[] = [valued("-W --wait", silent), ...OF_STEP, ...OF_ALL];

export const SALLOC: readonly JobOption[] = [
  bare("--no-shell", left("a run has a command: orch run -d -- sleep infinity")),
  ...each(bare, ["--bell", "--no-bell"], silent),
  glued("-K --kill-command", silent),
  ...OF_STEP.filter(({ typed }) => !typed.includes("-K")),
  ...OF_ALL,
];

/** What `orch run` is given of all three. */
export const OF_RUN: readonly JobOption[] = [
  bare("-W --wait", left(WAITS)),
  ...SBATCH.slice(1),
  ...OF_STEP,
  valued("--cores", to("--cpu")),
  ...each(valued, ["--timelimit", "--time-limit", "--timeout"], to("--time", minutes)),
  ...each(valued, ["--node", "--nodename"], onHosts),
];
