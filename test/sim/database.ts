// The database of a simulated server: what survives a kill and what a backup copies. Batches are built by the store's
// own buildBatch and go into its live maps; only SQLite under them is left out, for speed (a share of the seeds has
// it).

import { AssertionError } from "../../src/core/assert";
import { canonicalJson } from "../../src/core/canonical";
import { LAWS } from "../../src/core/laws/laws";
import { digest128 } from "../../src/core/fresh";
import type { Change, ClusterRow } from "../../src/core/model/rows-state";
import type { RunRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeTests } from "../../src/core/model/node-tests";
import type { TaskSpec } from "../../src/core/model/workload";
import { buildBatch, type Built, type QueuedTransaction } from "../../src/store/batch";
import { answerKey, type KeptAnswer } from "../../src/store/idempotency";
import { buildUser } from "../support/users";
import { applyToLive, emptyState, LIVE_TABLES, type LiveState } from "../../src/store/live";
import type { Specs } from "../../src/store/specs";
import { concluding } from "../../src/store/commit";
import type { Committed, Draft, History, Idempotency, Store } from "../../src/store/store";
import type { Random } from "./random";
import type { Schedule } from "./schedule";

export interface Database {
  readonly state: LiveState;
  readonly specs: Map<string, TaskSpec>;
  readonly ended_tasks: Map<string, TaskRow>;
  readonly ended_runs: Map<string, RunRow>;
  readonly node_tests: Map<string, NodeTests>;
  readonly graves: Set<string>;
  readonly answers: Map<string, KeptAnswer>;
}

export function emptyDatabase(cluster_id: string, timeline: string): Database {
  const cluster: ClusterRow = {
    cluster_id,
    timeline,
    epoch: 0,
    revision: 0,
    next_run: 1,
    next_ordinal: 0,
    at_ms: 1_000_000,
    recovering: null,
  };
  const state = emptyState(cluster);
  state.users.set("alice", buildUser("alice"));
  return {
    state,
    specs: new Map(),
    ended_tasks: new Map(),
    ended_runs: new Map(),
    node_tests: new Map(),
    graves: new Set(),
    answers: new Map(),
  };
}

export function copyDatabase(database: Database): Database {
  const state = emptyState(database.state.cluster);
  for (const table of LIVE_TABLES) {
    const into = state[table] as Map<string, unknown>;
    for (const [key, row] of database.state[table]) into.set(key, row);
  }
  return {
    state,
    specs: new Map(database.specs),
    ended_tasks: new Map(database.ended_tasks),
    ended_runs: new Map(database.ended_runs),
    node_tests: new Map(database.node_tests),
    graves: new Set(database.graves),
    answers: new Map(database.answers),
  };
}

function specsIn(database: Database): Specs {
  const get = (hash: string): TaskSpec => {
    const spec = database.specs.get(hash);
    if (spec === undefined) throw new Error(`no spec has the hash ${hash}`);
    return spec;
  };
  return {
    hashOf: (spec) => digest128(canonicalJson(spec)),
    get,
    members: (hash) => get(hash).members,
    has: (hash) => database.specs.has(hash),
    add: (hash, spec) => {
      const isNew = !database.specs.has(hash);
      database.specs.set(hash, spec);
      return isNew;
    },
    settled: () => undefined,
    drop: () => undefined,
  };
}

/** Makes a batch durable; gives back its changes. */
function apply(database: Database, built: Built): readonly Change[] {
  if (built.batch === null) return [];
  const changes: Change[] = built.batch.rows.map((row) => row.change);
  changes.push({ table: "cluster", key: "cluster", row: built.batch.cluster });
  applyChanges(database, changes);
  for (const answer of built.batch.answers) database.answers.set(answerKey(answer), answer);
  return changes;
}

export function applyChanges(database: Database, changes: readonly Change[]): void {
  applyToLive(database.state, changes);
  for (const change of changes) {
    if (change.table === "ended_tasks") database.ended_tasks.set(change.key, change.row);
    else if (change.table === "ended_runs") database.ended_runs.set(change.key, change.row);
    else if (change.table === "node_tests") database.node_tests.set(change.key, change.row);
    else if (change.table === "graves") database.graves.add(change.key);
  }
}

export interface StoreWorld {
  readonly schedule: Schedule;
  readonly random: Random;
  /** How long a batch takes to become durable. */
  readonly commitDelay: () => number;
  /** A batch is on its way to the disk. */
  readonly writing: () => void;
  /** Sees every durable batch before anybody else hears of it. */
  readonly committed: (changes: readonly Change[]) => void;
  /** Called when a bug has shown itself: a pass failed, a session could not take a message, a law was broken. */
  readonly failed: (why: string) => void;
}

export interface SimStore extends Store {
  /** The process dies: a batch that was being written is on the disk, or it is not. */
  crash(): void;
}

type Listener = (revision: number, changes: readonly Change[]) => void;

/** What the store of one server process holds between two batches. */
interface Desk {
  readonly world: StoreWorld;
  readonly database: Database;
  readonly specs: Specs;
  readonly now: () => number;
  readonly queue: QueuedTransaction[];
  readonly listeners: Set<Listener>;
  flying: Built | null;
  scheduled: boolean;
  conclusion: QueuedTransaction | null;
  due: boolean;
}

/** The store of one server process over a database that outlives it. */
export function openSimStore(world: StoreWorld, database: Database): SimStore {
  const { schedule } = world;
  const opened_ms = schedule.now_ms,
    base_ms = database.state.cluster.at_ms;
  const desk: Desk = {
    world,
    database,
    specs: specsIn(database),
    now: () => base_ms + schedule.now_ms - opened_ms,
    queue: [],
    listeners: new Set(),
    flying: null,
    scheduled: false,
    conclusion: null,
    due: false,
  };
  return {
    state: database.state,
    spec: desk.specs.get,
    members: desk.specs.members,
    hasSpec: desk.specs.has,
    now: desk.now,
    commit: (actor, transact, idempotency) => enqueue(desk, actor, transact, idempotency ?? null),
    turn: () => Promise.resolve(),
    concludeWith: (conclusion) => {
      desk.conclusion = conclusion === null ? null : concluding(conclusion);
    },
    conclude: () => {
      desk.due = true;
      fly(desk);
    },
    onCommit: (listener) => {
      desk.listeners.add(listener);
      return () => void desk.listeners.delete(listener);
    },
    history: historyOf(database),
    health: () => ({ is: "ok" }),
    prune: () => ({ removed: 0, more: false }),
    copyTo: () => undefined,
    close: () => undefined,
    crash: () => crash(desk),
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
        if (outcome.is === "error") tellBug(desk.world, outcome.error);
        if (outcome.is === "error")
          reject(outcome.error instanceof Error ? outcome.error : new Error(String(outcome.error)));
        else
          resolve({
            value: outcome.value as T,
            replayed: outcome.replayed,
            revision: outcome.revision ?? desk.database.state.cluster.revision,
          });
      },
    });
    fly(desk);
  });
}

/** Whoever made the transaction may be a person, who would be told and go on. */
export function tellBug(world: Pick<StoreWorld, "failed">, error: unknown): void {
  if (error instanceof AssertionError) world.failed(error.message);
}

/** Sends the next batch on its way to the disk, unless one is. */
function fly(desk: Desk): void {
  const { world, database, specs, queue } = desk;
  if (desk.scheduled || desk.flying !== null || (queue.length === 0 && !desk.due)) return;
  desk.scheduled = true;
  setImmediate(() => {
    desk.scheduled = false;
    const making = buildBatch(queue, {
      live: database.state,
      now_ms: desk.now(),
      specs,
      kept: (asked) => database.answers.get(answerKey(asked)) ?? null,
      hasEnded: (uid) => database.ended_tasks.has(uid),
      laws: { list: LAWS, thorough: true },
      limit: Number.POSITIVE_INFINITY,
      isLong: () => false,
      conclusion() {
        const { conclusion, due } = desk;
        desk.due = false;
        return conclusion === null ? null : { transaction: conclusion, due };
      },
    });
    let step = making.next();
    while (step.done !== true) step = making.next();
    desk.flying = step.value;
    desk.due ||= step.value.isFull;
    setTimeout(() => land(desk), world.commitDelay());
    world.writing();
  });
}

/** The batch is durable: it is shown, then answered. */
function land(desk: Desk): void {
  const { world, database, flying } = desk;
  if (flying === null) return;
  desk.flying = null;
  const changes = apply(database, flying);
  world.committed(changes);
  if (changes.length > 0)
    for (const listener of Array.from(desk.listeners)) listener(database.state.cluster.revision, changes);
  flying.concluded?.waiting.settle(flying.concluded.outcome);
  for (const { waiting, outcome } of flying.outcomes) waiting.settle(outcome);
  fly(desk);
}

function crash(desk: Desk): void {
  const { world, database, flying } = desk;
  if (flying !== null && world.random.chance(0.5)) world.committed(apply(database, flying));
  desk.flying = null;
  desk.queue.length = 0;
}

const historyOf = ({ ended_tasks, ended_runs, node_tests, graves }: Database): History => ({
  task: (uid) => ended_tasks.get(uid) ?? null,
  nodesOf: () => new Map(),
  elements: () => null,
  tasks: () => [...ended_tasks.values()],
  run: (uid) => [...ended_runs.values()].find((run) => run.uid === uid || run.run === uid) ?? null,
  runs: () => [...ended_runs.values()],
  events: () => [],
  nodeTests: (node_id, limit) =>
    [...node_tests.values()]
      .filter((tests) => tests.node_id === node_id)
      .sort((a, b) => b.at_ms - a.at_ms || (a.id < b.id ? 1 : -1))
      .slice(0, limit),
  hasEnded: (uid) => ended_tasks.has(uid),
  hasGrave: (uid) => graves.has(uid),
  hasEndedRun: (uid) => ended_runs.has(uid),
});
