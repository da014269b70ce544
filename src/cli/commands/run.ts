// `orch run`: makes a job of a command line, streams its output here, and ends with its exit code.

import { resolve } from "node:path";
import { formatBytes } from "../../core/format";
import { type InputRef, ON_UNKNOWN_END } from "../../core/model/workload";
import { ApiError, type Client } from "../../wire/client";
import type { RunAnswer } from "../../wire/api/runs";
import { isJobName, ofJob, refuseNumber, runJobAgain } from "../follow/again";
import { ownFault } from "../follow/own-fault";
import { command, flag, longName, readAs, readings, text, texts, whole, word } from "../frame/command";
import { isShellWord } from "../instead/shell-words";
import type { Context } from "../context";
import { activeIn, readActivate } from "../typed/environment";
import { environmentOf } from "../typed/files";
import { CliError, EXIT, UsageError } from "../failure";
import { flagOf, jobOf, type TypedCommand, type JobFlags } from "../typed/job";
import { pipedInput } from "../typed/piped";
import { describe } from "../print/complain";
import { readLabel, readLimit } from "../typed/readers";

const options = {
  gpu: text("--gpu <SPEC>", "cards: 2, 24GB, 24GB..40GB:2, A100,H100:80GB:2, amd:MI300X, '{ share: 8GB }'"),
  cpu: text("--cpu <N>", "cores, or thousandths as 500m (default: 1, or the cards' share)"),
  memory: text(
    "--memory <SIZE>",
    "promised, and a hard limit (default: 2GiB a core, or the cards' share; without a limit)",
  ),
  time: text("--time <TIME>", "longest time it may run: 12h or 1-00:00:00; 0 is no limit (0)"),
  onUnknownEnd: word("--on-unknown-end <WHAT>", "if nobody knows how it ended; ask if left out", ON_UNKNOWN_END),
  nodes: whole("--nodes <N>", "so many at once, one a slot, all or none", 1),
  array: text(
    "--array <RANGE>",
    "its elements by number, each with its own as $ORCH_SLOT: 0-99, 0-99%8 (8 at once), 0-99:2, 0-99:2%8",
  ),
  name: text("--name <NAME>", "what to call it"),
  pool: text("--pool <POOL>", "which nodes"),
  host: texts("--host <NODE>", "only on this node, or these: box1,box2 or 'box[1-3]' (again for more)"),
  where: texts("--where <EXPR>", "only on nodes whose labels fit: zone=a, 'zone in (a, b)', '!old' (again for more)"),
  tolerate: texts(
    "--tolerate <TAINT>",
    "a taint of nodes that does not keep it away: KEY or KEY=VALUE (again for more)",
  ),
  project: text("--project <P>", "who it is accounted to (your own)"),
  priority: text("--priority <N>", "higher first; users may only lower it"),
  env: texts("-e, --env <K[=V]>", "a variable, from here without =V (again for more)"),
  envFile: texts("--env-file <FILE>", "a file of variables (again for more)"),
  after: texts("--after <RUN>", "only when this run has succeeded (again for more)"),
  afterAny: texts("--after-any <RUN>", "only when this run has ended, however (again for more)"),
  afterFailed: texts("--after-failed <RUN>", "only when this run has failed (again for more)"),
  label: readings("--label <K=V>", "a label of the run itself, shown by orch show (again for more)", readLabel),
  limit: readings(
    "--limit <NAME=VALUE>",
    "nofile, memlock, core or stack of its processes (again for more)",
    readLimit,
  ),
  workdir: text("--workdir <DIR>", "where it starts on the node (the current directory)"),
  activate: text("--activate <WHAT>", "venv=DIR or conda=DIR of the node, or none (what is active here)"),
  login: flag("--login", "through the login shell of its account: profiles, module"),
  shell: text("-c <STRING>", "a text for the shell instead of a command line"),
  detach: flag("-d, --detach", "print the run's number and leave it alone"),
  waitForNodes: flag("--wait-for-nodes", "take it even if no known node can ever run it"),
  json: flag("--json", "with -d: one JSON document"),
  image: text("--image <IMAGE>", "a container (not built yet)"),
  noStdin: flag("-n, --no-stdin", "give it nothing of standard input"),
  interactive: flag("-i, --interactive", "type into it (not built yet)"),
  tty: flag("-t, --tty", "with a terminal of its own (not built yet)"),
};

export const run = command({
  operands: ["[CMD...]"],
  passThrough: true,
  options,
  examples: [
    ["orch run --gpu 1 -- python train.py", "its output here, its exit code ours"],
    ["orch run -d --time 12h -- ./sweep.sh", "prints the number; see orch logs, orch queue"],
    ["orch run --host box1 -- ./bench", "on that machine; --where zone=a chooses by the labels of nodes"],
    ["orch run recs.train -- --lr 3", "an app's job again, with more arguments; --env K=V adds variables"],
    ["orch run -- python3 - < script.py", "what is piped in is its input, at most 64 MiB"],
    ["orch run --array 0-99%8 -- ./one.sh", "a hundred times, 8 at once; orch logs RUN_7 is what number 7 printed"],
    ["orch run -c 'make -j8 && ./bench'", "through the shell"],
  ],
  notes:
    "Exit code: the job's own; 128 + n for a signal; 124 for its time limit; 137 out of memory; 126 and 127 when it\n" +
    "could not start; 123 when nobody knows how it ended (orch retry, orch settle). 125 when orch failed or refused\n" +
    "it, with -d too, and when the job succeeded but not all of its output came here or could be written; 2 for a\n" +
    "wrong command line.\n" +
    "Of an array nothing of what its elements print comes here, only how many are over; 1 if any has not succeeded.\n" +
    "All that is asked for is of one element: --cpu, --gpu, --time. An array has 1000000 elements at most, and no\n" +
    "number above 9999999.\n" +
    "What is not asked for gives way: of a node with cards, a run gets the share of its cores and memory that its\n" +
    "cards are of all cards there, or less.\n" +
    "A pipe or a file as standard input is read to its end first, and kept: each attempt, each member of\n" +
    "--nodes and each element of --array gets all of it. In a loop that reads its list from standard input, give\n" +
    "-n, as with ssh, or take < /dev/null.\n" +
    "A lost connection never ends the job. Ctrl-C asks whether to cancel or detach; without a terminal it cancels.",
  takesName: isJobName,
  // Slurm's, where a time and numbers follow.
  misread: { "-t": /^(\d+-)?\d+(:\d+)*$/, "-n": /^\d+$/, "-c": /^\d+$/, "-d": /^(after[a-z]*|singleton)\b/ },
  async run(context, { args, before, flags }) {
    context.host.becomeJob();
    if (flags.image !== null) throw new UsageError("--image: not built yet");
    if (flags.interactive || flags.tty) {
      throw new UsageError("-it: not built yet", "What is piped in is its input without it: orch run -- CMD < FILE");
    }
    if (flags.json && !flags.detach) {
      throw new UsageError("--json is the answer of a run that is left alone", "Take it with -d: orch run -d --json …");
    }
    const added = await environmentOf(context, flags);
    const [first = ""] = args;
    if (before > 0 && flags.shell === null && isJobName(first)) {
      const others = givenBeside(flags);
      // A script of the current directory may have a name that a job could have.
      if (others !== null) return refuseOthers(context, others, first);
      const more = { args: args.slice(1), env: added, wait_for_nodes: flags.waitForNodes };
      return make(context, flags, (client, input) => runJobAgain(client, first, { ...more, ...input }));
    }
    if (before > 0 && args.length === 1) refuseNumber(first, "run");
    if (flags.shell === null && isShellWord(first)) (await import("../frame/wrong-argv")).refuseShellWord(args);
    const asked = askedFor(args, flags.shell, context.host.input.tty);
    const { cwd, env: here } = context.host;
    // Who gives options has read them.
    if (flags.shell === null && givenBeside(flags) === null) await noteBatchLines(context, args);
    // What a login or another environment brings is not seen from here.
    if (before > 0 && !flags.login && flags.activate === null) {
      const { refuseMisplaced } = await import("../typed/misplaced");
      refuseMisplaced(options, { args, before, cwd, path: here["PATH"] });
    }
    const active =
      flags.activate === null
        ? activeIn(context.host.env)
        : readAs("--activate", flags.activate, (typed) => readActivate(typed, cwd));
    const env = { ...active?.env, ...added };
    if (flags.workdir === null && context.host.isCwdGone === true) {
      throw new UsageError(`the current directory ${cwd} was removed`, "Name another one with --workdir");
    }
    const jobFlags: JobFlags = {
      ...flags,
      workdir: resolve(cwd, flags.workdir ?? "."),
      activate: active?.activate ?? null,
      priority: flags.priority === null ? null : priorityOf(flags.priority),
    };
    const body = {
      name: flags.name,
      project: flags.project,
      job: await jobOf(asked, jobFlags, env),
      wait_for_nodes: flags.waitForNodes,
    };
    return make(context, flags, async (client, input) => client.run({ ...body, ...input }).catch(refusalOf));
  },
});

/** Says of a batch script of Slurm that its options are not read. */
async function noteBatchLines(context: Context, [program = "", file = ""]: readonly string[]): Promise<void> {
  const script = /(^|\/)(ba|da|k|z)?sh$/.test(program) ? file : program;
  if (!/\/|\.(sh|sbatch|slurm|job)$/.test(script)) return;
  const { scriptAt } = await import("../typed/batch-lines");
  const { batchWords } = await import("../instead/slurm-script");
  const text = await scriptAt(script, context.host);
  if (text === null || batchWords(text).length === 0) return;
  context.note(`orch: the #SBATCH lines of ${script} are not read; orch sbatch ${script} says how to ask for the same`);
}

async function make(
  context: Context,
  flags: { readonly detach: boolean; readonly json: boolean; readonly noStdin: boolean },
  ask: (client: Client, input: { readonly stdin?: InputRef }) => Promise<RunAnswer>,
): Promise<number> {
  const piped = flags.noStdin ? null : await pipedInput(context);
  if (piped !== null && (flags.detach || context.host.err.tty)) {
    context.note(`orch: its input is ${formatBytes(piped.length)} of standard input (-n takes none)`);
  }
  const asked = async (client: Client): Promise<RunAnswer> =>
    ask(client, piped === null ? {} : { stdin: await client.upload(piped) });
  if (!flags.detach) return (await import("../follow/attach")).attach(context, asked);
  try {
    const answer = await asked(await context.client());
    if (flags.json) context.json(answer);
    else context.print(String(answer.run));
    return EXIT.done;
  } catch (error) {
    return ownFault(context, error);
  }
}

/** The options that a job of an app takes. All others are in its file. */
const OF_JOBS = new Set(["env", "envFile", "detach", "json", "waitForNodes", "noStdin"]);

/** Returns the first option that was given and that a job of an app has in its file, or null. */
function givenBeside(flags: Readonly<Record<string, unknown>>): string | null {
  const given = Object.entries(options).filter(([key]) => {
    const value = flags[key];
    return !OF_JOBS.has(key) && value !== null && value !== false && !(Array.isArray(value) && value.length === 0);
  });
  const [first] = given;
  return first === undefined ? null : longName(first[1].flags);
}

async function refuseOthers(context: Context, option: string, job: string): Promise<number> {
  try {
    await ofJob(await context.client(), job, () => Promise.resolve());
  } catch (error) {
    return ownFault(context, error);
  }
  throw new UsageError(
    `${option}: ${job} has its own in its file`,
    "Change it there and apply; --env K=V may be added here",
  );
}

function askedFor(args: readonly string[], shell: string | null, isTyped: boolean): TypedCommand {
  if (shell === null && args.length === 0) {
    const piped = isTyped ? "" : "; a script on standard input: orch run -- bash < job.sh";
    throw new UsageError("which command?", `Write it behind --: orch run -- python train.py${piped}`);
  }
  if (shell !== null && args.length > 0) {
    throw new UsageError(`-c takes the whole text; ${args[0]} is too much`, "Quote it: -c '…'");
  }
  return shell === null ? { argv: args } : { shell };
}

function priorityOf(typed: string): number {
  if (!/^-?\d{1,9}$/.test(typed)) throw new UsageError(`--priority ${typed}: must be a whole number`);
  return Number(typed);
}

/** Words what the server refuses in a job in terms of the flags that made the job. */
function refusalOf(error: unknown): never {
  if (!(error instanceof ApiError) || error.issues.length === 0) throw error;
  if (error.code !== "spec" && error.code !== "forbidden") throw error;
  // A refused wish is named by the job and its key. The job's name is cut, since there is only one.
  const key = (path: string): string => (error.code === "forbidden" ? path.slice(path.indexOf(".") + 1) : path);
  const said = error.issues.map(
    (issue) => `${flagOf(key(issue.path))}: ${issue.message}${issue.hint === null ? "" : ` (${issue.hint})`}`,
  );
  throw new CliError(describe(error)?.exit ?? EXIT.failed, said.join("; "));
}
