// What a node is told of its tasks over its session. It is told in parts, each numbered and kept until the agent has
// applied it: as much as fits one message is under way, and the rest waits as uids, not as text.

import { setBy, toldBy, uidOf, verbsFor } from "../../core/intake/assign";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Verb } from "../../core/model/record";
import type { NodeRow } from "../../core/model/rows-node";
import type { TaskRow } from "../../core/model/rows-task";
import { trace } from "../../os/trace";
import type { ToAgent } from "../../wire/agent";
import { type Hub, type Orders, refuse, send, type Session, stamp } from "./hub";

type Changes = Extract<ToAgent, { type: "changes" }>;

export const newOrders = (): Orders => ({
  told: new Map(),
  set: null,
  due: new Set(),
  stops: new Map(),
  unapplied: [],
  moved_ms: 0,
  sent_n: 0,
  revision: 0,
});

const RESEND_AFTER_MS = 5_000;

/**
 * Tells the agent `stops`, and what it has not been told in this session about these tasks; the latter not before the
 * plan has decided. What does not fit waits until the agent has applied what was sent. `first` are stops that do not
 * wait.
 */
export function push(
  hub: Hub,
  session: Session,
  node: NodeRow,
  tasks: Iterable<TaskRow>,
  stops: readonly Verb[] = [],
  first: readonly Verb[] = [],
): void {
  const { orders } = session;
  for (const verb of [...first, ...stops]) orders.stops.set(uidOf(verb), verb);
  if (orders.stops.size > HOUSE_LIMITS.inventory_entries) {
    return refuse(session, {
      code: "too_much",
      message: "more of its tasks are to be stopped than a node has",
      hint: null,
    });
  }
  if (hub.loop.decides()) for (const task of tasks) if (task.node_id === node.id) orders.due.add(task.uid);
  const last = first.at(-1);
  while (last !== undefined && orders.stops.has(uidOf(last))) sendPart(hub, session, takePart(hub, session, null), 0);
  sendDue(hub, session, node);
}

function sendDue(hub: Hub, session: Session, node: NodeRow): void {
  const { unapplied } = session.orders;
  let under_way = unapplied.reduce((sum, { bytes }) => sum + bytes, 0);
  while (under_way < hub.orders_bytes) {
    const sent = sendPart(hub, session, takePart(hub, session, node), under_way);
    if (sent === 0) return;
    under_way += sent;
  }
}

interface Part {
  readonly verbs: Verb[];
  bytes: number;
}

/** Takes what fits one message of what is due, at least one verb if any is due. */
function takePart(hub: Hub, session: Session, node: NodeRow | null): Part {
  const { due, stops } = session.orders;
  const part: Part = { verbs: [], bytes: 0 };
  const add = (verb: Verb): boolean => {
    const bytes = Buffer.byteLength(JSON.stringify(verb));
    if (part.verbs.length > 0 && part.bytes + bytes > hub.orders_bytes) return false;
    part.verbs.push(verb);
    part.bytes += bytes;
    return true;
  };
  for (const [uid, verb] of stops) {
    if (!add(verb)) return part;
    noteTold(session.orders, verb);
    stops.delete(uid);
  }
  if (node === null) return part;
  for (const uid of due) {
    // What is due may have been given up while it waited, so the verb is made now.
    for (const verb of verbsOf(hub, session, node, uid)) {
      if (!add(verb)) return part;
      noteTold(session.orders, verb);
    }
    due.delete(uid);
  }
  return part;
}

/** Notes what an agent knows once a verb is sent. */
function noteTold({ told, set }: Orders, verb: Verb): void {
  const [uid, far, settings] = [uidOf(verb), toldBy(verb), setBy(verb)];
  if (far !== null) told.set(uid, far);
  if (settings !== null) set?.set(uid, settings);
  if (far === "stop") set?.delete(uid);
}

function verbsOf(hub: Hub, { orders }: Session, node: NodeRow, uid: string): Verb[] {
  const task = hub.store.state.tasks.get(uid);
  return verbsFor(hub.store.state, node, {
    spec: hub.store.spec,
    limits: hub.limits,
    server: hub.process,
    sign: hub.identity.sign,
    tasks: task === undefined ? [] : [task],
    told: orders.told,
    set: orders.set,
  });
}

/** Sends a part and keeps it until it is applied. `before`: how much is under way already. Returns the part's size. */
function sendPart(hub: Hub, session: Session, { verbs, bytes }: Part, before: number): number {
  if (verbs.length === 0) return 0;
  const { orders } = session;
  const waits = orders.due.size + orders.stops.size > 0;
  // What comes next has to wait too if this part is the last for which there is room.
  const more = waits || before + bytes >= hub.orders_bytes;
  // An agent concludes from a revision that nothing up to it is missing.
  if (!waits && hub.loop.decides()) orders.revision = hub.store.state.cluster.revision;
  const signed = stamp(hub, session, orders.revision);
  const message: Changes = { type: "changes", stamp: signed, n: ++orders.sent_n, changes: verbs, more };
  orders.unapplied.push({ message, bytes, at_ms: hub.clock() });
  send(session, message);
  trace("server: told the agent");
  return bytes;
}

/** Tells stops to an agent whose session ends with them, so that none waits for its answer. */
export function sendLast(hub: Hub, session: Session, stops: readonly Verb[]): void {
  for (const verb of stops) session.orders.stops.set(uidOf(verb), verb);
  while (sendPart(hub, session, takePart(hub, session, null), 0) > 0);
}

/** Takes in the number of the last message that the agent has applied, and sends what waited for that. */
export function takeApplied(hub: Hub, session: Session, node: NodeRow, applied_n: number): void {
  const { orders } = session;
  const left = orders.unapplied.filter(({ message }) => message.n > applied_n);
  if (left.length < orders.unapplied.length) orders.moved_ms = hub.clock();
  orders.unapplied = left;
  repeat(hub, session);
  sendDue(hub, session, node);
}

/**
 * Sends again what is not applied, if the agent has applied nothing for a while. What still waits to be taken by a slow
 * connection is not lost.
 */
function repeat(hub: Hub, session: Session): void {
  const { orders, socket } = session;
  const [oldest] = orders.unapplied;
  if (oldest === undefined || hub.clock() - Math.max(oldest.at_ms, orders.moved_ms) < RESEND_AFTER_MS) return;
  if (socket.waiting() > 0) return;
  const at_ms = hub.clock();
  orders.unapplied = orders.unapplied.map((one) => ({ ...one, message: withoutGivenUp(hub, one.message), at_ms }));
  for (const { message } of orders.unapplied) send(session, message);
}

/**
 * Returns the message without the tasks that were written off or have ended since it was first sent, so that they are
 * not started after all. Stops are kept.
 */
function withoutGivenUp(hub: Hub, message: Changes): Changes {
  const changes = message.changes.filter(
    (verb) => verb.verb === "stop" || hub.store.state.tasks.get(uidOf(verb))?.written_off === null,
  );
  return { ...message, changes };
}
