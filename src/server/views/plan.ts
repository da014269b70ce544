// Plans as the API shows them: operations in words, and why slots wait.

import { unreachable } from "../../core/assert";
import { explainPlaced } from "../../core/why/explain";
import type { State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { Blocked, Check, Op, WayOut } from "../../core/pass/snapshot";
import { fullName, fullRunName, taskName } from "../../core/model/task";
import type { BlockedView, ExplainView, PlanView } from "../../wire/api/plans";
import type { Context } from "../context";

type OpView = PlanView["ops"][number];
type Placed = Extract<ExplainView, { placed: unknown }>["placed"];

export function blockedView(blocked: Blocked, { runs }: State): BlockedView {
  const { name, owner_uid, slot, kind, summary, smallest_change, nodes, stuck } = blocked;
  const run = runs.get(owner_uid);
  return {
    name,
    title: run?.app === null ? fullRunName(run) : name,
    slot,
    kind,
    stuck: kind === "unsatisfiable" || stuck === true,
    summary,
    smallest_change,
    smallest_changes: waysView(blocked.smallest_changes),
    nodes: nodes.map(({ node, checks }) => ({ node, checks: checks.map(checkView) })),
  };
}

export const waysView = (ways: readonly WayOut[]): BlockedView["smallest_changes"] =>
  ways.map(({ changes, outcome }) => ({ changes: [...changes], outcome }));

const checkView = (check: Check): BlockedView["nodes"][number]["checks"][number] => ({
  ...check,
  devices: check.devices.map((device) => ({ ...device })),
});

/** Returns an operation in words, or null for mere bookkeeping. `own` are the uids of the app that is planned. */
export function opView(op: Op, state: State, own: ReadonlySet<string>): OpView | null {
  switch (op.op) {
    case "place":
    case "go":
    case "stop":
    case "write_off":
    case "lose":
    case "notify":
      return taskOp(op.op, op.task, op.why, state, own);
    case "node":
    case "quarantine":
      return {
        op: op.op,
        task: "",
        title: "",
        node: op.node.name,
        devices: [],
        why: op.why,
        own: false,
        project: null,
      };
    case "run":
      // The start of a run is shown by the tasks that are placed.
      if (op.run.state === "running") return null;
      return {
        op: op.op,
        task: op.run.name,
        title: op.run.app === null ? fullRunName(op.run) : op.run.name,
        node: null,
        devices: [],
        why: op.why,
        own: own.has(op.run.uid),
        project: op.run.project,
      };
    case "remove":
      return {
        op: op.op,
        task: op.name,
        title: op.name,
        node: null,
        devices: [],
        why: op.why,
        own: own.has(op.uid),
        project: op.project,
      };
    case "archive":
    case "port":
      return null;
    default:
      return unreachable(op);
  }
}

const taskOp = (op: string, task: TaskRow, why: string, state: State, own: ReadonlySet<string>): OpView => ({
  op,
  task: taskName(task),
  title: fullName(task),
  node: state.nodes.get(task.node_id)?.name ?? null,
  devices: task.promised.devices.map((device) => device.id),
  why,
  own: own.has(task.owner_uid),
  project: task.project,
});

/**
 * Returns why a task is on its node: the planner's scores in the present state. They are empty for a task whose spec a
 * restored server does not have.
 */
export function placedView({ store, loop }: Context, task: TaskRow): Placed {
  const node = store.state.nodes.get(task.node_id)?.name ?? task.node_id;
  if (!store.hasSpec(task.spec_hash)) return { node, scores: [], devices: [] };
  const { scores, devices } = explainPlaced(loop.snapshot(store.state, store.now()), task);
  return {
    node,
    scores: scores.map(({ node: name, total, parts }) => ({ node: name, total, parts: { ...parts } })),
    devices: devices.map((device) => ({ ...device })),
  };
}
