// The shape of a family of messages: for each message type a handler, and the order in which messages are handled.

import type { ToServer } from "../../wire/agent";
import { type Hub, isOvertaken, type Session } from "./hub";

type Type = ToServer["type"];
type Message<T extends Type> = Extract<ToServer, { type: T }>;
type Take<M> = (hub: Hub, session: Session, message: M) => void | Promise<void>;

export interface Handler<M> {
  /** `in turn`: after the earlier messages of the connection are handled. `at once`: without waiting for them. */
  readonly when: "in turn" | "at once";
  readonly take: Take<M>;
}

export type Handlers<T extends Type> = { readonly [K in T]: Handler<Message<K>> };

export const inTurn = <M>(take: Take<M>): Handler<M> => ({ when: "in turn", take });
export const atOnce = <M>(take: Take<M>): Handler<M> => ({ when: "at once", take });

/**
 * Returns a handler that drops the message unless the session speaks for a node. A session that a later connection of
 * the node has overtaken does not: it proves nothing about the node any more, not even that it is heard. `take`
 * receives the node's id.
 */
export const whileLive =
  <M>(take: (hub: Hub, session: Session, message: M, node_id: string) => void | Promise<void>): Take<M> =>
  (hub, session, message) => {
    if (session.phase.is !== "live" || isOvertaken(hub, session, session.phase.node_id)) return undefined;
    return take(hub, session, message, session.phase.node_id);
  };
