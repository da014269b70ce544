// What people are told of a card: who is on it, and what keeps it from being handed over.

import type { CardUser, Holder } from "./card-users";
import { formatMemory } from "../format";
import type { DeviceProcess } from "../model/device";
import type { Bytes } from "../units";

/** So many are named, the others are counted. */
export const NAMED = 3;

/** What drivers and tools say may be a page: here it stands within a line, and within a message that has a limit. */
const MOST_SAID = 500;

/** What a look has found on a card that shall be handed over. */
export interface Remains {
  /** Processes of tasks that have ended. */
  readonly left: readonly CardUser[];
  /** Strangers that came while the last tasks had the card. */
  readonly suspects: readonly CardUser[];
  readonly unexplained_bytes: Bytes;
}

/** `after` are the tasks that held the card. */
export function sayRemains({ left, suspects, unexplained_bytes }: Remains, after: readonly Holder[]): string {
  const whys = [
    ...left.map((user) => `${nameOf(user)} of ${user.task?.name ?? ""} is still on it`),
    ...suspects.map((user) => `${nameOf(user)} came while ${namesOf(after)} had it`),
    ...(unexplained_bytes > 0
      ? [`${formatMemory(unexplained_bytes)} more than on an idle card are in use, by no process that shows`]
      : []),
  ];
  return whys.slice(0, NAMED).join("; ");
}

/** Strangers on a card, and how many more there are. */
export const sayStrangers = (named: readonly CardUser[], more: number): string =>
  [...named.map(nameOf), ...(more > 0 ? [`${more} more`] : [])].join(", ") || "no process that shows";

/** `bob: python (pid 4711)`. */
const nameOf = ({ user, command, pid }: DeviceProcess): string =>
  `${user === null ? "" : `${user}: `}${command} (pid ${pid})`;

export const short = (text: string): string => (text.length <= MOST_SAID ? text : `${text.slice(0, MOST_SAID)}…`);

/** Shares of one card may be had by hundreds. */
export function namesOf(holders: readonly Holder[]): string {
  const names = [...new Set(holders.map(({ name }) => name))];
  const more = names.length > NAMED ? [`${names.length - NAMED} more`] : [];
  return [...names.slice(0, NAMED), ...more].join(", ");
}
