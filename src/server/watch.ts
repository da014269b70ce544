// Streams committed changes to watchers. A watcher resumes by revision from the changes that are still in memory, and
// otherwise is told to read everything again.

import type { Change, State } from "../core/model/rows-state";
import type { RunRow } from "../core/model/rows-work";
import type { RunBounds } from "../core/plan/outcome";
import { type Bytes, MIB } from "../core/units";
import type { Store } from "../store/store";
import type { WatchEvent } from "../wire/api/watch";
import { eventView } from "./views/event";
import type { HeardNode } from "./facts/listening";
import { nodeView, tasksByNode } from "./views/node";
import { wordingFor } from "./access/wording";
import { runByNumber } from "./work/resolve";
import { rowLook, runView } from "./views/run";
import { taskView, type TaskLook } from "./views/task";

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

type TasksByNode = ReturnType<typeof tasksByNode>;

interface Commit {
  readonly revision: number;
  readonly changes: readonly Change[];
}

/** The most changes that are kept unrendered while nobody watches. Rendered they are about `QUEUE_BYTES`. */
const UNSEEN_MAX = 1_000;

/** The tables of which watchers see something. */
const SHOWN = new Set<Change["table"]>(["tasks", "ended_tasks", "runs", "ended_runs", "nodes", "events"]);

/** What watchers are source: rows, and what is known of them beside. */
export interface WatchSource {
  readonly store: Store;
  readonly heardOf: (node_id: string) => HeardNode;
  readonly limits: RunBounds & TaskLook["limits"];
}

interface Watcher {
  send(rendered: Rendered): void;
  alive(): void;
  end(): void;
  readonly holds: () => boolean;
}

export function createWatch(source: WatchSource): Watch {
  const { store } = source;
  const backlog = backlogOf(source);
  const watchers = new Set<Watcher>();

  const unlisten = store.onCommit((revision, changes) => {
    const commit = { revision, changes };
    if (watchers.size === 0) return backlog.postpone(commit);
    const rendered = backlog.keep(commit);
    for (const watcher of watchers) watcher.send(rendered);
  });

  return {
    watchers: () => watchers.size,
    open: (since, holds) => streamOf(watchers, backlog.missed(since), holds, () => store.state.cluster.revision),
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

/** The commits that a watcher can resume from. */
interface Backlog {
  /** Renders a commit and keeps it. Nothing may be postponed. */
  keep(commit: Commit): Rendered;
  /** Keeps a commit that nobody watches. It is rendered when somebody comes. */
  postpone(commit: Commit): void;
  /** Returns what a watcher missed since its revision. Nothing is postponed then. */
  missed(since: number | null): Uint8Array<ArrayBuffer>[];
}

function backlogOf(source: WatchSource): Backlog {
  const { store } = source;
  const kept: Batch[] = [];
  /** The commits after those in `kept`. */
  const unseen: Commit[] = [];
  let kept_bytes: Bytes = 0;
  let unseen_changes = 0;
  /** A watcher can resume from this revision and from later ones. */
  let known_from = store.state.cluster.revision;

  const forget = (count: number, revision: number): void => {
    for (const { bytes } of kept.splice(0, count)) kept_bytes -= bytes.length;
    known_from = revision;
  };

  const keep = (commit: Commit, byNode: TasksByNode): Rendered => {
    const { revision } = commit;
    const bytes = render(eventsOf(commit, byNode, source));
    if (bytes === null) forget(kept.length, revision);
    if (bytes === null || bytes.length === 0) return bytes;
    kept.push({ revision, bytes });
    kept_bytes += bytes.length;
    for (let oldest = kept[0]; kept_bytes > QUEUE_BYTES && oldest !== undefined; oldest = kept[0]) {
      forget(1, oldest.revision);
    }
    return bytes;
  };

  /** Renders what was postponed, with names and tasks as they are now. */
  const catchUp = (): void => {
    const commits = unseen.splice(0);
    unseen_changes = 0;
    const byNode = tasksByNode(store.state, nodesOf(commits));
    for (const commit of commits) keep(commit, byNode);
  };

  return {
    keep: (commit) => keep(commit, tasksByNode(store.state, nodesOf([commit]))),
    postpone({ revision, changes: all }) {
      const changes = all.filter(({ table, row }) => row !== null && SHOWN.has(table));
      if (changes.length === 0) return;
      unseen.push({ revision, changes });
      unseen_changes += changes.length;
      for (let oldest = unseen[0]; unseen_changes > UNSEEN_MAX && oldest !== undefined; oldest = unseen[0]) {
        unseen.shift();
        unseen_changes -= oldest.changes.length;
        forget(kept.length, oldest.revision);
      }
    },
    missed(since) {
      catchUp();
      const revision = store.state.cluster.revision;
      if (since === null) return [encode(comment(revision))];
      if (since > revision || since < known_from) return [encode(resync(revision))];
      return [encode(comment(revision)), ...kept.filter((batch) => batch.revision > since).map(({ bytes }) => bytes)];
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

const nodesOf = (commits: readonly Commit[]): ReadonlySet<string> =>
  new Set(commits.flatMap(({ changes }) => changes.flatMap(({ table, key }) => (table === "nodes" ? [key] : []))));

/**
 * Gives a commit as events, worded for those who may see the inside of nothing. The views contain neither environments
 * nor logs. The removal of a row is no event.
 */
function* eventsOf(
  { revision, changes }: Commit,
  byNode: TasksByNode,
  { store, heardOf, limits }: WatchSource,
): Generator<WatchEvent> {
  const { state, spec } = store;
  const wording = wordingFor(null, store);
  const look = rowLook({ state, now_ms: store.now(), spec, limits, wording });
  // What an event is about has mostly changed with it.
  const changed = new Map<number, RunRow>();
  for (const { table, row } of changes)
    if ((table === "runs" || table === "ended_runs") && row !== null) changed.set(row.run, row);
  const runOf = (run: number): RunRow | null => changed.get(run) ?? runByNumber(store, run);
  for (const change of changes) {
    if (change.row === null) continue;
    switch (change.table) {
      case "tasks":
      case "ended_tasks":
        yield { kind: "task", revision, task: taskView(change.row, look) };
        break;
      case "runs":
      case "ended_runs":
        yield { kind: "run", revision, run: runView(change.row, look) };
        break;
      case "nodes":
        yield {
          kind: "node",
          revision,
          node: nodeView(change.row, byNode.get(change.key) ?? [], heardOf(change.key), "viewer", store),
        };
        break;
      case "events":
        yield { kind: "event", revision, event: eventView(change.row, { state, runOf, wording }) };
        break;
      default:
    }
  }
  for (const row of betweenOf(changes, state)) yield { kind: "run", revision, run: runView(row, look) };
}

/** Gives the runs whose tasks have begun or ended, and whose own rows did not change: they may be between attempts. */
function* betweenOf(changes: readonly Change[], state: State): Generator<RunRow> {
  const said = new Set(changes.flatMap(({ table, key }) => (table === "runs" ? [key] : [])));
  for (const change of changes) {
    if (change.row === null || (change.table !== "tasks" && change.table !== "ended_tasks")) continue;
    const { owner_uid, observed } = change.row;
    const run = change.table === "ended_tasks" || observed.state === "assigned" ? state.runs.get(owner_uid) : undefined;
    if (run === undefined || run.state !== "running" || said.has(owner_uid)) continue;
    said.add(owner_uid);
    yield run;
  }
}
