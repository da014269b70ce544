// `orch logs`: output of tasks, also of those that are gone.

import { readDuration } from "../../spec/grammar/units";
import { invalid, parsed, type Parsed } from "../../spec/issue";
import { ApiError, type Client } from "../../wire/client";
import { splitTime } from "../../wire/log-times";
import { type Following, followRun, partOnly } from "../follow/attached";
import { command, flag, reading, whole, type OutputShape } from "../frame/command";
import type { Context } from "../context";
import { CliError, EXIT } from "../failure";
import { sayOutcome } from "../follow/attach";
import { type ElementName, elementNow, followElement } from "../follow/element";
import { copyLog, type OutputPart, wholeOf } from "../follow/log-copy";
import { linesOf, mergeByTime } from "../follow/log-merge";
import { lineSink, namedSink, plainSink, type LogSink } from "../follow/log-sink";
import { exitOfRun } from "../follow/outcome";
import { readPages } from "../follow/pages";
import type { RunDetail } from "../../wire/api/runs";
import { logTargets, type LogTarget, type Targets } from "../follow/log-targets";
import { clean } from "../print/clean";
import { style } from "../print/color";
import { complain } from "../print/complain";
import { watchFrom } from "../follow/watching";
import { isElementOver, ONLY_ITS_NODE, sayElementOver } from "../../core/why/over";
import { waitsLine } from "../print/explain";
import { hasBegun } from "../print/tasks";

interface Line {
  readonly task: string;
  readonly stream: "stdout" | "stderr";
  readonly line: string;
  /** With --timestamps. Null for a line that has no time. */
  readonly time_ms?: number | null;
}

interface LogWish {
  readonly follow: boolean;
  readonly attempt: number | null;
  readonly output: OutputPart;
  /** Whether each line begins with the name of its task. */
  readonly named: boolean;
  /** With what the names of all tasks begin. */
  readonly shared: string;
  /** Receives the lines in place of a terminal or file. */
  readonly take: ((line: Line) => void) | null;
}

export const logs = command({
  reads: true,
  operands: ["[TASK|WORKLOAD|RUN]"],
  options: {
    follow: flag("-f, --follow", "go on until it ends"),
    attempt: whole("--attempt <N>", "of an earlier attempt", 1),
    since: reading("--since <DURATION>", "only what was written so long ago at most", readDuration),
    tail: reading(
      "--tail <N>",
      "only the last lines of each output of each task, or all; with -f, what comes too",
      readTail,
    ),
    timestamps: flag(
      "-t, --timestamps",
      "each line behind its time (UTC), as its node noticed it: up to 4 s late; without -f in that order",
    ),
  },
  examples: [
    ["orch logs", "of my last run"],
    ["orch logs -f recs.api", "all tasks of a workload, as they write"],
    ["orch logs -f --tail 0 recs.api", "only what they write from now on"],
    ["orch logs 123_7", "of one element of an array"],
    ["orch logs -f 123", "of an array: how far it is, to its end; the exit code as of orch run"],
    ["orch logs recs.api.0 --attempt 1", "why the first one failed"],
  ],
  async run(context, { args: [typed], flags, shape }) {
    const client = await context.client();
    const revision = flags.follow ? (await client.me()).revision : 0;
    const isFollowed = flags.follow && flags.attempt === null;
    const targets = await logTargets(client, typed, {
      attempt: flags.attempt,
      isWhole: isFollowed || shape === "ids",
    });
    const { tasks, kind, element } = targets;
    if (targets.note !== null && shape === "text") context.note(`orch: ${targets.note}`);
    if (shape === "ids" && kind === "array" && targets.run !== null) {
      for (const name of await begunIn(client, targets.run)) context.print(name);
      return EXIT.done;
    }
    if (shape === "ids") {
      for (const { id, name } of tasks) context.print(id?.slice(0, 10) ?? name);
      return EXIT.done;
    }
    const named = tasks.length > 1 || (flags.follow && kind === "many");
    const asked = { ...(await askedFor(context, flags, shape)), named, shared: targets.shared };
    if (isFollowed && kind === "many") {
      return growing(context, client, targets, { typed: typed ?? "", asked, revision });
    }
    if (isFollowed && targets.run !== null && (shape === "text" || kind === "array")) {
      const { signal } = new AbortController();
      const following = { context, client, run: targets.run, since: revision, signal, output: asked.output };
      const tell: Following["tell"] = (run) => context.jsonLine(run);
      const followed = await followRun(shape === "json" ? { ...following, tell } : following);
      if (shape === "json" && followed !== null) return sayEnd(context, followed.run);
      if (kind === "array" && followed !== null) return sayOutcome(context, followed);
      return followed?.isWhole === false ? EXIT.failed : EXIT.done;
    }
    if (isFollowed && element !== undefined) {
      await followElement(client, element, {
        copy: async () => {
          await copyTask(context, client, { id: element.name, name: element.name }, asked);
        },
        sayWait: async () => noteQuiet(context, client, element.name, 0),
      });
      return EXIT.done;
    }
    if (tasks.length === 0) throw await nothingOf(client, typed ?? String(targets.run), flags.attempt);
    const lines: Line[] = [];
    const how =
      shape === "json" && !flags.follow
        ? {
            ...asked,
            take: (line: Line) => {
              lines.push(line);
            },
          }
        : asked;
    let written = 0;
    if (flags.follow) await Promise.all(tasks.map((task) => copyTask(context, client, task, how)));
    else for (const task of tasks) written += await copyTask(context, client, task, how);
    const isPart = flags.follow || flags.attempt !== null || flags.since !== null || flags.tail !== null;
    if (written === 0 && element !== undefined && shape === "text" && !isPart)
      await noteEmpty(context, client, element);
    if (shape === "json" && !flags.follow) context.json({ lines });
    return EXIT.done;
  },
});

/** Returns the names of the elements of an array that have begun, or may have. */
async function begunIn(client: Client, run: number): Promise<string[]> {
  const { items } = await readPages(async (page) => {
    const { elements, next } = await client.elements(run, page);
    return { items: elements, next };
  });
  return items
    .filter(({ state, attempts }) => (attempts ?? 0) > 0 || (state !== "pending" && state !== "cancelled"))
    .map(({ slot }) => `${run}_${slot}`);
}

/** Prints how an array ended, as the last document, and returns the exit code of `orch run`. */
function sayEnd(context: Context, run: RunDetail): number {
  context.jsonLine({ run: run.run, array: run.array, state: run.state, reason: run.reason });
  return exitOfRun(run);
}

/** Reads a number of lines. docker says `all` for no bound, and kubectl -1. */
function readTail(typed: string): Parsed<number | null> {
  if (typed === "all" || typed === "-1") return parsed(null);
  if (/^\d{1,9}$/.test(typed)) return parsed(Number(typed));
  return invalid("must be a whole number of at least 0, or all");
}

/** Returns why there is no output, in one message: what it waits for, or how it ended without having begun. */
async function nothingOf(client: Client, what: string, attempt: number | null): Promise<CliError> {
  const name = /^\d+$/.test(what) ? `run ${what}` : what;
  if (attempt !== null)
    return new CliError(EXIT.failed, `there is no attempt ${attempt} of ${name}`, "See: orch ps --all");
  const why = await whyNothing(client, what);
  return why.is === "over"
    ? new CliError(EXIT.failed, `nothing of ${name} has run: ${why.words}`, `See: orch show ${what}`)
    : new CliError(EXIT.failed, `nothing of ${name} has run yet: ${why.words}`, null);
}

interface Nothing {
  readonly is: "waits" | "over";
  readonly words: string;
}

async function whyNothing(client: Client, what: string): Promise<Nothing> {
  try {
    const view = await client.explain(what);
    const words =
      "placed" in view ? `it begins on ${view.placed.node}` : waitsLine({ ...view, name: "it" }, style(false));
    return { is: "waits", words };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    if (error.code === "conflict") return { is: "over", words: error.message };
    // An app has many reasons.
    if (error.code === "not_found") return { is: "waits", words: `orch ps ${what} says why` };
    throw error;
  }
}

interface Flags {
  readonly follow: boolean;
  readonly attempt: number | null;
  readonly since: number | null;
  readonly tail: number | null;
  readonly timestamps: boolean;
}

const askedFor = async (
  context: Context,
  flags: Flags,
  shape: OutputShape,
): Promise<Omit<LogWish, "named" | "shared">> => ({
  follow: flags.follow,
  attempt: flags.attempt,
  output: {
    ...(flags.since === null ? {} : { since_ms: (await context.serverNow()) - flags.since }),
    ...(flags.tail === null ? {} : { tail: flags.tail }),
    ...(flags.timestamps ? { times: true } : {}),
  },
  take: shape === "json" ? (line) => context.jsonLine(line) : null,
});

/** Yields all tasks of a workload, also those that come later, without end. */
async function growing(
  context: Context,
  client: Client,
  { tasks, accepts }: Targets,
  { typed, asked, revision }: { readonly typed: string; readonly asked: LogWish; readonly revision: number },
): Promise<number> {
  const seen = new Set<string>();
  const begin = ({ id, name }: LogTarget, wish: LogWish): void => {
    if (id === null || seen.has(id)) return;
    seen.add(id);
    void copyTask(context, client, { id, name }, wish).catch((error: unknown) => complain(error, context.host.err));
  };
  for (const task of tasks) begin(task, asked);
  await noteQuiet(context, client, typed, tasks.length);
  const later = { ...asked, output: wholeOf(asked.output) };
  for await (const event of watchFrom(context, client, revision)) {
    if (event.kind === "task" && hasBegun(event.task) && accepts(event.task)) begin(event.task, later);
  }
  return EXIT.done;
}

/**
 * Says what is followed while it writes nothing: why nothing of it runs, or to a person how many tasks there are. A
 * script's standard error stays empty where all goes well.
 */
async function noteQuiet(context: Context, client: Client, typed: string, tasks: number): Promise<void> {
  if (tasks > 0) {
    const those = tasks === 1 ? "1 task" : `${tasks} tasks`;
    if (context.host.err.tty) context.note(`orch: follows ${those} of ${clean(typed)}; Ctrl-C ends only this`);
    return;
  }
  const { is, words } = await whyNothing(client, typed);
  const later = is === "over" ? "; what runs later is shown" : "";
  context.note(`orch: nothing of ${clean(typed)} has run${is === "over" ? "" : " yet"}: ${clean(words)}${later}`);
}

/** Says why an element has no output, where its state says it. One that has succeeded may just print nothing. */
async function noteEmpty(context: Context, client: Client, element: ElementName): Promise<void> {
  // Of an earlier attempt no end is kept.
  if (element.name.includes("#")) return;
  const { view, task } = await elementNow(client, element);
  if (view === undefined) return;
  const how = sayElementOver(view);
  const on = task?.node == null ? "" : ` on ${task.node}`;
  if (how !== null) context.note(`orch: ${element.name} has printed nothing: ${clean(how)}`);
  else if (!isElementOver(view))
    context.note(
      `orch: ${element.name} has printed nothing yet, or has not begun: its batch is${clean(on)}, ${ONLY_ITS_NODE}`,
    );
}

/** Copies what a task has written. Returns how many bytes that are. */
async function copyTask(context: Context, client: Client, task: LogTarget, asked: LogWish): Promise<number> {
  const { id, name } = task;
  if (id === null) throw new CliError(EXIT.failed, `${name} has not begun`, `See why: orch explain ${name}`);
  const sinks = STREAMS.map((stream) => sinkFor(context, name, stream, asked));
  const copy = async (at: number, write: (bytes: Uint8Array) => Promise<void>): Promise<void> => {
    const { follow, attempt, output } = asked;
    const stream = STREAMS[at] ?? "stdout";
    const source = { client, ref: id, stream, follow, ...(attempt === null ? {} : { attempt }), ...output };
    const copied = await copyLog(context, source, write);
    if (copied.is === "part") throw partOnly({ id, name }, copied.why);
  };
  let written = 0;
  const write = async (bytes: Uint8Array, at: number): Promise<void> => {
    written += bytes.length;
    await sinks[at]?.write(bytes);
  };
  try {
    // What is followed is written as it comes: nobody knows whether the other output has something earlier.
    if (asked.output.times === true && !asked.follow) {
      await mergeByTime(
        STREAMS.map((_, at) => linesOf(async (to) => copy(at, to))),
        write,
      );
    } else await Promise.all(STREAMS.map(async (_, at) => copy(at, async (bytes) => write(bytes, at))));
    return written;
  } finally {
    for (const sink of sinks) sink.end();
  }
}

const STREAMS = ["stdout", "stderr"] as const;

function sinkFor(
  context: Context,
  task: string,
  stream: Line["stream"],
  { named, shared, take, output }: LogWish,
): LogSink {
  const { out, err } = context.host;
  if (take !== null)
    return lineSink(
      (line) => take({ task, stream, ...(output.times === true ? splitTime(line) : { line }) }),
      () => out.drained(),
    );
  const sink = stream === "stdout" ? out : err;
  return named ? namedSink(context, sink, task, shared) : plainSink(sink);
}
