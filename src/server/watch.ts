// Streams committed changes to watchers. A watcher resumes by revision from the changes that are still in memory, and
// otherwise is told to read everything again.

import type { Change, State } from "../core/model/rows-state";
import { type Bytes, MIB } from "../core/units";
import type { Store } from "../store/store";
import type { WatchEvent } from "../wire/api/watch";
import { eventView } from "./views/event";
import type { HeardNode } from "./facts/listening";
import { nodeView, tasksByNode } from "./views/node";
import { runView } from "./views/run";
import { taskView } from "./views/task";

export interface Watch {
  /**
   * Returns a stream of server-sent events after revision `since`. The stream ends when `holds` returns false at a
   * tick.
   */
  open(since: number | null, holds: () => boolean): ReadableStream<Uint8Array>;
  /**
   * Sends a comment that keeps connections alive, and ends the streams whose token is no longer valid. Called every
   * `TICK_MS`.
   */
  tick(): void;
  readonly watchers: () => number;
  stop(): void;
}

export const TICK_MS = 8_000;

/**
 * The most bytes that are kept for watchers to resume from, and that wait for one slow reader. A reader that falls
 * further behind is told to read everything again.
 */
const QUEUE_BYTES: Bytes = MIB;

/** What a commit is for watchers, rendered once for all of them. Null if that is more than may wait for one of them. */
type Rendered = Uint8Array<ArrayBuffer> | null;

interface Batch {
  readonly revision: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

interface Watcher {
  send(rendered: Rendered): void;
  alive(): void;
  end(): void;
  readonly holds: () => boolean;
}

export function createWatch(store: Store, heardOf: (node_id: string) => HeardNode): Watch {
  const kept: Batch[] = [];
  const watchers = new Set<Watcher>();
  let kept_bytes: Bytes = 0;
  /** A watcher can resume from this revision and from later ones. */
  let known_from = store.state.cluster.revision;

  const forget = (count: number, revision: number): void => {
    for (const { bytes } of kept.splice(0, count)) kept_bytes -= bytes.length;
    known_from = revision;
  };

  const keep = (revision: number, bytes: Rendered): void => {
    if (bytes === null) return forget(kept.length, revision);
    if (bytes.length === 0) return;
    kept.push({ revision, bytes });
    kept_bytes += bytes.length;
    for (let oldest = kept[0]; kept_bytes > QUEUE_BYTES && oldest !== undefined; oldest = kept[0]) {
      forget(1, oldest.revision);
    }
  };

  const unlisten = store.onCommit((revision, changes) => {
    const rendered = render(eventsOf(revision, changes, store.state, heardOf));
    keep(revision, rendered);
    for (const watcher of watchers) watcher.send(rendered);
  });

  /** Returns what a watcher missed since its revision. */
  function missed(since: number | null): Uint8Array<ArrayBuffer>[] {
    const revision = store.state.cluster.revision;
    if (since === null) return [encode(comment(revision))];
    if (since > revision || since < known_from) return [encode(resync(revision))];
    return [encode(comment(revision)), ...kept.filter((batch) => batch.revision > since).map(({ bytes }) => bytes)];
  }

  return {
    watchers: () => watchers.size,
    open: (since, holds) => streamOf(watchers, missed(since), holds, () => store.state.cluster.revision),
    tick() {
      for (const watcher of watchers) {
        if (watcher.holds()) watcher.alive();
        else watcher.end();
      }
    },
    stop() {
      unlisten();
      for (const watcher of watchers) watcher.end();
    },
  };
}

const comment = (revision: number): string => `: at ${revision}\n\n`;
const textOf = (event: WatchEvent): string => `id: ${event.revision}\ndata: ${JSON.stringify(event)}\n\n`;
const resync = (revision: number): string => textOf({ kind: "resync", revision });

const encoder = new TextEncoder();
const encode = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);

/** Renders events, and no more of them than may wait for a watcher. */
function render(events: Iterable<WatchEvent>): Rendered {
  let text = "";
  for (const event of events) {
    text += textOf(event);
    if (text.length > QUEUE_BYTES) return null;
  }
  const bytes = encode(text);
  return bytes.length > QUEUE_BYTES ? null : bytes;
}

function streamOf(
  watchers: Set<Watcher>,
  first: readonly Uint8Array<ArrayBuffer>[],
  holds: () => boolean,
  now: () => number,
): ReadableStream<Uint8Array> {
  let watcher: Watcher | null = null;
  let behind = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const room = (): Bytes => controller.desiredSize ?? 0;
        const own: Watcher = {
          holds,
          send(rendered) {
            if (behind || rendered?.length === 0) return;
            if (rendered !== null && rendered.length <= room()) controller.enqueue(rendered);
            // Where nothing waits, nothing asks for more either.
            else if (room() >= QUEUE_BYTES) controller.enqueue(encode(resync(now())));
            else behind = true;
          },
          alive() {
            if (room() > 0) controller.enqueue(encode(comment(now())));
          },
          end() {
            watchers.delete(own);
            controller.close();
          },
        };
        watcher = own;
        watchers.add(own);
        for (const chunk of first) controller.enqueue(chunk);
      },
      pull(controller) {
        if (!behind) return;
        behind = false;
        controller.enqueue(encode(resync(now())));
      },
      cancel() {
        if (watcher !== null) watchers.delete(watcher);
      },
    },
    { highWaterMark: QUEUE_BYTES, size: (chunk) => chunk?.length ?? 0 },
  );
}

/** Gives a commit as events. The views contain neither environments nor logs. The removal of a row is no event. */
function* eventsOf(
  revision: number,
  changes: readonly Change[],
  state: State,
  heardOf: (node_id: string) => HeardNode,
): Generator<WatchEvent> {
  let byNode: ReturnType<typeof tasksByNode> | null = null;
  for (const change of changes) {
    if (change.row === null) continue;
    switch (change.table) {
      case "tasks":
      case "ended_tasks":
        yield { kind: "task", revision, task: taskView(change.row, state) };
        break;
      case "runs":
      case "ended_runs":
        yield { kind: "run", revision, run: runView(change.row, undefined, state) };
        break;
      case "nodes":
        byNode ??= tasksByNode(state);
        yield {
          kind: "node",
          revision,
          node: nodeView(change.row, byNode.get(change.key) ?? [], heardOf(change.key), "viewer"),
        };
        break;
      case "events":
        yield { kind: "event", revision, event: eventView(change.row, state) };
        break;
      default:
    }
  }
}
