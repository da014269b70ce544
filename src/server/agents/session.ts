// One agent's connection: its messages are checked, ordered, and passed to the handlers of their family.

import { messageOf } from "../../os/errors";
import { proof, toServer, type ToServer } from "../../wire/agent";
import { messageFrom, strictlyFrom } from "../../wire/fit";
import { identify } from "./admission";
import { GREETING } from "./greeting";
import { type Handler, type Handlers, inTurn } from "./handlers";
import { INPUTS } from "./inputs";
import { type Hub, refuse, type Session } from "./hub";
import { LEAVING } from "./leaving";
import { MACHINE } from "./machine";
import { isHeartbeat, readHeld, readOrHold } from "./reading";
import { REPORTS } from "./reports";
import { TESTS } from "./testing";
import { mayWait, takeUnreadable, tellUnread, waits, withUnread } from "./unread";
import { WORK } from "./work";

/** The handlers of every message that an agent may send. */
const HANDLERS: Handlers<ToServer["type"]> = {
  ...GREETING,
  ...WORK,
  ...REPORTS,
  ...MACHINE,
  ...LEAVING,
  ...TESTS,
  ...INPUTS,
  opened: inTurn((_hub, { streams }, message) => streams.take(message)),
  end: inTurn((_hub, { streams }, message) => streams.take(message)),
};

/** Bytes come only in streams that the server has opened, so they prove nothing before the greeting. */
function takeBytes(session: Session, data: Uint8Array): void {
  if (session.phase.is === "live") return session.streams.bytes(data);
  refuse(session, { code: "malformed", message: "bytes came before the greeting", hint: null });
}

/**
 * Returns whether the message may be read: the sender has proven which node it speaks for, with this hello or with one
 * before. Refuses the connection otherwise. Nothing of a stranger's message is read but the proof.
 */
function isProven(hub: Hub, session: Session, data: string): boolean {
  if (session.proven) return true;
  const read = strictlyFrom(proof, data);
  if (read.is === "unreadable") {
    takeUnreadable(hub, session, data, read.why);
    return false;
  }
  const who = identify(hub, read.value, session.nonce);
  if (who.is === "refused") refuse(session, who.refusal);
  return who.is === "admitted";
}

export function receive(hub: Hub, session: Session, data: string | Uint8Array): void {
  if (typeof data !== "string") return takeBytes(session, data);
  if (!mayWait(hub, session, data.length) || !isProven(hub, session, data)) return;
  const handled = waits(hub, session, data.length);
  if (!isHeartbeat(data)) return readOrHold(hub, session, data.length, () => read(hub, session, data, handled));
  read(hub, session, data, handled);
  readHeld(hub, session);
}

/** Reads a message and passes it to its handler. Calls `handled` when all that follows from it has happened. */
function read(hub: Hub, session: Session, data: string, handled: () => void): void {
  const got = messageFrom(toServer, data);
  if (got.is === "unreadable") {
    handled();
    return takeUnreadable(hub, session, data, got.why);
  }
  tellUnread(hub, session, got.misfits);
  const message = withUnread(got.value, got.misfits);
  const { when, take } = HANDLERS[message.type] as Handler<ToServer>;
  session.proven = true;
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
