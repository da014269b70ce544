// The interface of a store: live maps to read, and one way to write. Every durable change goes through `commit`.

import type { ElementPage } from "../core/model/array";
import type { Change, EventRow, State } from "../core/model/rows-state";
import type { RunRow } from "../core/model/rows-work";
import type { TaskRow } from "../core/model/rows-task";
import type { NodeTests } from "../core/model/node-tests";
import type { TaskSpec } from "../core/model/workload";
import type { Ms } from "../core/units";

/** What a transaction sees and writes: the live state with the changes of its batch laid over it. */
export interface Draft {
  readonly state: State;
  /** The revision that this batch will have. */
  readonly revision: number;
  readonly now_ms: Ms;
  /** Returns whether a task has ended: in history, or by an earlier transaction of this batch. */
  readonly hasEnded: (uid: string) => boolean;
  put(changes: readonly Change[]): void;
  /** Stores a spec by its content, and returns its hash. The same content gives the same hash. */
  putSpec(spec: TaskSpec): string;
  /** Records an event. An event without `node_id` or `run` concerns no node or run. */
  event(
    event: Omit<EventRow, "id" | "at_ms" | "actor" | "node_id" | "run"> & Partial<Pick<EventRow, "node_id" | "run">>,
  ): void;
  /** Takes the next run number, which is never given out twice. */
  takeRunNumber(): number;
}

/**
 * The key of a request that may be repeated. The same key and request get the first answer; another request under the
 * key is refused.
 */
export interface Idempotency {
  readonly principal: string;
  readonly key: string;
  readonly request_hash: string;
}

export interface Committed<T> {
  readonly value: T;
  readonly revision: number;
  /** Whether this is the kept answer of an earlier commit with the same key. */
  readonly replayed: boolean;
}

/** What ends a batch. It obeys the rules of `commit`. */
export interface Conclusion {
  readonly actor: string;
  readonly transact: (draft: Draft) => void;
  /** Called once the batch is durable, after its listeners. */
  readonly done: () => void;
  /** Called when it has failed, or the whole batch. */
  readonly failed: (error: unknown) => void;
}

export interface Store {
  readonly state: State;
  readonly spec: (hash: string) => TaskSpec;
  /** Returns the `members` of a spec. They are remembered longer than the rest of it, since they are counted. */
  readonly members: (hash: string) => number;
  /** A restored copy lacks the spec of a task that was adopted in a version from after the copy was made. */
  readonly hasSpec: (hash: string) => boolean;
  /**
   * Queues a transaction for the next batch, and resolves once that batch is durable. `transact` must be synchronous
   * and pure except for its draft. When it throws, its changes are dropped, the rest of the batch stands, and the error
   * is passed on.
   */
  commit<T>(actor: string, transact: (draft: Draft) => T, idempotency?: Idempotency): Promise<Committed<T>>;
  /**
   * Resolves when the caller may prepare a change. Few are let through in a turn of the event loop, so that those who
   * only read are answered between them; a batch serves all who have come.
   */
  turn(): Promise<void>;
  /**
   * Ends every batch that changes something with this transaction, which sees what the others of the batch have changed
   * and becomes durable with them. Null: with none.
   */
  concludeWith(conclusion: Conclusion | null): void;
  /** Makes a batch with the conclusion soon, even if nothing else is to be changed. */
  conclude(): void;
  /**
   * Calls the listener after each durable batch with its changes, in order. Returns a function that removes the
   * listener.
   */
  onCommit(listener: (revision: number, changes: readonly Change[]) => void): () => void;
  readonly history: History;
  /**
   * Returns the time that a batch would have now: never before the last committed one, even after the clock was set
   * back.
   */
  now(): Ms;
  /**
   * Returns whether changes can be made durable. On `low`, new work should be refused, so that ends and stops of tasks
   * still fit.
   */
  health(): StoreHealth;
  /**
   * Removes a bounded number of the rows that `keep` does not cover. While it returns `more`, the caller calls again
   * later.
   */
  prune(now_ms: Ms, keep: Retention): { readonly removed: number; readonly more: boolean };
  /** Writes a whole, checked copy of the database to a new file. It blocks for about 2 ms per MiB. */
  copyTo(path: string): void;
  /** Refuses the waiting transactions, and lets the next server open the database. */
  close(): void;
}

export type StoreHealth = { readonly is: "ok" } | { readonly is: "low" | "failed"; readonly why: string };

/** How long ended things are kept, and how many of them at most. */
export interface Retention {
  readonly ended_age_ms: Ms;
  readonly ended_tasks: number;
  readonly ended_runs: number;
  readonly events_age_ms: Ms;
  readonly events: number;
  /** The number of tests per node. */
  readonly node_tests: number;
  /** The number of history entries per workload. */
  readonly versions: number;
}

/** Queries for what has left the live state. */
export interface History {
  task(uid_or_prefix: string): TaskRow | null;
  /** Returns ended tasks, newest first. */
  tasks(filter: {
    app_uid?: string;
    owner_uid?: string;
    run?: number;
    attempt?: number;
    /** Only batches that the element with this index is in. */
    element?: number;
    since_ms?: Ms;
    /** Only tasks that come after this one in the list. */
    before_uid?: string;
    limit: number;
  }): TaskRow[];
  /** Returns a page of the elements of an array that has ended. */
  elements(run_uid: string, page: number): ElementPage | null;
  /** Returns the ids of the nodes of each owner's newest attempt that has ended; of an array all that had elements. */
  nodesOf(owner_uids: readonly string[]): ReadonlyMap<string, readonly string[]>;
  run(run_or_uid: number | string): RunRow | null;
  runs(filter: {
    project?: string;
    user?: string;
    name?: string;
    since_ms?: Ms;
    before_run?: number;
    limit: number;
  }): RunRow[];
  /**
   * Returns events of an object and its parts, newest first. `node_id` and `run` add the events that concern the node
   * or the run, and have no effect without `object`.
   */
  events(filter: {
    object?: string;
    node_id?: string;
    run?: number;
    project?: string;
    since_ms?: Ms;
    before_id?: string;
    limit: number;
  }): EventRow[];
  /** Returns the tests of a node, newest first. */
  nodeTests(node_id: string, limit: number): NodeTests[];
  /** Returns whether a task with this uid has ended. */
  hasEnded(uid: string): boolean;
  /** Returns whether this workload, run or node was removed for good. A run that is over has no grave. */
  hasGrave(uid: string): boolean;
  hasEndedRun(uid: string): boolean;
}
