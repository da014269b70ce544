// What a family of messages is: for each type of message a handler, and when it is its turn.

import type { ToServer } from "../../wire/agent";
import type { Hub, Session } from "./hub";

type Type = ToServer["type"];
type Message<T extends Type> = Extract<ToServer, { type: T }>;
type Take<M> = (hub: Hub, session: Session, message: M) => void | Promise<void>;

export interface Handler<M> {
  /** `in turn`: after what came before on the connection is taken in. `at once`: beside it. */
  readonly when: "in turn" | "at once";
  readonly take: Take<M>;
}

export type Handlers<T extends Type> = { readonly [K in T]: Handler<Message<K>> };

export const inTurn = <M>(take: Take<M>): Handler<M> => ({ when: "in turn", take });
export const atOnce = <M>(take: Take<M>): Handler<M> => ({ when: "at once", take });

/** Drops the message unless the session speaks for a node, whose id the handler gets. */
export const whileLive =
  <M>(take: (hub: Hub, session: Session, message: M, node_id: string) => void | Promise<void>): Take<M> =>
  (hub, session, message) =>
    session.phase.is === "live" ? take(hub, session, message, session.phase.node_id) : undefined;
