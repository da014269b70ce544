// The journal of a batch, in its task's directory: what its keeper began of it, and how that ended, a checked line a
// fact. docs/decisions/63-batches.md says what each word means. The file is a frozen format, like that of a claim.

import { indicesOf, isElementEnd, type BatchOrder, type ElementEnd, type ElementResult } from "../../core/model/array";
import type { BootMs, Ms } from "../../core/units";
import { parsedJson } from "../../os/files/json";
import { checked, textIn } from "./checked";

export const ELEMENTS = "elements";

const line = (...words: readonly (string | number)[]): string => `${checked(words.join(" "))}\n`;

/** The first `count` elements of the order may begin from now on. It is synced before one of them does. */
export const mayLine = (count: number): string => line("may", count);

/** The element at `position` in the order is about to execute in a place. */
export const beganLine = (position: number, place: number, at_ms: BootMs): string =>
  line("began", position, place, Math.round(at_ms));

export const endedLine = (position: number, end: ElementEnd, ran_ms: Ms, why?: string): string =>
  line("ended", position, end, Math.round(ran_ms), ...(why === undefined ? [] : [JSON.stringify(why)]));

/** The element at `position` was begun, and nothing of it executed: it goes back. */
export const backLine = (position: number): string => line("back", position);

/** Only the first `count` elements of the order begin: no further one ever does. */
export const onlyLine = (count: number): string => line("only", count);

/** So many places are not given up. */
export const openLine = (places: number): string => line("open", places);

/** An element that has begun and not ended, as far as the journal says. */
export interface BegunElement {
  readonly place: number;
  readonly at_ms: BootMs;
}

/** What a journal says of a batch. Positions count the elements in the order in which they are to begin. */
export interface ElementsRead {
  /** How many elements may have begun. */
  may: number;
  /** Those that have begun, and whose end is not noted, by position. */
  readonly running: Map<number, BegunElement>;
  /** The results, in the order in which they came. */
  readonly results: ElementResult[];
  readonly ended: Set<number>;
  /** Those of which nothing executed, although they were begun. */
  readonly back: Set<number>;
  /** How many places are not given up. */
  open: number;
  /** How many elements begin at all; null if that is not decided. */
  only: number | null;
}

/** Returns what an empty journal says. */
export const nothingRead = ({ places }: Pick<BatchOrder, "places">): ElementsRead => ({
  may: 0,
  running: new Map(),
  results: [],
  ended: new Set(),
  back: new Set(),
  open: places,
  only: null,
});

/** Returns the indices of a batch's elements by position. */
export const elementsOf = ({ parts }: Pick<BatchOrder, "parts">): readonly number[] => [...indicesOf(parts)];

/**
 * Takes in whole lines of a journal. A line that is damaged, or that says what cannot be, is left out: what it would
 * have said of an element is then not known.
 */
export function takeLines(read: ElementsRead, elements: readonly number[], lines: Iterable<string>): void {
  for (const each of lines) {
    const text = textIn(each);
    if (text !== null) takeFact(read, elements, text);
  }
}

function takeFact(read: ElementsRead, elements: readonly number[], text: string): void {
  const [word, first = "", second = "", third = ""] = text.split(" ", 4);
  const count = Number(first);
  if (!Number.isSafeInteger(count) || count < 0) return;
  if (word === "may") read.may = Math.min(Math.max(read.may, count), elements.length);
  else if (word === "only") read.only = Math.min(read.only ?? count, count);
  else if (word === "open") read.open = Math.min(read.open, count);
  else if (read.ended.has(count)) return;
  else if (word === "back") {
    read.running.delete(count);
    read.back.add(count);
  } else if (word === "began") read.running.set(count, { place: Number(second), at_ms: Number(third) });
  else if (word === "ended") {
    const index = elements[count];
    const end: ElementEnd = /^\d+$/.test(second) ? Number(second) : second;
    if (index === undefined || !isElementEnd(end)) return;
    const why = parsedJson(text.slice(`ended ${first} ${second} ${third} `.length));
    read.running.delete(count);
    read.ended.add(count);
    const ran_ms = Number(third);
    read.results.push(typeof why === "string" ? [index, end, ran_ms, why] : [index, end, ran_ms]);
  }
}

/**
 * Returns the results of elements whose end nobody has noted, now that nothing of the batch lives: `unknown` of those
 * that have begun; `lost` of all that may have, if the machine was restarted.
 */
export function resultsWithoutEnd(read: ElementsRead, elements: readonly number[], rebooted: boolean): ElementResult[] {
  const why = rebooted ? "the machine was restarted while it ran" : "its keeper died while it ran";
  const most = Math.min(read.may, read.only ?? read.may);
  const positions = rebooted
    ? Array.from({ length: most }, (_, position) => position).filter(
        (position) => !read.ended.has(position) && !read.back.has(position),
      )
    : [...read.running.keys()].sort((a, b) => a - b);
  return positions.flatMap((position) => {
    const index = elements[position];
    return index === undefined ? [] : [[index, rebooted ? "lost" : "unknown", 0, why] as const];
  });
}

/** The name of the directory of what runs in a place. */
export const placeDir = (place: number): string => `place.${place}`;
