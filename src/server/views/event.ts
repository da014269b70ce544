// Events as the API shows them. A node is shown by its name, a forgotten node by the beginning of its id.

import type { EventRow, State } from "../../core/model/rows-state";
import { shortId } from "../../core/model/task";
import type { EventView } from "../../wire/api/watch";

export function eventView({ node_id, ...event }: EventRow, state: State): EventView {
  return { ...event, node: node_id === null ? null : (state.nodes.get(node_id)?.name ?? shortId(node_id)) };
}
