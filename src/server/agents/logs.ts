// A task's output. It comes from the task's node if the node can be asked, else from the last 4 KiB that the server
// keeps of an ended task.

import { isFinal, TASK } from "../../core/model/lifecycle";
import type { TaskRow } from "../../core/model/rows-task";
import { taskName } from "../../core/model/task";
import type { Ms } from "../../core/units";
import { within } from "../../os/clock";
import type { Context } from "../context";
import { RefusedError } from "../refused";
import type { Sessions } from "./sessions";
import { StreamError } from "./streams";

export interface LogWish {
  readonly stream: "stdout" | "stderr";
  readonly follow: boolean;
  readonly since_age_ms: Ms | null;
  /** Only the last so many lines of what is there; null is all. */
  readonly tail_lines: number | null;
  /** Each line begins with its time. */
  readonly times: boolean;
  readonly offset: number;
  /** The number of the element of an array whose output it is. Null: it is the task's. */
  readonly element: number | null;
  /** Aborted when the reader is gone. */
  readonly gone: AbortSignal;
}

/** How long a node may take to send the first bytes of a log that is not followed. */
const FIRST_BYTES_MS = 5_000;

type First =
  | { readonly is: "bytes"; readonly bytes: Uint8Array }
  | { readonly is: "end" }
  | { readonly is: "failed"; readonly why: string };

export async function logOf(
  { store, sessions }: Pick<Context, "store"> & { readonly sessions: Pick<Sessions, "openLog"> },
  found: TaskRow,
  wish: LogWish,
): Promise<Response> {
  // A node has no output yet of a task that is still to begin: to follow is to wait for it.
  const task = wish.follow ? await begun(store, found, wish.gone) : found;
  const name = nameOf(task, wish);
  const over = isFinal(task.observed.state);
  const follow = wish.follow && !over;
  const node = store.state.nodes.get(task.node_id);
  const opened = sessions.openLog(task.node_id, {
    uid: task.uid,
    name: wish.stream,
    offset: wish.offset,
    follow,
    since_age_ms: wish.since_age_ms,
    ...(wish.element === null ? {} : { element: wish.element }),
    ...(wish.tail_lines === null ? {} : { tail_lines: wish.tail_lines }),
    ...(wish.times ? { times: true } : {}),
  });
  if (opened === null) return keptTail(task, wish, `${node?.name ?? "its node"} cannot be asked now`);
  if (opened === "too_old") throw tooOld(node?.name ?? "its node");
  const bytes = opened[Symbol.asyncIterator]();
  const offset = wish.tail_lines === null ? null : await within(FIRST_BYTES_MS, opened.begins, null);
  // A followed log may have no output for long, so its answer begins at once.
  if (follow) return streamed(bytes, null, headersOf(name, offset));
  const first = await firstOf(bytes);
  if (first.is === "failed") return keptTail(task, wish, `${node?.name ?? "its node"}: ${first.why}`);
  return streamed(bytes, first, headersOf(name, offset));
}

/** Returns the name of the task, or of the element of it, whose output is wanted. */
const nameOf = (task: TaskRow, { element }: LogWish): string =>
  element === null ? taskName(task) : `${task.run}_${element}`;

const tooOld = (node: string): RefusedError =>
  new RefusedError(
    "conflict",
    `the agent of ${node} is of an earlier release, which finds neither the last lines of a log nor their times`,
    `Ask without --tail and -t, or update orch on ${node}`,
  );

/** Returns the newest row of a task once it has begun or is over, or its reader is gone. */
function begun(store: Context["store"], task: TaskRow, gone: AbortSignal): Promise<TaskRow> {
  const newest = (): TaskRow => store.state.tasks.get(task.uid) ?? store.history.task(task.uid) ?? task;
  return new Promise((resolve) => {
    const look = (): void => {
      const row = newest();
      if (TASK[row.observed.state].rank < TASK.running.rank && !gone.aborted) return;
      unlisten();
      gone.removeEventListener("abort", look);
      resolve(row);
    };
    const unlisten = store.onCommit(look);
    gone.addEventListener("abort", look);
    look();
  });
}

async function firstOf(bytes: AsyncIterator<Uint8Array>): Promise<First> {
  const next = bytes
    .next()
    .then(({ done, value }): First => (done === true ? { is: "end" } : { is: "bytes", bytes: value }))
    .catch((error: unknown): First => {
      if (error instanceof StreamError) return { is: "failed", why: error.message };
      throw error;
    });
  const first = await within(FIRST_BYTES_MS, next, { is: "failed", why: "it did not answer in time" });
  if (first.is === "failed") await bytes.return?.();
  return first;
}

type Headers = Readonly<Record<string, string>>;

const headersOf = (name: string, offset: number | null): Headers => ({
  "content-type": "application/octet-stream",
  "x-orch-task": encodeURIComponent(name),
  "x-orch-log": "whole",
  ...(offset === null ? {} : { "x-orch-log-offset": String(offset) }),
});

/**
 * Returns an answer that passes bytes on at the reader's pace. A reader that disconnects closes the stream at the node.
 */
function streamed(bytes: AsyncIterator<Uint8Array>, first: First | null, headers: Headers): Response {
  let ahead = first;
  const stream = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const now = ahead;
      ahead = null;
      if (now?.is === "end") return controller.close();
      if (now?.is === "bytes") return controller.enqueue(now.bytes);
      const { done, value } = await bytes.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await bytes.return?.();
    },
  });
  return new Response(stream, { headers });
}

function keptTail(task: TaskRow, wish: LogWish, why: string): Response {
  const name = nameOf(task, wish);
  const { observed } = task;
  const tail = wish.element === null && "tail" in observed ? observed.tail : null;
  if (tail === null) {
    throw new RefusedError(
      "unavailable",
      `the output of ${name} cannot be read: ${why}`,
      isFinal(observed.state)
        ? "A node keeps the output of what has ended for a week, or less long where there is much of it"
        : "Try again when the node is back",
    );
  }
  const text = wish.stream === "stdout" ? tail.stdout : tail.stderr;
  const notice = `${why}: these are the last 4 KiB that were kept${wish.times ? ", without times" : ""}`;
  return new Response(wish.tail_lines === null ? text : lastLines(text, wish.tail_lines), {
    headers: { ...headersOf(name, null), "x-orch-log": "tail", "x-orch-notice": encodeURIComponent(notice) },
  });
}

/** Returns the last lines of a text. Its last line may have no end. */
function lastLines(text: string, count: number): string {
  const lines = text.split(/(?<=\n)/);
  return lines.slice(Math.max(0, lines.length - count)).join("");
}
