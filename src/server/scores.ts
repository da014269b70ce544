// How the nodes compare for a task that is placed: asked of the planner as things are now.

import { explainPlaced } from "../core/explain";
import type { TaskRow } from "../core/model";
import type { ExplainView } from "../wire/api";
import type { Context } from "./context";

type Scores = Extract<ExplainView, { placed: unknown }>["placed"]["scores"];

export function scoresOf({ store, loop }: Context, task: TaskRow): Scores {
  return explainPlaced(loop.snapshot(store.state, store.now()), task).map(({ node, total, parts }) => ({
    node,
    total,
    parts: { ...parts },
  }));
}
