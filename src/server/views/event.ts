// Events as the contract shows them: nodes by their names, those that were forgotten by the beginning of their id.

import type { EventRow, State } from "../../core/model/rows-state";
import { shortId } from "../../core/model/task";
import type { EventView } from "../../wire/api/watch";

const NODE = /^node ([0-9a-f]{32})$/;

export function eventView(event: EventRow, state: State): EventView {
  const id = NODE.exec(event.actor)?.[1];
  if (id === undefined) return event;
  return { ...event, actor: `node ${state.nodes.get(id)?.name ?? shortId(id)}` };
}
