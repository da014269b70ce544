// Streams committed changes to watchers. A watcher resumes by revision from the changes that are still in memory, and
// otherwise is told to read everything again.

import { HOUSE_LIMITS } from "../core/limits";
import type { Change, State } from "../core/model/rows-state";
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

/** The most changed rows that are kept for watchers to resume from. */
const ROWS = 65_536;

/**
 * The most bytes that wait for one slow reader. A reader that falls further behind is told to read everything again.
 */
const QUEUE_BYTES = 1024 * 1024;

interface Batch {
  readonly revision: number;
  readonly changes: readonly Change[];
}

interface Watcher {
  send(text: string): void;
  alive(): void;
  end(): void;
  readonly holds: () => boolean;
}

const WATCHED: ReadonlySet<Change["table"]> = new Set([
  "tasks",
  "ended_tasks",
  "runs",
  "ended_runs",
  "nodes",
  "events",
]);

export function createWatch(store: Store, heardOf: (node_id: string) => HeardNode): Watch {
  const kept: Batch[] = [];
  const watchers = new Set<Watcher>();
  let rows = 0;
  /** A watcher can resume from revisions above this one. */
  let forgotten = store.state.cluster.revision - 1;

  const render = (batch: Batch): string => eventsOf(batch, store.state, heardOf).map(textOf).join("");

  const unlisten = store.onCommit((revision, all) => {
    const batch = { revision, changes: all.filter((change) => WATCHED.has(change.table)) };
    kept.push(batch);
    rows += batch.changes.length;
    while (kept.length > HOUSE_LIMITS.watch_backlog || rows > ROWS) {
      const oldest = kept.shift();
      if (oldest === undefined) break;
      rows -= oldest.changes.length;
      forgotten = oldest.revision;
    }
    if (watchers.size === 0) return;
    const text = render(batch);
    for (const watcher of watchers) watcher.send(text);
  });

  /** Returns the events that a watcher missed since its revision. */
  function missed(since: number | null): string {
    const revision = store.state.cluster.revision;
    if (since === null) return comment(revision);
    const known = since <= revision && since > forgotten;
    if (!known) return textOf({ kind: "resync", revision });
    return (
      comment(revision) +
      kept
        .filter((batch) => batch.revision > since)
        .map(render)
        .join("")
    );
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

function streamOf(
  watchers: Set<Watcher>,
  first: string,
  holds: () => boolean,
  now: () => number,
): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  let watcher: Watcher | null = null;
  let behind = false;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const room = (): boolean => (controller.desiredSize ?? 0) > 0;
        const own: Watcher = {
          holds,
          send(text) {
            if (behind || text === "") return;
            if (room()) controller.enqueue(encoder.encode(text));
            else behind = true;
          },
          alive() {
            if (room()) controller.enqueue(encoder.encode(comment(now())));
          },
          end() {
            watchers.delete(own);
            controller.close();
          },
        };
        watcher = own;
        watchers.add(own);
        controller.enqueue(encoder.encode(first));
      },
      pull(controller) {
        if (!behind) return;
        behind = false;
        controller.enqueue(encoder.encode(textOf({ kind: "resync", revision: now() })));
      },
      cancel() {
        if (watcher !== null) watchers.delete(watcher);
      },
    },
    { highWaterMark: QUEUE_BYTES, size: (chunk) => chunk?.length ?? 0 },
  );
}

/** Returns a batch as events. The views contain neither environments nor logs. The removal of a row is no event. */
function eventsOf({ revision, changes }: Batch, state: State, heardOf: (node_id: string) => HeardNode): WatchEvent[] {
  const events: WatchEvent[] = [];
  let byNode: ReturnType<typeof tasksByNode> | null = null;
  for (const change of changes) {
    if (change.row === null) continue;
    switch (change.table) {
      case "tasks":
      case "ended_tasks":
        events.push({ kind: "task", revision, task: taskView(change.row, state) });
        break;
      case "runs":
      case "ended_runs":
        events.push({ kind: "run", revision, run: runView(change.row, undefined, state) });
        break;
      case "nodes":
        byNode ??= tasksByNode(state);
        events.push({
          kind: "node",
          revision,
          node: nodeView(change.row, byNode.get(change.key) ?? [], heardOf(change.key), "viewer"),
        });
        break;
      case "events":
        events.push({ kind: "event", revision, event: eventView(change.row, state) });
        break;
      default:
    }
  }
  return events;
}
