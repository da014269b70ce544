// The connections of agents as data: the facts of each, the facts that all share, and how a message is sent on one.

import { HOUSE_LIMITS } from "../../core/limits";
import { shortId } from "../../core/model/task";
import type { ToldVerb } from "../../core/intake/assign";
import type { Orphan } from "../../core/model/rows-node";
import type { Stamp, TaskReport, Verb } from "../../core/model/record";
import type { Ms } from "../../core/units";
import { messageOf } from "../../os/errors";
import { toAgent, type ToAgent, type ToServer } from "../../wire/agent";
import { messageText } from "../../wire/fit";
import { signPassed } from "../access/identity";
import type { AgentSocket, Context } from "../context";
import type { EventBudget } from "./events";
import type { Streams } from "./streams";

type Hello = Extract<ToServer, { type: "hello" }>;
type Changes = Extract<ToAgent, { type: "changes" }>;

/** The pages of an inventory that have come, as one list, and the size of their text. */
export interface InventoryPages {
  readonly entries: TaskReport[];
  readonly unreadable: Orphan[];
  chars: number;
  words_chars: number;
}

/** What a node is told of its tasks in a session; see orders.ts. */
export interface Orders {
  /** How far the agent was told about the node's tasks. */
  told: Map<string, ToldVerb>;
  /** The settings that the agent was told of each task in this session, as text. Null: it takes no changed ones. */
  set: Map<string, string> | null;
  /** The uids of the tasks about which there may be something to tell. */
  readonly due: Set<string>;
  /** The stops to tell of tasks that have no row here, by uid. */
  readonly stops: Map<string, Verb>;
  /** Messages that were sent in this session and are not yet reported as applied, oldest first. */
  unapplied: { readonly message: Changes; readonly bytes: number; readonly at_ms: Ms }[];
  /** When the agent reported anything as applied last. */
  moved_ms: Ms;
  sent_n: number;
  /** The revision up to which everything was told in this session. */
  revision: number;
}

export interface Session {
  readonly n: number;
  readonly nonce: string;
  readonly socket: AgentSocket;
  readonly streams: Streams;
  /** Whether a hello has come that is signed with the key of the node that it names. */
  proven: boolean;
  phase:
    | { readonly is: "challenged" }
    | { readonly is: "inventory"; readonly hello: Hello; readonly pages: InventoryPages }
    | { readonly is: "live"; readonly node_id: string; readonly instance_id: string; readonly log_lines: boolean };
  readonly orders: Orders;
  /** The order to test the node that was sent last in this session, or null. */
  asked: { readonly id: string; readonly at_ms: Ms } | null;
  /** How many findings were kept as events since when. */
  found: { readonly since_ms: Ms; readonly count: number };
  /** Facts of the machine that came too soon after others and are taken later, or null. */
  facts: Extract<ToServer, { type: "facts" }> | null;
  /** The newest progress that the agent reported of its tests, or null. */
  step: Extract<ToServer, { type: "testing" }> | null;
  acked_seq: number;
  /** Whether a part of a task's input is being read for this session. */
  fetching: boolean;
  /** The messages that wait unread, oldest first. */
  readonly held: { readonly chars: number; readonly read: () => void }[];
  /** When anything came on this connection last, on the listening clock. */
  heard_ms: Ms;
  /** The characters of the messages that have come and are not handled yet. */
  waiting_chars: number;
  /** Ends when the messages that are handled in turn have been handled. */
  queue: Promise<void>;
}

/** The facts that all connections share. */
export interface Hub extends Context {
  readonly all: Map<AgentSocket, Session>;
  /** The one connection that speaks for each node. */
  readonly live: Map<string, Session>;
  /**
   * The number of the newest connection that has sent a whole inventory for each node. Inventories, reports and test
   * results of earlier connections are dropped.
   */
  readonly newest: Map<string, number>;
  /** The signature of the newest revision that was stamped. */
  signed: { readonly revision: number; readonly signature: string };
  /** The characters of messages that wait, from connections that have yet to prove who they are. */
  unproven_chars: number;
  /** The events that each node and each address has caused of late. */
  readonly budgets: Map<string, EventBudget>;
  /** How often each node has changed the facts of its machine since when. */
  readonly changed: Map<string, { readonly since_ms: Ms; readonly count: number }>;
  /** How much text of each node was read since when. */
  readonly read: Map<string, { readonly since_ms: Ms; readonly count: number }>;
  /** What each node said that was not believed, so that each sentence is said once in the life of this server. */
  readonly doubted: Map<string, Set<string>>;
}

/** Returns a stamp of the session. An earlier revision than the newest is signed by itself. */
export function stamp(hub: Hub, session: Session, of: number = hub.store.state.cluster.revision): Stamp {
  const { cluster_id, timeline, epoch, revision } = hub.store.state.cluster;
  if (of !== revision) {
    const at = { cluster_id, timeline, epoch, revision: of };
    return { ...at, session: session.n, signature: signPassed(hub.identity, at) };
  }
  // One signature serves all messages of a revision.
  if (hub.signed.revision !== revision) {
    hub.signed = { revision, signature: signPassed(hub.identity, { cluster_id, timeline, epoch, revision }) };
  }
  return { cluster_id, timeline, epoch, session: session.n, revision, signature: hub.signed.signature };
}

export const send = (session: Session, message: ToAgent): boolean =>
  session.socket.send(messageText(toAgent, message)) !== 0;

export function refuse(session: Session, refusal: AgentRefusal): void {
  send(session, { type: "refused", ...refusal });
  session.socket.close(4_000, refusal.code);
}

export interface AgentRefusal {
  readonly code: string;
  readonly message: string;
  readonly hint: string | null;
}

export const FORGOTTEN: AgentRefusal = {
  code: "forgotten",
  message: "this node was removed from the cluster",
  hint: "join it again with a new token: orch token new --role agent",
};

/** Returns the actor of changes that an agent's messages cause, as `orch events` shows it. */
export const actorOf = (hub: Hub, node_id: string): string =>
  `node ${hub.store.state.nodes.get(node_id)?.name ?? shortId(node_id)}`;

/** Says in the log and in the events what a node said that was not believed. A repeated sentence is said once. */
export function doubt(hub: Hub, node_id: string, detail: string): void {
  const known = hub.doubted.get(node_id) ?? new Set();
  if (known.has(detail) || known.size >= HOUSE_LIMITS.doubts) return;
  hub.doubted.set(node_id, known.add(detail));
  const name = hub.store.state.nodes.get(node_id)?.name ?? shortId(node_id);
  hub.say(`${name} ${detail}`);
  hub.store
    .commit("server", (draft) => draft.event({ verb: "doubted", object: name, project: null, node_id, detail }))
    .catch((error: unknown) => hub.say(`the event about ${name} could not be written: ${messageOf(error)}`));
}

/** Returns whether a later connection has spoken for the node, so that this connection's messages are outdated. */
export const isOvertaken = (hub: Hub, session: Session, node_id: string): boolean =>
  (hub.newest.get(node_id) ?? 0) > session.n;

/**
 * Removes a connection that has ended, or is about to be closed, from `all` and `live`, and ends its streams. `newest`
 * keeps its number.
 */
export function drop(hub: Hub, session: Session): void {
  session.streams.broken("the node's connection was lost");
  session.held.splice(0);
  hub.all.delete(session.socket);
  if (session.phase.is === "live" && hub.live.get(session.phase.node_id) === session) {
    hub.live.delete(session.phase.node_id);
    hub.presences.gone(session.phase.node_id);
    hub.loop.gone(session.phase.node_id);
  }
}
