// What a node says of its tasks while it is connected. Reports are committed before they are acknowledged.

import { observe } from "../../core/intake/observe";
import type { TaskReport } from "../../core/model/record";
import type { ToServer } from "../../wire/agent";
import { intakeContext } from "../nodes/intake-context";
import { atOnce, type Handlers, whileLive } from "./handlers";
import { actorOf, doubt, type Hub, send, type Session, stamp } from "./hub";
import { push } from "./orders";

type Report = Extract<ToServer, { type: "report" }>;

/** Reports do not wait for each other's commits: the store's queue keeps their order, and task states only rise. */
export const REPORTS: Handlers<"report"> = { report: atOnce(whileLive(takeReport)) };

async function takeReport(hub: Hub, session: Session, { seq, entries }: Report, node_id: string): Promise<void> {
  const { value } = await hub.store.commit(actorOf(hub, node_id), (draft) => {
    const { changes, verbs: told, doubts } = observe(draft.state, node_id, entries, intakeContext(hub, draft));
    draft.put(changes);
    return { verbs: told, doubts };
  });
  const { verbs, doubts } = value;
  for (const detail of doubts) doubt(hub, node_id, detail);
  countAsTold(hub, session, entries, node_id);
  const node = hub.store.state.nodes.get(node_id);
  if (node !== undefined && verbs.length > 0) push(hub, session, node, [], verbs);
  // An acknowledgement covers all reports up to its number. So this report is not acknowledged while an earlier one is
  // not.
  if (seq > session.acked_seq + 1) return;
  session.acked_seq = Math.max(session.acked_seq, seq);
  send(session, { type: "ack", stamp: stamp(hub, session), seq });
}

/** An agent counts as told about the tasks that it reports; of those that are over nothing is kept. */
function countAsTold(hub: Hub, { orders }: Session, entries: readonly TaskReport[], node_id: string): void {
  for (const { uid } of entries) {
    if (hub.store.state.tasks.get(uid)?.node_id !== node_id) orders.told.delete(uid);
    else if (!orders.told.has(uid)) orders.told.set(uid, "run");
  }
}
