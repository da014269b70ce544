// What either end cannot read of the other's messages. An order that this agent cannot read is rejected by name, and
// the connection stays. What the server could not read is said in this agent's log.

import { cutText } from "../../core/cut";
import { HOUSE_LIMITS } from "../../core/limits";
import { rejectedUnread } from "../../core/agent/report";
import { fieldsOf } from "../../os/files/json";
import type { Misfit } from "../../wire/fit";
import type { Message, ServerHandlers, ServerLink } from "./link";
import { report } from "./work";

export const UNREAD: ServerHandlers<"unread"> = { unread: tellUnread };

const SAID_AT_ONCE = 5;

function tellUnread({ options }: ServerLink, { entries }: Message<"unread">): void {
  for (const { name, why } of entries.slice(0, SAID_AT_ONCE)) options.say(`the server could not read ${name}: ${why}`);
  const more = entries.length - SAID_AT_ONCE;
  if (more > 0) options.say(`the server could not read ${more} more`);
}

const UID = /^[0-9a-f]{32}$/;

/**
 * Rejects the orders that could not be read and whose task is not here. Another order that could not be read is only
 * said: its task goes on as it is.
 */
export function rejectUnread(link: ServerLink, misfits: readonly Misfit[]): void {
  for (const { where, why, value } of misfits) {
    const order = fieldsOf(value);
    const uid = fieldsOf(order["task"])["uid"] ?? order["uid"];
    link.options.say(`an order of the server cannot be read: ${cutText(`${where}: ${why}`, HOUSE_LIMITS.text_chars)}`);
    if (order["verb"] === "stop" || typeof uid !== "string" || !UID.test(uid) || link.options.loop.knows(uid)) continue;
    report(link, [rejectedUnread(uid, cutText(`its agent cannot read the order: ${why}`, HOUSE_LIMITS.text_chars))]);
  }
}
