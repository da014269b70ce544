// What the server cannot read of an agent's messages, and what it does not let wait: an entry that cannot be read costs
// that entry and is said by name, and a connection that sends more than it may is closed.

import { cutText } from "../../core/cut";
import { HOUSE_LIMITS } from "../../core/limits";
import { NO_RESULT, TOLD_ENDS } from "../../core/model/end";
import { bareReport, type TaskReport } from "../../core/model/record";
import type { Orphan } from "../../core/model/rows-node";
import { PROTOCOL, type ToServer } from "../../wire/agent";
import type { Misfit } from "../../wire/fit";
import { doubt, type Hub, refuse, send, type Session } from "./hub";

/** The most text that a session may have sent and that is not handled yet. */
const WAITING_CHARS = 4 * HOUSE_LIMITS.message_bytes;

/** The longest hello. It holds a machine with all of its cards. */
const HELLO_CHARS = 1024 * 1024;

const CHARS_IN_NAME = 200;
const UID = /^[0-9a-f]{32}$/;

/**
 * Returns whether a message of this length may wait to be handled. Closes the connection if not. What is sent before
 * the agent's identity is proven counts against one bound for all connections.
 */
export function mayWait(hub: Hub, session: Session, chars: number): boolean {
  const { proven, waiting_chars } = session;
  const most = proven ? WAITING_CHARS - waiting_chars : HOUSE_LIMITS.unproven_bytes - hub.unproven_chars;
  const isHello = !proven && waiting_chars === 0;
  if (chars <= most && (!isHello || chars <= HELLO_CHARS)) return true;
  refuse(session, {
    code: "too_much",
    message: "it sent more than the server lets wait",
    hint: "are both of the same release?",
  });
  return false;
}

/** Counts a message as waiting. Returns the function to call once the message is handled. */
export function waits(hub: Hub, session: Session, chars: number): () => void {
  const { proven } = session;
  session.waiting_chars += chars;
  if (!proven) hub.unproven_chars += chars;
  return () => {
    session.waiting_chars -= chars;
    if (!proven) hub.unproven_chars -= chars;
  };
}

/**
 * Handles a message of which nothing can be read. It costs the message while the node is connected. Before that it ends
 * the connection, since nothing can follow from half a greeting.
 */
export function takeUnreadable(hub: Hub, session: Session, data: string, why: string): void {
  if (session.phase.is === "live" && data.startsWith("{")) {
    return tellUnread(hub, session, [{ where: "the message", why, value: null }]);
  }
  refuse(session, {
    code: "malformed",
    message: `the message is not of this protocol: ${cutText(why, CHARS_IN_NAME)}`,
    hint: `the server speaks version ${PROTOCOL}; are both of the same release?`,
  });
}

/** Tells the agent, the log and the events which entries could not be read. */
export function tellUnread(hub: Hub, session: Session, misfits: readonly Misfit[]): void {
  const first = misfits[0];
  if (first === undefined) return;
  const entries = misfits
    .slice(0, HOUSE_LIMITS.message_entries)
    .map((misfit) => ({ name: nameOf(misfit), why: cutText(misfit.why, CHARS_IN_NAME) }));
  send(session, { type: "unread", entries });
  const node_id =
    session.phase.is === "live"
      ? session.phase.node_id
      : session.phase.is === "inventory"
        ? session.phase.hello.credential.node_id
        : null;
  const more = misfits.length > 1 ? ` and ${misfits.length - 1} more` : "";
  const detail = `said what cannot be read: ${nameOf(first)} (${cutText(first.why, CHARS_IN_NAME)})${more}`;
  if (node_id === null) hub.say(`agent session ${session.n} ${detail}`);
  else doubt(hub, node_id, detail);
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;

function nameOf({ where, value }: Misfit): string {
  const called = ["name", "uid", "id", "key"]
    .map((field) => fieldOf(value, field))
    .find((one) => typeof one === "string");
  return typeof called === "string" ? `${where} (${cutText(called, CHARS_IN_NAME)})` : where;
}

/**
 * Returns the message with what must be concluded from its unreadable entries. In a report, an end that cannot be read
 * is an end without a result. In an inventory, a task that cannot be read is there, so nothing is concluded from its
 * absence.
 */
export function withUnread(message: ToServer, misfits: readonly Misfit[]): ToServer {
  const entries = misfits.filter(({ where }) => where.startsWith("entries.")).map(({ value }) => value);
  if (entries.length === 0) return message;
  if (message.type === "report") return { ...message, entries: [...message.entries, ...entries.flatMap(bareEnd)] };
  if (message.type !== "inventory") return message;
  const ends = entries.flatMap(bareEnd);
  const ended = new Set(ends.map(({ uid }) => uid));
  const others = entries.map(unreadableTask).filter(({ uid }) => !ended.has(uid));
  return { ...message, entries: [...message.entries, ...ends], unreadable: [...message.unreadable, ...others] };
}

const UNREADABLE = "its agent's report of its end cannot be read";

function bareEnd(value: unknown): TaskReport[] {
  const uid = fieldOf(value, "uid");
  const told = fieldOf(fieldOf(value, "reported"), "state");
  const state = TOLD_ENDS.find((one) => one === told);
  if (typeof uid !== "string" || !UID.test(uid) || state === undefined) return [];
  const { started_ms: _started, ...nothing } = NO_RESULT;
  const times = { started_age_ms: null, finished_age_ms: 0 };
  return [bareReport(uid, { ...nothing, ...times, state, reason: UNREADABLE, tail: null, next: null })];
}

/** The uid under which a task is kept whose own uid cannot be read. */
const NAMELESS = "0".repeat(32);

function unreadableTask(value: unknown): Orphan {
  const uid = fieldOf(value, "uid");
  const name = fieldOf(value, "name");
  return {
    uid: typeof uid === "string" && UID.test(uid) ? uid : NAMELESS,
    name: typeof name === "string" ? cutText(name, CHARS_IN_NAME) : "an entry that cannot be read",
    pid: null,
    held: null,
  };
}
