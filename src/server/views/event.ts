// Events as the API shows them. A node is shown by its name, a forgotten node by the beginning of its id.

import type { EventRow, State } from "../../core/model/rows-state";
import type { RunRow } from "../../core/model/rows-work";
import { calledAs, parseName, shortId } from "../../core/model/task";
import type { Wording } from "../access/wording";
import type { EventView } from "../../wire/api/watch";

/** What events are told from. `runOf` returns the run of a number, as far as one is known. */
export interface EventLook {
  readonly state: State;
  readonly runOf: (run: number) => RunRow | null;
  readonly wording: Wording;
}

export function eventView({ node_id, ...event }: EventRow, { state, runOf, wording }: EventLook): EventView {
  const { object, project } = event;
  // Only what has a project can be a run: other objects, such as tokens, may begin with a digit too.
  const name = project === null ? null : parseName(object);
  const run = name?.is === "run" ? runOf(name.run) : null;
  const title = run === null ? object : `${calledAs(run.name, { name: object, run: run.run })} (run ${run.run})`;
  // What a spec was when the event was written is not known.
  const detail = project === null ? event.detail : wording(event.detail, run ?? { project, spec_hash: null });
  return {
    ...event,
    detail,
    title,
    node: node_id === null ? null : (state.nodes.get(node_id)?.name ?? shortId(node_id)),
  };
}
