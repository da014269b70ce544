// Follows a run until it has ended: copies the output of each of its tasks as it is written, also over broken
// connections.

import { arrayNotes } from "./array";
import { readRun } from "./pages";
import type { RunDetail, RunView } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";
import { isFinal, type RunState, type TaskState } from "../../core/model/lifecycle";
import { bootMs, pause, within } from "../../os/clock";
import type { Client } from "../../wire/client";
import type { Context } from "../context";
import { CliError, EXIT } from "../failure";
import { copyLog, type OutputPart, wholeOf } from "./log-copy";
import { plainSink } from "./log-sink";
import { waitsLine } from "../print/explain";
import { clean } from "../print/clean";
import { style } from "../print/color";
import { complain } from "../print/complain";
import { hasBegun } from "../print/tasks";
import { unlessAway, watchFrom } from "./watching";

/** How long after the run's end no output may come before the rest is given up. */
const QUIET_MS = 5_000;

/** How often the run is asked for until the plan has decided on it, and the pause between two requests. */
const FIRST_LOOKS = 40;
const FIRST_LOOK_MS = 25;

export interface Following {
  readonly context: Context;
  readonly client: Client;
  readonly run: number;
  /** A revision from before the run, so that no change of the run is missed. */
  readonly since: number;
  /** Ends the following. The run goes on. */
  readonly signal: AbortSignal;
  /** Resolves when output may be written: no question is open meanwhile. Without it output is always written. */
  readonly quiet?: () => Promise<void>;
  /** Is told how far an array is, in place of a note. */
  readonly tell?: Parameters<typeof arrayNotes>[1];
  /** The part of the output that is copied. Without it the whole is. */
  readonly output?: OutputPart;
}

interface Copies {
  /** Begins to copy a task's output. A task that is already copied is left alone. */
  take(task: TaskView, output: OutputPart): void;
  /** Returns whether a task that was taken has not ended. */
  hasTask(): boolean;
  /** Resolves when all output was copied, or when none came for `QUIET_MS`, which is told. */
  finished(): Promise<void>;
  /** Returns whether not all output of a task was copied. */
  lacks(id: string): boolean;
}

export interface Followed {
  readonly run: RunDetail;
  /** Whether all output of the tasks that succeeded was copied. What a task wrote that was lost may be lost with it. */
  readonly isWhole: boolean;
}

/** Returns whether nothing more comes by itself: the run has ended, or waits for a person. */
const isOver = ({ state, unknown }: Pick<RunView, "state" | "unknown">): boolean =>
  isFinal(state as RunState) || unknown > 0;

/**
 * Resolves with the run after its end, or when it waits for a person, since nobody knows how it ended. Resolves with
 * null if `signal` ended the following.
 */
export async function followRun(asked: Following): Promise<Followed | null> {
  const following = { ...asked, context: quietly(asked) };
  const { client, run, context } = following;
  const saidWaiting = waitingNotes(context);
  const sayProgress = arrayNotes(context, following.tell);
  const isArray = (await planned(following))?.array != null;
  const copies = copiesOf(following, saidWaiting.waited, isArray);
  const later = wholeOf(following.output ?? {});
  const look = async (output: OutputPart): Promise<RunDetail> => {
    // An array has had many tasks, of which nothing is copied.
    const detail = await (isArray ? client.runInfo(run) : readRun(client, run));
    for (const task of detail.tasks) copies.take(task, output);
    saidWaiting.look(detail);
    sayProgress(detail);
    return detail;
  };
  const isFirst = isOver(await look(following.output ?? {}));
  if (!isFirst && !(await followChanges(following, copies, sayProgress, async () => isOver(await look(later)))))
    return null;
  // The last tasks may have begun and ended between two events.
  const { tasks } = await look(later);
  await copies.finished();
  const isWhole = !tasks.some(({ id, state }) => state === "succeeded" && id !== null && copies.lacks(id));
  return { run: await client.runInfo(run), isWhole };
}

/** Returns the context whose notes wait until no question is open: they would be written over it. */
function quietly({ context, quiet }: Following): Context {
  if (quiet === undefined) return context;
  return {
    ...context,
    note: (text) => {
      quiet()
        .then(() => context.note(text))
        .catch((error: unknown) => complain(error, context.host.err));
    },
  };
}

/**
 * Follows what changes until the run is over, or the following ends. Returns whether the run is over. While the run has
 * no task it is looked at as well: what it waits for then is found by passes of the plan, and is no change.
 */
async function followChanges(
  following: Following,
  copies: Copies,
  seen: (run: RunView) => void,
  look: () => Promise<boolean>,
): Promise<boolean> {
  const { context, client, run, since, signal } = following;
  const later = wholeOf(following.output ?? {});
  const leave = new AbortController();
  const changes = watchFrom(context, client, since, AbortSignal.any([signal, leave.signal]));
  const looks = looksAt();
  try {
    for (let next = changes.next(); ;) {
      const change = copies.hasTask() ? await next : await within(looks.dueIn(), next, null);
      if (change === null) {
        looks.done();
        if ((await unlessAway(look)) === true) return true;
        continue;
      }
      if (change.done === true) return false;
      next = changes.next();
      const event = change.value;
      if (event.kind === "resync" && (await look())) return true;
      const isOfRun = (event.kind === "task" ? event.task.run : event.kind === "run" ? event.run.run : null) === run;
      if (isOfRun) looks.again();
      if (event.kind === "task" && isOfRun) copies.take(event.task, later);
      if (event.kind === "run" && isOfRun) seen(event.run);
      if (event.kind === "run" && isOfRun && isOver(event.run)) return true;
    }
  } finally {
    leave.abort();
  }
}

/** The pauses between two looks at a run without a task, from its last change on. The last one is repeated. */
const LOOKS_MS = [250, 500, 1_000, 2_000, 5_000];

function looksAt(): { readonly dueIn: () => number; readonly done: () => void; readonly again: () => void } {
  let looks = 0;
  let from_ms = bootMs();
  return {
    dueIn: () => Math.max(0, from_ms + (LOOKS_MS[Math.min(looks, LOOKS_MS.length - 1)] ?? 0) - bootMs()),
    done() {
      looks += 1;
      from_ms = bootMs();
    },
    again() {
      looks = 0;
      from_ms = bootMs();
    },
  };
}

/** Waits until the plan has placed the run or given the reason why it waits. A new run has neither. */
async function planned({ client, run, signal }: Following): Promise<RunDetail | null> {
  let seen: RunDetail | null = null;
  for (let looks = 0; looks < FIRST_LOOKS && !signal.aborted; looks++) {
    seen = await client.runInfo(run);
    if (seen.state !== "queued" || seen.reason !== null) return seen;
    await pause(FIRST_LOOK_MS, signal);
  }
  return seen;
}

interface WaitingNotes {
  /** Prints why a run waits, and again when the reason changes in more than its figures, which change all the time. */
  look(run: Pick<RunView, "run" | "state" | "reason" | "blocked">): void;
  /** Returns whether a wait was told. */
  waited(): boolean;
}

/** An amount, a time or a count: `2`, `24GB`, `1m30s`. A name has its digits behind a letter or a dash. */
const FIGURE = /(?<![\w.-])\d[\w.]*/g;

function waitingNotes(context: Context): WaitingNotes {
  let said: string | null = null;
  return {
    look({ run, state, reason, blocked }) {
      if ((state !== "queued" && state !== "waiting") || reason === null) return;
      const words = reason.replaceAll(FIGURE, "#");
      if (words === said) return;
      said = words;
      context.note(
        `orch: ${waitsLine({ name: `run ${run}`, kind: blocked ?? "queued", summary: reason }, style(false))}`,
      );
    },
    waited: () => said !== null,
  };
}

type Taken = Pick<TaskView, "name"> & { readonly id: string };

/** Returns how it is told that only a part of a task's output is here. */
export const partOnly = ({ id, name }: Taken, why: string): CliError =>
  new CliError(EXIT.failed, `not all output of ${name} has come: ${why}`, `See: orch logs ${id}`);

function copiesOf(
  { context, client, signal, quiet: silence }: Following,
  waited: () => boolean,
  isArray: boolean,
): Copies {
  const begun = new Set<string>();
  const living = new Set<string>();
  const running: Promise<void>[] = [];
  const quiet = new AbortController();
  const either = AbortSignal.any([signal, quiet.signal]);
  const sinks = { stdout: plainSink(context.host.out), stderr: plainSink(context.host.err) };
  let written = 0;
  const lacking = new Set<string>();
  const parts = new Map<string, CliError>();

  async function copy({ id, name }: Taken, stream: "stdout" | "stderr", output: OutputPart): Promise<void> {
    const source = { client, ref: id, stream, follow: true, signal: either, ...output };
    try {
      const copied = await copyLog(context, source, async (bytes) => {
        written += 1;
        await silence?.();
        await sinks[stream].write(bytes);
      });
      if (copied.is !== "whole") lacking.add(id);
      if (copied.is === "part") parts.set(id, partOnly({ id, name }, copied.why));
    } catch (error) {
      // A task's missing output is printed as an error and does not end the following, since the run goes on and its
      // exit code is still wanted.
      lacking.add(id);
      complain(error, context.host.err);
    }
  }

  return {
    lacks: (id) => lacking.has(id),
    hasTask: () => living.size > 0,
    take(task, output) {
      if (task.id !== null && isFinal(task.state as TaskState)) living.delete(task.id);
      else if (task.id !== null) living.add(task.id);
      // The elements of an array may be many, and of what they print nothing is shown.
      if (isArray || task.id === null || begun.has(task.id) || !hasBegun(task)) return;
      begun.add(task.id);
      const node = clean(task.node ?? "?");
      if (task.attempt > 1) context.note(`orch: attempt ${task.attempt} on ${node}`);
      else if (context.host.err.tty || waited()) {
        // A script's standard error stays the job's own, unless it was told of a wait, whose end it is told too.
        context.note(`orch: ${task.app === null ? `run ${clean(task.name)}` : clean(task.name)} runs on ${node}`);
      }
      const taken = { id: task.id, name: task.name };
      running.push(copy(taken, "stdout", output), copy(taken, "stderr", output));
    },
    async finished() {
      let done = false;
      const all = Promise.all(running).then(() => {
        done = true;
      });
      for (let before = -1; !done && before !== written && !signal.aborted;) {
        before = written;
        const over = new AbortController();
        await Promise.race([all.then(() => over.abort()), pause(QUIET_MS, over.signal)]);
      }
      quiet.abort();
      await all;
      for (const sink of [sinks.stdout, sinks.stderr]) sink.end();
      if (!signal.aborted) for (const part of parts.values()) complain(part, context.host.err);
    },
  };
}
