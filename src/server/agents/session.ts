// One agent's connection: its messages are checked, ordered, and passed to the handlers of their family.

import { messageOf } from "../../os/errors";
import { PROTOCOL, toServer, type ToServer } from "../../wire/agent";
import { fromText } from "../../wire/text";
import { GREETING } from "./greeting";
import { type Handler, type Handlers, inTurn } from "./handlers";
import { type Hub, refuse, type Session } from "./hub";
import { LEAVING } from "./leaving";
import { MACHINE } from "./machine";
import { TESTS } from "./testing";
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

export function receive(hub: Hub, session: Session, data: string | Uint8Array): void {
  if (typeof data !== "string") return session.streams.bytes(data);
  const read = fromText(toServer, data);
  if (read.is === "unreadable")
    return refuse(session, {
      code: "malformed",
      message: "the message is not of this protocol",
      hint: `the server speaks version ${PROTOCOL}; are both of the same release?`,
    });
  const message = read.value;
  const { when, take } = HANDLERS[message.type] as Handler<ToServer>;
  const taken = async (): Promise<void> => take(hub, session, message);
  const failed = (error: unknown): void => {
    hub.say(`agent session ${session.n}: ${messageOf(error)}`);
    session.socket.close(4_002, "the server could not take the message");
  };
  if (when === "at once") taken().catch(failed);
  else session.queue = session.queue.then(taken).catch(failed);
}
