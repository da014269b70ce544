// A card in words for people: who is on it, and what keeps it from being handed over.

import type { CardUser, Holder } from "./card-users";
import { formatMemory } from "../format";
import type { DeviceProcess } from "../model/device";
import type { Bytes } from "../units";

/** How many processes or tasks a message names. It counts the others. */
export const NAMED = 3;

/**
 * The most characters that are kept of a driver's or tool's text. Such a text may be a page long, and here it is part
 * of a line and of a message whose size is limited.
 */
const MOST_SAID = 500;

/** What a look has found on a card that is to be handed over. */
export interface Remains {
  /** Processes of tasks that have ended. */
  readonly left: readonly CardUser[];
  /** Foreign processes that came while the last tasks had the card. */
  readonly suspects: readonly CardUser[];
  readonly unexplained_bytes: Bytes;
}

/** Returns in words what keeps a card from being handed over. `after` are the tasks that held the card. */
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

/** Returns foreign processes on a card in words, with the number of those that are not named. */
export const sayStrangers = (named: readonly CardUser[], more: number): string =>
  [...named.map(nameOf), ...(more > 0 ? [`${more} more`] : [])].join(", ") || "no process that shows";

/** Returns a process in words: `bob: python (pid 4711)`. */
const nameOf = ({ user, command, pid }: DeviceProcess): string =>
  `${user === null ? "" : `${user}: `}${command} (pid ${pid})`;

export const short = (text: string): string => (text.length <= MOST_SAID ? text : `${text.slice(0, MOST_SAID)}…`);

/** Returns the names of a card's holders. Only a few are named, since hundreds may have shares of one card. */
export function namesOf(holders: readonly Holder[]): string {
  const names = [...new Set(holders.map(({ name }) => name))];
  const more = names.length > NAMED ? [`${names.length - NAMED} more`] : [];
  return [...names.slice(0, NAMED), ...more].join(", ");
}
