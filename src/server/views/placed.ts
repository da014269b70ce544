// Why a task is on its node: the planner's scores as things are now.

import { explainPlaced } from "../../core/place/explain";
import type { TaskRow } from "../../core/model/rows-task";
import type { ExplainView } from "../../wire/api/plans";
import type { Context } from "../context";

type Placed = Extract<ExplainView, { placed: unknown }>["placed"];

export function placedView({ store, loop }: Context, task: TaskRow): Placed {
  const node = store.state.nodes.get(task.node_id)?.name ?? task.node_id;
  const { scores, devices } = explainPlaced(loop.snapshot(store.state, store.now()), task);
  return {
    node,
    scores: scores.map(({ node: name, total, parts }) => ({ node: name, total, parts: { ...parts } })),
    devices: devices.map((device) => ({ ...device })),
  };
}
