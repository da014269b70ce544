// The journal of a batch, in its task's directory: what its keeper began of it, and how that ended, a checked line a
// fact. docs/decisions/63-batches.md says what each word means. The file is a frozen format, like that of a claim.

import { indicesOf, isElementEnd, type BatchOrder, type ElementEnd, type ElementResult } from "../../core/model/array";
import type { RecordEnd } from "../../core/model/end";
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
  /** How many have begun, since they begin in their order, and how many more do by lines that are damaged, at most. */
  begun: number;
  damaged: number;
  /** Whether a damaged line may say that more may have begun than `may`. */
  isMayDamaged: boolean;
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
  begun: 0,
  damaged: 0,
  isMayDamaged: false,
});

/** Returns the indices of a batch's elements by position. */
export const elementsOf = ({ parts }: Pick<BatchOrder, "parts">): readonly number[] => [...indicesOf(parts)];

/** The bytes of the shortest line that says that an element begins, with its end. */
const BEGAN_BYTES = beganLine(0, 0, 0).length;

/**
 * Takes in whole lines of a journal. A line that is damaged, or that says what cannot be, is left out; what it may have
 * said of the beginning of elements counts as said.
 */
export function takeLines(read: ElementsRead, elements: readonly number[], lines: Iterable<string>): void {
  for (const each of lines) {
    const text = textIn(each);
    if (text !== null) takeFact(read, elements, text);
    else if (each !== "") {
      // Where the end of a line is damaged, two of them have become one.
      read.damaged += Math.floor((each.length + 1) / BEGAN_BYTES);
      read.isMayDamaged = true;
    }
  }
}

/**
 * Takes in what follows the last whole line of a journal to which nothing is added any more. Of a line that was cut off
 * nothing had happened; of one that lacks its end only, or has it damaged, something may.
 */
export function takeTail(read: ElementsRead, elements: readonly number[], tail: string): void {
  const text = textIn(tail) ?? textIn(tail.slice(0, -1));
  if (text !== null) takeFact(read, elements, text);
}

function takeFact(read: ElementsRead, elements: readonly number[], text: string): void {
  const [word, first = ""] = text.split(" ", 2);
  const count = Number(first);
  if (!Number.isSafeInteger(count) || count < 0) return;
  if (word === "may") {
    read.may = Math.min(Math.max(read.may, count), elements.length);
    read.isMayDamaged = false;
  } else if (word === "only") read.only = Math.min(read.only ?? count, count);
  else if (word === "open") read.open = Math.min(read.open, count);
  else takeElement(read, elements[count], count, text);
}

/** Takes in what a line says of the element at a position, which is the one with this index. */
function takeElement(read: ElementsRead, index: number | undefined, position: number, text: string): void {
  const [word, , second = "", third = ""] = text.split(" ", 4);
  if (index === undefined || read.ended.has(position)) return;
  if (word === "began") {
    read.running.set(position, { place: Number(second), at_ms: Number(third) });
    // All before it had begun by then, so that no damaged line before this one says more.
    read.damaged = 0;
  } else if (word === "back") {
    read.running.delete(position);
    read.back.add(position);
  } else {
    const end: ElementEnd = /^\d+$/.test(second) ? Number(second) : second;
    if (word !== "ended" || !isElementEnd(end)) return;
    const why = parsedJson(text.slice(`ended ${position} ${second} ${third} `.length));
    read.running.delete(position);
    read.ended.add(position);
    const ran_ms = Number(third);
    read.results.push(typeof why === "string" ? [index, end, ran_ms, why] : [index, end, ran_ms]);
  }
  const known = Math.max(read.begun, position + 1);
  read.damaged = Math.max(0, read.damaged - (known - read.begun));
  read.begun = known;
}

/** Why nothing is known of the end of an element, by the end of its batch. Otherwise its keeper had noted it. */
const WHY: Partial<Record<RecordEnd["state"], string>> = {
  gone: "the machine was restarted while it ran",
  unknown: "its keeper died while it ran",
};

/**
 * Returns the results of elements whose end nobody has noted, now that the batch has ended so and nothing of it lives:
 * `unknown` of those that have begun; `lost` of all that may have, if the machine was restarted.
 */
export function resultsWithoutEnd(
  read: ElementsRead,
  elements: readonly number[],
  state: RecordEnd["state"],
): ElementResult[] {
  const isLost = state === "gone";
  const may = read.isMayDamaged ? elements.length : read.may;
  const begun = read.begun + read.damaged;
  const most = Math.min(isLost ? Math.max(may, begun) : begun, read.only ?? elements.length);
  const why = WHY[state] ?? "the journal of its batch is damaged";
  return elements
    .slice(0, most)
    .flatMap((index, position) =>
      read.ended.has(position) || read.back.has(position) ? [] : [[index, isLost ? "lost" : "unknown", 0, why]],
    );
}

/** The name of the directory of what runs in a place. */
export const placeDir = (place: number): string => `place.${place}`;
