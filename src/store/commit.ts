// The one way to write: transactions queue, one batch is in flight, and only what is durable is shown or answered. A
// batch is made in short turns of the event loop, between which reads are answered.

import type { Database } from "bun:sqlite";
import { assert } from "../core/assert";
import type { Change } from "../core/model/rows-state";
import type { Ms } from "../core/units";
import type { Ballast } from "./ballast";
import { type Batch, type BatchContext, buildBatch, type Built, type QueuedTransaction } from "./batch";
import { type SqliteFailure, failureOf, StorageError } from "./errors";
import { answersIn } from "./idempotency";
import { applyToLive, type LiveState } from "./live";
import type { Specs } from "./specs";
import type { Committed, Conclusion, Draft, StoreHealth, Idempotency, Store } from "./store";
import { FencedError, type Writer, writerOf } from "./write";

export interface CommitterContext {
  readonly db: Database;
  readonly live: LiveState;
  readonly specs: Specs;
  readonly now: () => Ms;
  /** A clock that never jumps. It measures how long a turn lasts. */
  readonly clock: () => Ms;
  readonly ballast: Ballast;
  readonly laws: BatchContext["laws"];
  readonly hasEnded: BatchContext["hasEnded"];
  /** Called before a batch is written. `highest.json` must be ahead of the run numbers that the batch gives out. */
  readonly beforeWrite: (batch: Batch) => void;
}

export interface Committer extends Pick<
  Store,
  "commit" | "turn" | "concludeWith" | "conclude" | "onCommit" | "health"
> {
  /** Ends the batch that is being made, so that what the database has is what is shown. */
  finish(): void;
  close(): void;
}

type Listener = (revision: number, changes: readonly Change[]) => void;

/** The state of a committer between two batches. */
interface Desk {
  readonly context: CommitterContext;
  readonly writer: Writer;
  readonly kept: BatchContext["kept"];
  readonly queue: QueuedTransaction[];
  readonly listeners: Set<Listener>;
  condition: { readonly is: "open" } | { readonly is: "closed" } | { readonly is: "failed"; readonly why: string };
  scheduled: boolean;
  conclusion: QueuedTransaction | null;
  /** Whether the next batch is made and concluded even if it changes nothing else. */
  due: boolean;
  /** How many of the next transactions become batches of their own, to find the one that broke a batch. */
  alone: number;
  /** Those who wait for their turn to prepare a change. */
  readonly callers: (() => void)[];
  /** How many have got their turn in this turn of the event loop. */
  admitted: number;
  /** For how many turns the next batch has waited for callers. */
  held: number;
  turn_began_ms: Ms;
  /** The batch that is being made. Each step of it is a turn. */
  making: Iterator<void, void> | null;
}

/** A turn that has lasted so long does not begin another piece of work. */
const TURN_MS: Ms = 2;

/** That many changes are prepared in a turn: each takes some 0.15 ms. */
const CALLERS_A_TURN = 4;

/** A batch waits for callers for that many turns, so that it serves many who have come at the same time. */
const HELD_TURNS = 16;

/** That many are answered in a turn. */
const ANSWERS_A_TURN = 8;

const FULL_HINT = "free space on the file system of the data directory; nothing needs to be restarted";
const RESTART_HINT = "restart the server; when that does not help: orch restore FILE";

export function createCommitter(context: CommitterContext): Committer {
  const { db, ballast } = context;
  const desk: Desk = {
    context,
    writer: writerOf(db),
    kept: answersIn(db),
    queue: [],
    listeners: new Set(),
    condition: { is: "open" },
    scheduled: false,
    conclusion: null,
    due: false,
    alone: 0,
    callers: [],
    admitted: 0,
    held: 0,
    turn_began_ms: 0,
    making: null,
  };
  return {
    commit(actor, transact, idempotency) {
      const refused = refusal(desk);
      return refused === null ? enqueue(desk, actor, transact, idempotency ?? null) : Promise.reject(refused);
    },
    turn() {
      const passes = desk.callers.length === 0 && desk.admitted < CALLERS_A_TURN;
      if (passes) desk.admitted++;
      const turn = passes ? Promise.resolve() : new Promise<void>((resolve) => desk.callers.push(resolve));
      schedule(desk);
      return turn;
    },
    concludeWith(conclusion) {
      desk.conclusion = conclusion === null ? null : concluding(conclusion);
    },
    conclude() {
      desk.due = true;
      schedule(desk);
    },
    onCommit(listener) {
      assert(!desk.listeners.has(listener), "a listener was added twice");
      desk.listeners.add(listener);
      return () => {
        desk.listeners.delete(listener);
      };
    },
    health(): StoreHealth {
      if (desk.condition.is === "failed") return { is: "failed", why: desk.condition.why };
      // New work asks for the health first. So the ballast is made again on the first request after the disk has room.
      if (!ballast.there()) ballast.restore();
      return ballast.there() ? { is: "ok" } : { is: "low", why: "the disk of the data directory is almost full" };
    },
    finish: () => finish(desk),
    close() {
      finish(desk);
      if (desk.condition.is === "open") desk.condition = { is: "closed" };
      for (const admit of desk.callers.splice(0)) admit();
      desk.making = makeBatch(desk);
      finish(desk);
    },
  };
}

function enqueue<T>(
  desk: Desk,
  actor: string,
  transact: (draft: Draft) => T,
  idempotency: Idempotency | null,
): Promise<Committed<T>> {
  return new Promise((resolve, reject) => {
    desk.queue.push({
      actor,
      transact,
      idempotency,
      settle(outcome) {
        if (outcome.is === "error") return reject(outcome.error);
        const { replayed, revision } = outcome;
        const value = outcome.value as T;
        resolve({ value, replayed, revision: revision ?? desk.context.live.cluster.revision });
      },
    });
    schedule(desk);
  });
}

/** Returns a conclusion as the transaction that it is. */
export const concluding = ({ actor, transact, done, failed }: Conclusion): QueuedTransaction => ({
  actor,
  transact,
  idempotency: null,
  settle: (outcome) => (outcome.is === "error" ? failed(outcome.error) : done()),
});

function refusal({ condition }: Desk): StorageError | null {
  if (condition.is === "open") return null;
  return condition.is === "closed"
    ? new StorageError("storage_failed", "the server is stopping")
    : new StorageError("storage_failed", condition.why, RESTART_HINT);
}

/**
 * Schedules a turn after the poll phase in which requests came in. All that arrived together share one batch, without a
 * timer.
 */
function schedule(desk: Desk): void {
  const isPreparing = desk.callers.length > 0 || desk.admitted > 0;
  const isIdle = desk.queue.length === 0 && !desk.due && desk.making === null && !isPreparing;
  if (desk.scheduled || isIdle) return;
  desk.scheduled = true;
  setImmediate(() => {
    desk.scheduled = false;
    takeTurn(desk);
    schedule(desk);
  });
}

/** Admits callers, and does the next piece of a batch. Callers go on when this has returned. */
function takeTurn(desk: Desk): void {
  const { context, callers, queue } = desk;
  desk.admitted = Math.min(callers.length, CALLERS_A_TURN);
  for (const admit of callers.splice(0, desk.admitted)) admit();
  if (desk.making === null) {
    if (queue.length === 0 && !desk.due) return;
    if (desk.admitted > 0 && desk.held < HELD_TURNS) {
      desk.held++;
      return;
    }
    desk.held = 0;
  }
  desk.turn_began_ms = context.clock();
  desk.making ??= makeBatch(desk);
  if (desk.making.next().done === true) desk.making = null;
}

/** Ends the batch that is being made, if one is. */
function finish(desk: Desk): void {
  while (desk.making?.next().done === false);
  desk.making = null;
}

/**
 * Makes one batch: build it, make it durable, publish it, answer. Yields where a turn ends. What the database has is
 * published in the same turn, so that history and live maps are never seen apart.
 */
function* makeBatch(desk: Desk): Generator<void, void> {
  const { context, queue } = desk;
  const refused = refusal(desk);
  if (refused !== null) {
    const waiting = [...queue.splice(0), ...(desk.due && desk.conclusion !== null ? [desk.conclusion] : [])];
    desk.due = false;
    for (const one of waiting) one.settle({ is: "error", error: refused });
    return;
  }
  const built = yield* buildBatch(queue, batchContext(desk));
  // A conclusion that did not fit comes with the next batch.
  if (built.isFull) desk.due = true;
  const failure = built.batch === null ? null : append(desk, built.batch);
  context.specs.settled();
  if (failure !== null) return onFailure(desk, failure, built);
  if (built.batch !== null) publish(desk, built.batch);
  // The answers tell what the conclusion has done.
  built.concluded?.waiting.settle(built.concluded.outcome);
  for (const [at, { waiting, outcome }] of built.outcomes.entries()) {
    if (at > 0 && at % ANSWERS_A_TURN === 0) yield;
    waiting.settle(outcome);
  }
}

function batchContext(desk: Desk): BatchContext {
  const { context, kept, alone } = desk;
  const { live, specs, laws, hasEnded } = context;
  desk.alone = Math.max(0, alone - 1);
  return {
    live,
    now_ms: context.now(),
    specs,
    kept,
    laws,
    hasEnded,
    limit: alone > 0 ? 1 : Number.POSITIVE_INFINITY,
    isLong: () => context.clock() - desk.turn_began_ms >= TURN_MS,
    conclusion() {
      // A batch of one that fails is that one's fault.
      if (alone > 0) return null;
      const { conclusion, due } = desk;
      desk.due = false;
      return conclusion === null ? null : { transaction: conclusion, due };
    },
  };
}

/** Writes the batch. If the disk is full, deletes the ballast and tries once more. */
function append(desk: Desk, batch: Batch): SqliteFailure | null {
  const failure = tryAppend(desk, batch);
  return failure?.is === "full" && desk.context.ballast.release() ? tryAppend(desk, batch) : failure;
}

function tryAppend({ context, writer }: Desk, batch: Batch): SqliteFailure | null {
  try {
    context.beforeWrite(batch);
    writer.append(batch);
    return null;
  } catch (error) {
    if (error instanceof FencedError) return { is: "fatal", message: error.message };
    return failureOf(error);
  }
}

function onFailure(desk: Desk, failure: SqliteFailure, { outcomes, concluded }: Built): void {
  const count = outcomes.length + (concluded === null ? 0 : 1);
  if (failure.is === "bad_row" && count > 1) {
    desk.queue.unshift(...outcomes.map(({ waiting }) => waiting));
    desk.alone = outcomes.length;
    desk.due ||= concluded !== null;
    return;
  }
  if (failure.is === "fatal") {
    desk.condition = { is: "failed", why: `the database failed (${failure.message}); nothing more is written` };
  }
  const error =
    failure.is === "full"
      ? new StorageError("storage_full", "no space is left for the database", FULL_HINT)
      : new StorageError(
          "storage_failed",
          `the database refused the change (${failure.message})`,
          failure.is === "fatal" ? RESTART_HINT : null,
        );
  for (const { waiting } of outcomes) waiting.settle({ is: "error", error });
  concluded?.waiting.settle({ is: "error", error });
}

/** Changes the live maps and tells the listeners. The batch is durable by now. */
function publish({ context, listeners }: Desk, batch: Batch): void {
  const changes: Change[] = batch.rows.map((row) => row.change);
  changes.push({ table: "cluster", key: "cluster", row: batch.cluster });
  applyToLive(context.live, changes);
  for (const listener of Array.from(listeners)) {
    try {
      listener(batch.cluster.revision, changes);
    } catch (error) {
      // An error here is a bug of the listener's. What is durable is answered first; then the bug ends the process.
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}
