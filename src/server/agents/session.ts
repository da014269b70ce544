// One agent's connection: its messages are checked, ordered, and passed to the handlers of their family.

import { messageOf } from "../../os/errors";
import { toServer, type ToServer } from "../../wire/agent";
import { messageFrom } from "../../wire/fit";
import { GREETING } from "./greeting";
import { type Handler, type Handlers, inTurn } from "./handlers";
import { type Hub, refuse, type Session } from "./hub";
import { LEAVING } from "./leaving";
import { MACHINE } from "./machine";
import { TESTS } from "./testing";
import { mayWait, takeUnreadable, tellUnread, waits, withUnread } from "./unread";
import { WORK } from "./work";

/** The handlers of every message that an agent may send. */
const HANDLERS: Handlers<ToServer["type"]> = {
  ...GREETING,
  ...WORK,
  ...MACHINE,
  ...LEAVING,
  ...TESTS,
  opened: inTurn((_hub, { streams }, message) => streams.take(message)),
  end: inTurn((_hub, { streams }, message) => streams.take(message)),
};

/** Bytes come only in streams that the server has opened, so they prove nothing before the greeting. */
function takeBytes(session: Session, data: Uint8Array): void {
  if (session.phase.is === "live") return session.streams.bytes(data);
  refuse(session, { code: "malformed", message: "bytes came before the greeting", hint: null });
}

export function receive(hub: Hub, session: Session, data: string | Uint8Array): void {
  if (typeof data !== "string") return takeBytes(session, data);
  if (!mayWait(hub, session, data.length)) return;
  const read = messageFrom(toServer, data);
  if (read.is === "unreadable") return takeUnreadable(hub, session, data, read.why);
  tellUnread(hub, session, read.misfits);
  const message = withUnread(read.value, read.misfits);
  const { when, take } = HANDLERS[message.type] as Handler<ToServer>;
  const handled = waits(hub, session, data.length);
  const taken = async (): Promise<void> => {
    try {
      await take(hub, session, message);
    } finally {
      handled();
    }
  };
  const failed = (error: unknown): void => {
    hub.say(`agent session ${session.n}: ${messageOf(error)}`);
    session.socket.close(4_002, "the server could not take the message");
  };
  if (when === "at once") taken().catch(failed);
  else session.queue = session.queue.then(taken).catch(failed);
}
