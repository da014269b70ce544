// Plans as the API shows them: operations in words, and why slots wait.

import { unreachable } from "../../core/assert";
import { explainPlaced } from "../../core/why/explain";
import type { State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import type { Blocked, Check, Op, WayOut } from "../../core/pass/snapshot";
import { fullName, fullRunName, shortId, taskName } from "../../core/model/task";
import type { BlockedView, ExplainView, PlanView } from "../../wire/api/plans";
import type { Wording } from "../access/wording";
import type { Context } from "../context";

type OpView = PlanView["ops"][number];
type Placed = Extract<ExplainView, { placed: unknown }>["placed"];

export function blockedView(blocked: Blocked, { state, wording }: Omit<OpLook, "own">): BlockedView {
  const { name, owner_uid, slot, kind, summary, smallest_change, nodes, stuck } = blocked;
  const run = state.runs.get(owner_uid);
  const owner = run ?? state.workloads.get(owner_uid);
  return {
    name,
    title: run?.app === null ? fullRunName(run) : name,
    slot,
    kind,
    stuck: kind === "unsatisfiable" || stuck === true,
    summary: wording(summary, owner),
    smallest_change,
    smallest_changes: waysView(blocked.smallest_changes),
    nodes: nodes.map(({ node, checks }) => ({
      node,
      checks: checks.map((check) => checkView(check, (detail) => wording(detail, owner))),
    })),
  };
}

export const waysView = (ways: readonly WayOut[]): BlockedView["smallest_changes"] =>
  ways.map(({ changes, outcome }) => ({ changes: [...changes], outcome }));

const checkView = (
  check: Check,
  worded: (detail: string) => string,
): BlockedView["nodes"][number]["checks"][number] => ({
  ...check,
  detail: worded(check.detail),
  devices: check.devices.map((device) => ({ ...device, detail: worded(device.detail) })),
});

/** How operations are told: `own` are the uids of the app that is planned. */
export interface OpLook {
  readonly state: State;
  readonly own: ReadonlySet<string>;
  readonly wording: Wording;
}

/** Returns an operation in words, or null for mere bookkeeping. */
export function opView(op: Op, look: OpLook): OpView | null {
  const { own, wording } = look;
  switch (op.op) {
    case "place":
    case "go":
    case "stop":
    case "write_off":
    case "lose":
    case "notify":
      return taskOp(op.op, op.task, op.why, look);
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
        why: wording(op.why, op.run),
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
    case "elements":
    case "archive":
    case "port":
      return null;
    default:
      return unreachable(op);
  }
}

const taskOp = (op: string, task: TaskRow, why: string, { state, own, wording }: OpLook): OpView => ({
  op,
  task: taskName(task),
  title: fullName(task),
  node: state.nodes.get(task.node_id)?.name ?? null,
  devices: task.promised.devices.map((device) => device.id),
  why: wording(why, task),
  own: own.has(task.owner_uid),
  project: task.project,
});

/**
 * Returns why a task is on its node: the planner's scores in the present state. They are empty for a task whose spec a
 * restored server does not have.
 */
export function placedView({ store, loop }: Context, task: TaskRow, wording: Wording): Placed {
  const node = store.state.nodes.get(task.node_id)?.name ?? task.node_id;
  const task_id = shortId(task.uid);
  if (!store.hasSpec(task.spec_hash)) return { task_id, node, scores: [], devices: [] };
  const { scores, devices } = explainPlaced(loop.snapshot(store.state, store.now()), task);
  return {
    task_id,
    node,
    scores: scores.map(({ node: name, total, parts }) => ({ node: name, total, parts: { ...parts } })),
    devices: devices.map(({ id, why }) => ({ id, why: wording(why, task) })),
  };
}
