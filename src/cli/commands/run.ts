// `orch run`: makes a job of a command line, streams its output here, and ends with its exit code.

import { ON_UNKNOWN_END } from "../../core/model/workload";
import { ApiError } from "../../wire/client";
import { attach } from "../follow/attach";
import { command, flag, readAs, reading, readings, text, texts, whole, word } from "../frame/command";
import type { Context } from "../context";
import { activeIn, readActivate, readEnv, readEnvFile } from "../typed/environment";
import { CliError, EXIT, UsageError } from "../failure";
import { readNamed } from "../typed/files";
import { flagOf, jobOf, type TypedCommand, type JobFlags } from "../typed/job";
import { describe } from "../print/complain";
import { readLabel, readLimit } from "../typed/readers";

const options = {
  gpu: text("--gpu <SPEC>", "cards: 2, 24GB, 24GB..40GB:2, A100,H100:80GB:2, amd:MI300X, '{ share: 8GB }'"),
  cpu: text("--cpu <N>", "cores, or thousandths as 500m (1)"),
  memory: text("--memory <SIZE>", "promised, and a hard limit (default: 2GiB a core, without a limit)"),
  time: text("--time <TIME>", "longest time it may run: 12h or 1-00:00:00; 0 is no limit (0)"),
  onUnknownEnd: word("--on-unknown-end <WHAT>", "if nobody knows how it ended (ask)", ON_UNKNOWN_END),
  nodes: whole("--nodes <N>", "so many at once, one a slot, all or none", 1),
  name: text("--name <NAME>", "what to call it"),
  pool: text("--pool <POOL>", "which nodes"),
  project: text("--project <P>", "who it is accounted to (your own)"),
  priority: text("--priority <N>", "higher first; users may only lower it"),
  env: texts("-e, --env <K[=V]>", "a variable, from here without =V (again for more)"),
  envFile: texts("--env-file <FILE>", "a file of variables (again for more)"),
  after: texts("--after <RUN>", "only when this run has succeeded (again for more)"),
  label: readings("--label <K=V>", "a label of the run (again for more)", readLabel),
  limit: readings(
    "--limit <NAME=VALUE>",
    "nofile, memlock, core or stack of its processes (again for more)",
    readLimit,
  ),
  workdir: text("--workdir <DIR>", "where it starts on the node (the current directory)"),
  activate: reading(
    "--activate <WHAT>",
    "venv=DIR or conda=DIR of the node, or none (what is active here)",
    readActivate,
  ),
  login: flag("--login", "through the login shell of its account: profiles, module"),
  shell: text("-c <STRING>", "a text for the shell instead of a command line"),
  detach: flag("-d, --detach", "print the run's number and leave it alone"),
  waitForNodes: flag("--wait-for-nodes", "take it even if no known node can ever run it"),
  json: flag("--json", "with -d: one JSON document"),
  image: text("--image <IMAGE>", "a container (not built yet)"),
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
    ["orch run -c 'make -j8 && ./bench'", "through the shell"],
  ],
  notes:
    "Exit code: the job's own; 128 + n for a signal; 124 for its time limit; 137 out of memory;\n" +
    "123 when nobody knows how it ended (orch retry, orch settle); 125 when orch failed; 126 and 127 when it could\n" +
    "not start.\n" +
    "A lost connection never ends the job. Ctrl-C asks whether to cancel or detach; without a terminal it cancels.",
  async run(context, { args, flags }) {
    if (flags.image !== null) throw new UsageError("--image: not built yet");
    if (flags.interactive || flags.tty) throw new UsageError("-it: not built yet");
    const asked = askedFor(args, flags.shell);
    const active = flags.activate ?? activeIn(context.host.env);
    const env = { ...active?.env, ...(await environmentOf(context, flags)) };
    const jobFlags: JobFlags = {
      ...flags,
      workdir: flags.workdir ?? context.host.cwd,
      activate: active?.activate ?? null,
      priority: flags.priority === null ? null : priorityOf(flags.priority),
    };
    const body = {
      name: flags.name,
      project: flags.project,
      job: jobOf(asked, jobFlags, env),
      wait_for_nodes: flags.waitForNodes,
    };
    if (!flags.detach) return attach(context, body, refusalOf);
    const answer = await (await context.client()).run(body).catch(refusalOf);
    if (flags.json) context.json(answer);
    else context.print(String(answer.run));
    return EXIT.done;
  },
});

function askedFor(args: readonly string[], shell: string | null): TypedCommand {
  if (shell === null && args.length === 0) {
    throw new UsageError("which command?", "Write it behind --: orch run -- python train.py");
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

/** Returns the environment: the files in their order, then single variables, which override the files. */
async function environmentOf(
  context: Context,
  flags: { readonly env: readonly string[]; readonly envFile: readonly string[] },
): Promise<Record<string, string>> {
  const { host } = context;
  let env: Record<string, string> = {};
  for (const path of flags.envFile) {
    const { file, text: lines } = await readNamed(host, path);
    env = { ...env, ...readAs(file, lines, (raw) => readEnvFile(raw, host.env)) };
  }
  const single = flags.env.map((one) => readAs("--env", one, (raw) => readEnv(raw, host.env)));
  return { ...env, ...Object.fromEntries(single) };
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
