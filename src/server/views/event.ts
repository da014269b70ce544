// Events as the API shows them. A node is shown by its name, a forgotten node by the beginning of its id.

import type { EventRow, State } from "../../core/model/rows-state";
import type { RunRow } from "../../core/model/rows-work";
import { calledAs, parseName, shortId } from "../../core/model/task";
import type { EventView } from "../../wire/api/watch";

/** `runOf` returns the run of a number, as far as one is known. */
export function eventView(
  { node_id, ...event }: EventRow,
  state: State,
  runOf: (run: number) => RunRow | null,
): EventView {
  const { object, project } = event;
  // Only what has a project can be a run: other objects, such as tokens, may begin with a digit too.
  const name = project === null ? null : parseName(object);
  const run = name?.is === "run" ? runOf(name.run) : null;
  const title = run === null ? object : `${calledAs(run.name, { name: object, run: run.run })} (run ${run.run})`;
  return { ...event, title, node: node_id === null ? null : (state.nodes.get(node_id)?.name ?? shortId(node_id)) };
}
