// Following a run: the output of each of its tasks as it is written, over lost connections, until the run has ended.

import { readRun } from "./pages";
import type { RunDetail, RunView } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";
import { isFinal, type RunState, type TaskState } from "../../core/model/lifecycle";
import { pause } from "../../os/clock";
import type { Client } from "../../wire/client";
import type { Context } from "../context";
import { copyLog } from "./log-copy";
import { plainSink } from "./log-sink";
import { waitsLine } from "../print/explain";
import { clean } from "../print/clean";
import { style } from "../print/color";
import { complain } from "../print/complain";
import { watchFrom } from "./watching";

/** After the end of the run its output is waited for as long as it comes, and this much longer. */
const QUIET_MS = 5_000;

/** How often and how long the plan's first word on a run is waited for. */
const FIRST_LOOKS = 40;
const FIRST_LOOK_MS = 25;

export interface Following {
  readonly context: Context;
  readonly client: Client;
  readonly run: number;
  /** A revision from before the run, so that nothing of it is missed. */
  readonly since: number;
  /** Ends following, not the run. */
  readonly signal: AbortSignal;
}

interface Copies {
  /** Begins to copy a task's output, once. */
  take(task: TaskView): void;
  /** Resolves when all output has come, or none comes any more. */
  finished(): Promise<void>;
}

/** Resolves with the run as it ended; null when `signal` ended the following. */
export async function followRun(following: Following): Promise<RunDetail | null> {
  const { client, run, since, signal, context } = following;
  const copies = copiesOf(following);
  const saidWaiting = waitingNotes(context);
  const look = async (): Promise<boolean> => {
    const detail = await readRun(client, run);
    for (const task of detail.tasks) copies.take(task);
    saidWaiting(detail);
    return isFinal(detail.state as RunState);
  };
  await planned(following);
  let over = await look();
  if (!over) {
    for await (const event of watchFrom(context, client, since, signal)) {
      if (event.kind === "resync") over = await look();
      if (event.kind === "task" && event.task.run === run) copies.take(event.task);
      if (event.kind === "run" && event.run.run === run) {
        saidWaiting(event.run);
        over = isFinal(event.run.state as RunState);
      }
      if (over) break;
    }
  }
  if (!over) return null;
  // The last tasks may have come and gone between two events.
  await look();
  await copies.finished();
  return client.runInfo(run);
}

/** Waits until the plan has placed the run or said why it waits: whoever looks at once would be told neither. */
async function planned({ client, run, signal }: Following): Promise<void> {
  for (let looks = 0; looks < FIRST_LOOKS && !signal.aborted; looks++) {
    const { state, reason } = await client.runInfo(run);
    if (state !== "queued" || reason !== null) return;
    await pause(FIRST_LOOK_MS, signal);
  }
}

/** Says why a run waits, again only when the reason changes. */
function waitingNotes(context: Context): (run: Pick<RunView, "run" | "state" | "reason">) => void {
  let said: string | null = null;
  return ({ run, state, reason }) => {
    const waits = (state === "queued" || state === "waiting") && reason !== null;
    if (!waits || reason === said) return;
    said = reason;
    context.note(`orch: ${waitsLine({ name: `run ${run}`, kind: "queued", summary: reason }, style(false))}`);
  };
}

function copiesOf({ context, client, signal }: Following): Copies {
  const begun = new Set<string>();
  const running: Promise<void>[] = [];
  const quiet = new AbortController();
  const either = AbortSignal.any([signal, quiet.signal]);
  const sinks = { stdout: plainSink(context.host.out), stderr: plainSink(context.host.err) };
  let written = 0;

  async function copy(id: string, stream: "stdout" | "stderr"): Promise<void> {
    try {
      await copyLog(context, { client, ref: id, stream, follow: true, signal: either }, async (bytes) => {
        written += 1;
        await sinks[stream].write(bytes);
      });
    } catch (error) {
      // The run goes on, and its exit code is still worth having: output that cannot be had is only said.
      complain(error, context.host.err);
    }
  }

  return {
    take(task) {
      if (task.id === null || begun.has(task.id) || !hasBegun(task)) return;
      begun.add(task.id);
      if (task.attempt > 1) context.note(`orch: attempt ${task.attempt} on ${clean(task.node ?? "?")}`);
      running.push(copy(task.id, "stdout"), copy(task.id, "stderr"));
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
    },
  };
}

/** Whether there can be any output: what was rejected never ran. */
export const hasBegun = ({ state }: TaskView): boolean =>
  state === "running" ||
  state === "stopping" ||
  (state !== "pending" && state !== "rejected" && isFinal(state as TaskState));
