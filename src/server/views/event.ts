// Events as the contract shows them: nodes by their names, where they still have one.

import type { EventRow, State } from "../../core/model";
import type { EventView } from "../../wire/api";

const NODE = /^node ([0-9a-f]{32})$/;

export function eventView(event: EventRow, state: State): EventView {
  const id = NODE.exec(event.actor)?.[1];
  const name = id === undefined ? undefined : state.nodes.get(id)?.name;
  return name === undefined ? event : { ...event, actor: `node ${name}` };
}
