// Turns a plan's operations into rows for the commit, and, for tests, rows into a new state.

import { unreachable } from "../assert";
import { countOf } from "../model/array";
import { PAGE_ELEMENTS, pageKey } from "../model/pages";
import type { Change, State } from "../model/rows-state";
import type { RunRow, WorkloadRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { Op } from "../pass/snapshot";
import { slotKey } from "../model/task";
import type { Ms } from "../units";

/** Returns the rows that one operation changes. */
export function changesOf(op: Op, state: State, now_ms: Ms): Change[] {
  switch (op.op) {
    case "place":
      return [put(op.task), { table: "slots", key: op.slot.key, row: op.slot }];
    case "go":
      return [put({ ...current(state, op.task), desired: "run" })];
    case "stop":
      return [put({ ...current(state, op.task), desired: "stop", stop: op.stop })];
    case "write_off":
      return [put({ ...current(state, op.task), written_off: { at_ms: now_ms, why: op.why } })];
    case "lose": {
      const ended = { ...current(state, op.task), observed: op.final };
      const gone: Change[] = [
        { table: "tasks", key: op.task.uid, row: null },
        { table: "ended_tasks", key: op.task.uid, row: ended },
      ];
      return op.slot === null ? gone : [...gone, { table: "slots", key: op.slot.key, row: op.slot }];
    }
    case "elements":
      return op.pages.map((row): Change => ({ table: "elements", key: row.key, row }));
    case "notify":
      return [];
    case "node":
      return [{ table: "nodes", key: op.node.id, row: op.node }];
    case "quarantine":
      return [
        { table: "nodes", key: op.node.id, row: op.node },
        { table: "node_tests", key: op.tests.id, row: op.tests },
      ];
    case "run":
      return runChanges(op.run, op.run.workload_uid === null ? undefined : state.workloads.get(op.run.workload_uid));
    case "archive":
      return [
        { table: "runs", key: op.run.uid, row: null },
        { table: "ended_runs", key: op.run.uid, row: op.run },
        { table: "slots", key: slotKey(op.run.uid, 0), row: null },
        ...archivedPages(op.run, state),
      ];
    case "remove":
      return removed(op.what, op.uid, state, now_ms);
    case "port":
      return [{ table: "ports", key: op.key, row: null }];
    default:
      return unreachable(op);
  }
}

/** Returns the rows that move what became of an array's elements to history. */
function archivedPages({ uid, array }: RunRow, state: State): Change[] {
  const pages = array === null ? 0 : Math.ceil(countOf(array) / PAGE_ELEMENTS);
  return Array.from({ length: pages }, (_, page) => state.elements.get(pageKey(uid, page))).flatMap((row): Change[] =>
    row === undefined
      ? []
      : [
          { table: "elements", key: row.key, row: null },
          { table: "ended_elements", key: row.key, row },
        ],
  );
}

const put = (task: TaskRow): Change => ({ table: "tasks", key: task.uid, row: task });

const current = (state: State, task: TaskRow): TaskRow => state.tasks.get(task.uid) ?? task;

/** Returns the rows of a run and of its job, which remembers the newest run after it has left the live state. */
function runChanges(run: RunRow, workload: WorkloadRow | undefined): Change[] {
  const row: Change = { table: "runs", key: run.uid, row: run };
  if (workload === undefined || (workload.last_run !== null && workload.last_run.run > run.run)) return [row];
  const last_run = { uid: run.uid, run: run.run, state: run.state };
  return [row, { table: "workloads", key: workload.uid, row: { ...workload, last_run } }];
}

/**
 * Returns the rows that remove an app or a workload: a grave for its uid, which a returning task may name, and the end
 * of its live rows.
 */
function removed(what: "app" | "workload", uid: string, state: State, now_ms: Ms): Change[] {
  const grave: Change = { table: "graves", key: uid, row: { uid, at_ms: now_ms } };
  if (what === "app") return [grave, { table: "apps", key: uid, row: null }];
  const keys: string[] = [];
  for (const slot of state.slots.values()) if (slot.owner_uid === uid) keys.push(slot.key);
  const slots = keys.sort().map((key): Change => ({ table: "slots", key, row: null }));
  return [grave, { table: "workloads", key: uid, row: null }, ...slots];
}

/** Returns all rows of a list of operations. Several runs of one job each see what the one before wrote on the job. */
export function changesOfAll(ops: readonly Op[], state: State, now_ms: Ms): Change[] {
  const workloads = new Map<string, WorkloadRow>();
  const changes: Change[] = [];
  for (const op of ops) {
    const uid = op.op === "run" ? op.run.workload_uid : null;
    const rows =
      op.op === "run" && uid !== null
        ? runChanges(op.run, workloads.get(uid) ?? state.workloads.get(uid))
        : changesOf(op, state, now_ms);
    for (const row of rows) {
      if (uid !== null && row.table === "workloads" && row.row !== null) workloads.set(row.key, row.row);
      changes.push(row);
    }
  }
  return changes;
}

const LIVE = ["nodes", "apps", "workloads", "runs", "slots", "tasks", "elements", "ports", "users", "tokens"] as const;
type Live = (typeof LIVE)[number];

/** Returns the state after some changes, without what only history keeps. The old state is not modified. */
export function withChanges(state: State, changes: readonly Change[]): State {
  const next: { -readonly [K in keyof State]: State[K] } = { ...state };
  const copied = new Map<Live, Map<string, unknown>>();
  for (const change of changes) {
    if (change.table === "cluster") {
      next.cluster = change.row;
      continue;
    }
    const table = LIVE.find((each) => each === change.table);
    if (table === undefined) continue;
    let rows = copied.get(table);
    if (rows === undefined) copied.set(table, (rows = new Map<string, unknown>(state[table])));
    if (change.row === null) rows.delete(change.key);
    else rows.set(change.key, change.row);
  }
  return { ...next, ...Object.fromEntries(copied) };
}
