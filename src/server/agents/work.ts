// The work of a node over its session. Changes to the node's tasks are numbered and kept until the agent has applied
// them. Reports are committed before they are acknowledged.

import { toldBy, verbsFor } from "../../core/intake/assign";
import { observe } from "../../core/intake/observe";
import type { Verb } from "../../core/model/record";
import type { NodeRow } from "../../core/model/rows-node";
import type { TaskRow } from "../../core/model/rows-task";
import type { ToAgent, ToServer } from "../../wire/agent";
import { intakeContext } from "../nodes/intake-context";
import { atOnce, type Handlers, whileLive } from "./handlers";
import { actorOf, doubt, type Hub, send, type Session, stamp } from "./hub";
import { takeLateFacts } from "./machine";
import { ask } from "./testing";

type Changes = Extract<ToAgent, { type: "changes" }>;
type Report = Extract<ToServer, { type: "report" }>;
type Heartbeat = Extract<ToServer, { type: "heartbeat" }>;

const RESEND_AFTER_MS = 5_000;

/** Reports do not wait for each other's commits: the store's queue keeps their order, and task states only rise. */
export const WORK: Handlers<"report" | "heartbeat"> = {
  report: atOnce(whileLive(takeReport)),
  heartbeat: atOnce(whileLive(takeHeartbeat)),
};

/**
 * Sends `first`, and then the verbs for these tasks that the agent has not been told in this session; those not before
 * the plan has decided. Sends nothing if there are none. The message is numbered, and kept until the agent reports it
 * as applied.
 */
export function push(
  hub: Hub,
  session: Session,
  node: NodeRow,
  tasks: Iterable<TaskRow>,
  first: readonly Verb[] = [],
): void {
  const verbs = [
    ...first,
    ...verbsFor(hub.store.state, node, {
      spec: hub.store.spec,
      limits: hub.limits,
      server: hub.process,
      sign: hub.identity.sign,
      tasks: hub.loop.decides() ? tasks : [],
      told: session.told,
    }),
  ];
  if (verbs.length === 0) return;
  for (const verb of verbs) session.told.set(...toldBy(verb));
  const message: Changes = { type: "changes", stamp: stamp(hub, session), n: ++session.sent_n, changes: verbs };
  session.unapplied.push({ message, at_ms: hub.clock() });
  send(session, message);
}

async function takeReport(hub: Hub, session: Session, { seq, entries }: Report, node_id: string): Promise<void> {
  const { value } = await hub.store.commit(actorOf(hub, node_id), (draft) => {
    const { changes, verbs: told, doubts } = observe(draft.state, node_id, entries, intakeContext(hub, draft));
    draft.put(changes);
    return { verbs: told, doubts };
  });
  const { verbs, doubts } = value;
  for (const detail of doubts) doubt(hub, node_id, detail);
  for (const entry of entries) if (!session.told.has(entry.uid)) session.told.set(entry.uid, "run");
  // An acknowledgement covers all reports up to its number. So this report is not acknowledged while an earlier one is
  // not.
  if (seq > session.acked_seq + 1) return;
  session.acked_seq = Math.max(session.acked_seq, seq);
  send(session, { type: "ack", stamp: stamp(hub, session), seq });
  const node = hub.store.state.nodes.get(node_id);
  if (node !== undefined && verbs.length > 0) push(hub, session, node, [], verbs);
}

/**
 * Returns the message without the tasks that were written off or have ended since it was first sent, so that they are
 * not started after all. Stops are kept.
 */
function withoutGivenUp(hub: Hub, message: Changes): Changes {
  const changes = message.changes.filter(
    (verb) => verb.verb === "stop" || hub.store.state.tasks.get(toldBy(verb)[0])?.written_off === null,
  );
  return { ...message, changes };
}

async function takeHeartbeat(hub: Hub, session: Session, beat: Heartbeat, node_id: string): Promise<void> {
  answerHeartbeat(hub, session, beat, node_id);
  await takeLateFacts(hub, session, node_id);
}

function answerHeartbeat(hub: Hub, session: Session, beat: Heartbeat, node_id: string): void {
  hub.loop.heard(node_id, hub.clock());
  hub.loop.skewed(node_id, beat.skew_ms);
  const node = hub.store.state.nodes.get(node_id);
  if (node !== undefined) ask(hub, session, node);
  send(session, {
    type: "beat",
    stamp: stamp(hub, session),
    sent_ms: beat.sent_ms,
    acked_seq: session.acked_seq,
    wall_ms: hub.wall(),
  });
  session.unapplied = session.unapplied.filter(({ message }) => message.n > beat.applied_n);
  const oldest = session.unapplied[0];
  if (oldest === undefined || hub.clock() - oldest.at_ms < RESEND_AFTER_MS) return;
  const at_ms = hub.clock();
  session.unapplied = session.unapplied.map(({ message }) => ({ message: withoutGivenUp(hub, message), at_ms }));
  for (const { message } of session.unapplied) send(session, message);
}
