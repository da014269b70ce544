// One batch: the waiting transactions that become durable together. They run one after another on a shared draft. The
// plan is the last of them, so that what a change leads to becomes durable with it.

import { assert } from "../core/assert";
import type { Law } from "../core/laws/law";
import { breachOf, BrokenLawError, isSkipped } from "../core/laws/laws";
import { HOUSE_LIMITS } from "../core/limits";
import type { Change, ClusterRow, State } from "../core/model/rows-state";
import type { Bytes, Ms } from "../core/units";
import { type DraftFacts, draftOn, type Layer, layerOver, mergeInto } from "./draft";
import { StorageError } from "./errors";
import { answerKey, type KeptAnswer, replay } from "./idempotency";
import type { LiveState } from "./live";
import { type Cell, encodeRow, ROW_TABLES } from "./rows";
import type { Draft, Idempotency } from "./store";

/** The most bytes of one transaction. A transaction above `HOUSE_LIMITS.commit_bytes` is a batch of its own. */
export const TRANSACTION_BYTES: Bytes = 16 * 1024 * 1024;

/** A transaction in the queue. */
export interface QueuedTransaction {
  readonly actor: string;
  readonly transact: (draft: Draft) => unknown;
  readonly idempotency: Idempotency | null;
  readonly settle: (outcome: Outcome) => void;
}

/**
 * What the caller of a transaction gets. `revision: null` stands for the revision of the store once the batch is
 * durable.
 */
export type Outcome =
  | { readonly is: "value"; readonly value: unknown; readonly revision: number | null; readonly replayed: boolean }
  | { readonly is: "error"; readonly error: unknown };

/** A row as it is written; `cells: null` removes it. */
export interface WrittenRow {
  readonly change: Change;
  readonly cells: readonly Cell[] | null;
}

/** A commit as values, never as statements. (timeline, epoch, revision) identifies it. */
export interface Batch {
  readonly actors: readonly string[];
  /** The cluster's row with the batch's revision and time. */
  readonly cluster: ClusterRow;
  readonly rows: readonly WrittenRow[];
  readonly answers: readonly KeptAnswer[];
}

interface Ended {
  readonly waiting: QueuedTransaction;
  readonly outcome: Outcome;
}

export interface Built {
  /** Null if nothing changes and nothing is to be written. */
  readonly batch: Batch | null;
  readonly outcomes: readonly Ended[];
  /** The outcome of the conclusion, or null if it did not run or did not fit. */
  readonly concluded: Ended | null;
  /** Whether the conclusion did not fit. */
  readonly isFull: boolean;
}

export interface BatchContext {
  readonly live: LiveState;
  readonly now_ms: Ms;
  readonly specs: DraftFacts["specs"];
  readonly kept: (asked: Idempotency) => KeptAnswer | null;
  /** Whether history has this task. */
  readonly hasEnded: (uid: string) => boolean;
  /**
   * The laws that transactions must obey. Without `thorough`, large passes are only sampled, and the laws that read
   * every live task apply to some passes only.
   */
  readonly laws: { readonly list: readonly Law[]; readonly thorough: boolean };
  /** The most transactions of one batch, without its conclusion. */
  readonly limit: number;
  /**
   * Called after the transactions of the batch. Returns what concludes them, or null. It is `due` also where these have
   * changed nothing.
   */
  readonly conclusion: () => { readonly transaction: QueuedTransaction; readonly due: boolean } | null;
  /** Whether the turn of the event loop has lasted so long that others come first. */
  readonly isLong: () => boolean;
}

interface Attempt {
  readonly layer: Layer;
  readonly outcome: Outcome;
  readonly rows: readonly WrittenRow[];
  readonly answer: KeptAnswer | null;
  readonly bytes: Bytes;
}

/**
 * Takes the transactions that are in `queue` now, until the batch is full. A transaction that does not fit stays in the
 * queue, and runs again for the next batch. Yields where the event loop may do other work; the live state must not
 * change meanwhile.
 */
export function* buildBatch(queue: QueuedTransaction[], context: BatchContext): Generator<void, Built> {
  const { now_ms, isLong } = context;
  const draft = draftBatch(context);
  const outcomes: Ended[] = [];
  const most = Math.min(queue.length, context.limit);
  for (let waiting = queue[0]; waiting !== undefined && outcomes.length < most; waiting = queue[0]) {
    const outcome = draft.add(waiting);
    if (outcome === null) break;
    queue.shift();
    outcomes.push({ waiting, outcome });
    if (isLong()) yield;
  }
  let concluded: Ended | null = null;
  let isFull = false;
  const conclusion = context.conclusion();
  if (conclusion !== null && (conclusion.due || draft.isChanged())) {
    const outcome = draft.add(conclusion.transaction);
    isFull = outcome === null;
    if (outcome !== null) concluded = { waiting: conclusion.transaction, outcome };
    if (isLong()) yield;
  }
  const { revision, layer, rows, answers, actors } = draft;
  if (!draft.isChanged()) return { batch: null, outcomes, concluded, isFull };
  const cluster = { ...layer.state.cluster, revision, at_ms: now_ms };
  const batch = { actors: [...actors], cluster, rows: [...rows.values()], answers: [...answers.values()] };
  return { batch, outcomes, concluded, isFull };
}

/** A batch that is being made. */
interface BatchDraft {
  readonly revision: number;
  readonly layer: Layer;
  readonly rows: ReadonlyMap<string, WrittenRow>;
  readonly answers: ReadonlyMap<string, KeptAnswer>;
  readonly actors: ReadonlySet<string>;
  readonly isChanged: () => boolean;
  /** Runs a transaction on what the earlier ones have left. Returns null if it does not fit. */
  add(waiting: QueuedTransaction): Outcome | null;
}

function draftBatch(context: BatchContext): BatchDraft {
  const revision = context.live.cluster.revision + 1;
  const layer = layerOver(context.live);
  const rows = new Map<string, WrittenRow>();
  const answers = new Map<string, KeptAnswer>();
  const actors = new Set<string>();
  let bytes = 0;
  let events = 0;
  const nextEvent = (): number => events++;
  const hasEnded = (uid: string): boolean => rows.has(`ended_tasks/${uid}`) || context.hasEnded(uid);
  return {
    revision,
    layer,
    rows,
    answers,
    actors,
    isChanged: () => rows.size > 0 || answers.size > 0 || layer.cluster !== null,
    add(waiting) {
      const tried = attempt(waiting, layer, revision, { ...context, hasEnded, answers, nextEvent });
      if (bytes > 0 && bytes + tried.bytes > HOUSE_LIMITS.commit_bytes) return null;
      if (tried.outcome.is === "error" || tried.outcome.replayed) return tried.outcome;
      mergeInto(layer, tried.layer);
      for (const row of tried.rows) rows.set(`${row.change.table}/${row.change.key}`, row);
      if (tried.answer !== null) answers.set(answerKey(tried.answer), tried.answer);
      if (tried.rows.length > 0) actors.add(waiting.actor);
      bytes += tried.bytes;
      return tried.outcome;
    },
  };
}

interface AttemptContext extends BatchContext {
  readonly answers: ReadonlyMap<string, KeptAnswer>;
  readonly nextEvent: () => number;
}

/** Runs one transaction on a layer of its own. */
function attempt(waiting: QueuedTransaction, below: Layer, revision: number, context: AttemptContext): Attempt {
  const layer = layerOver(below.state);
  const none = { layer, rows: [], answer: null, bytes: 0 };
  const { idempotency } = waiting;
  const { now_ms, specs, nextEvent, hasEnded } = context;
  const { draft, seal } = draftOn(layer, { actor: waiting.actor, revision, now_ms, specs, nextEvent, hasEnded });
  try {
    const kept =
      idempotency === null ? null : (context.answers.get(answerKey(idempotency)) ?? context.kept(idempotency));
    if (idempotency !== null && kept !== null) {
      const value = replay(kept, idempotency);
      return { ...none, outcome: { is: "value", value, revision: kept.revision, replayed: true } };
    }
    const value = waiting.transact(draft);
    assert(!(value instanceof Promise), "a transaction must be synchronous");
    obey(waiting.actor, below, layer, revision, context);
    const rows = writtenRows(layer, now_ms);
    const bytes = rows.reduce((sum, row) => sum + bytesOf(row), 0);
    if (bytes > TRANSACTION_BYTES) {
      const size = `${Math.ceil(bytes / 1024 / 1024)} MiB`;
      throw new StorageError("too_large", `one change of ${size} is more than the database takes at once (16 MiB)`);
    }
    const answer =
      idempotency === null
        ? null
        : { ...idempotency, response: value === undefined ? null : JSON.stringify(value), revision };
    return { layer, rows, answer, bytes, outcome: { is: "value", value, revision: null, replayed: false } };
  } catch (error) {
    // The error goes to whoever queued the transaction. Its layer is dropped, so nothing of it is left.
    return { ...none, outcome: { is: "error", error } };
  } finally {
    seal();
  }
}

/** Throws BrokenLawError if the transaction breaks a law. */
function obey(actor: string, below: Layer, layer: Layer, revision: number, context: AttemptContext): void {
  const { laws, hasEnded, now_ms } = context;
  if (laws.list.length === 0 || (layer.changes.size === 0 && layer.cluster === null)) return;
  if (!laws.thorough && isSkipped(actor, layer.changes.size, revision)) return;
  const cluster = { ...layer.state.cluster, revision, at_ms: now_ms };
  const after = Object.create(layer.state, { cluster: { value: cluster } }) as State;
  const moment = { actor, before: below.state, after, changes: layer.changes.values(), hasEnded };
  const breach = breachOf({ ...moment, thorough: laws.thorough }, laws.list);
  if (breach !== null) throw new BrokenLawError(breach, actor);
}

function writtenRows(layer: Layer, at_ms: Ms): WrittenRow[] {
  const rows: WrittenRow[] = [];
  for (const change of layer.changes.values()) {
    rows.push({ change, cells: change.row === null ? null : encodeRow(ROW_TABLES[change.table], change.row, at_ms) });
  }
  return rows;
}

/** Returns how many bytes a row takes in a log: its text, and eight bytes per number. */
function bytesOf(row: WrittenRow): Bytes {
  let bytes = row.change.key.length + 16;
  for (const cell of row.cells ?? []) bytes += typeof cell === "string" ? Buffer.byteLength(cell) : 8;
  return bytes;
}
