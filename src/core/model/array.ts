// An array: one run of many elements. The elements are handed out to nodes in batches, and what became of each is kept
// in pages. An element is named by its number, and counted by its index: 0 is the first one.

import type { EndCause } from "./end";
import type { Ms } from "../units";

/** The elements from one index to another, both among them. */
export type ElementRange = readonly [from: number, to: number];

/** Which elements an array has, as somebody asked for them: `first`, `first + step` and so on, none above `last`. */
export interface ArrayDecl {
  readonly first: number;
  readonly last: number;
  readonly step: number;
  /** How many of them may run at once. Null: as many as find room. */
  readonly limit: number | null;
}

/** An array and how far it is. It goes through its elements in rounds: a later one is of those that are tried again. */
export interface ArrayRun extends ArrayDecl {
  /** The attempt of the elements that are handed out now, from 1. */
  readonly round: number;
  /** The first index that this round has not come to. */
  readonly next: number;
  /** How many elements behind it are due in this round, if it is not the first, in which all are. */
  readonly due: number;
  /** What this round has handed out, and what came back without having begun: ascending, and apart from each other. */
  readonly back: readonly ElementRange[];
  /** How many elements are over, by how they ended. What was lost too often is unknown as well. */
  readonly succeeded: number;
  readonly failed: number;
  readonly stopped: number;
  readonly unknown: number;
  /** How many wait for a later round. */
  readonly again: number;
  /** How many attempts of elements have ended, and how long those ran altogether, each as if for 4 s at most. */
  readonly ended: number;
  readonly ran_ms: Ms;
}

/** A part of an array that one node runs by itself, place by place. It is one task. */
export interface ElementBatch {
  /** Its elements in the order in which they begin. */
  readonly parts: readonly ElementRange[];
  /** Which attempt of each of its elements this is. */
  readonly round: number;
  /** How many run at once. It only falls: a place that finds no further element is given up. */
  readonly places: number;
  /** How many of its results the server has. */
  readonly told: number;
  /** Of how many of its results it is known that the attempt has not succeeded. Missing: of none. */
  readonly failed?: number | undefined;
  /** Its elements in words, by their numbers: `0-99`. */
  readonly label: string;
}

/** What the agent is told of a batch. */
export interface BatchOrder
  extends Pick<ElementBatch, "parts" | "round" | "places">, Pick<ArrayDecl, "first" | "step"> {
  /** For how long after its start further elements begin. What has not begun by then goes back to the server. */
  readonly begins_for_ms: Ms;
}

/**
 * How an attempt of an element ended: its exit code, or the signal's name without SIG. `unknown`: it began, and nobody
 * knows. `lost`: a reboot ended it. `stopped`: by an order.
 */
export type ElementEnd = number | string;

/** The result of one element: its index, how it ended, how long it ran, and what is to be known beyond that. */
export type ElementResult = readonly [index: number, end: ElementEnd, ran_ms: Ms, why?: string | undefined];

/** Returns whether an element can have ended so. */
export const isElementEnd = (end: ElementEnd): boolean =>
  typeof end === "number"
    ? Number.isSafeInteger(end) && end >= 0 && end <= 255
    : /^(unknown|lost|stopped|[A-Z][A-Z0-9+]{1,15})$/.test(end);

/** What is said of the end of an element that its keeper has ended, or that had no memory. */
export const ELEMENT_WHY = { time_limit: "time limit reached", out_of_memory: "out of memory" } as const;

/** How a keeper begins what it says of a command that did not begin. */
export const NOT_BEGUN = "could not start: ";

/** Returns the cause of an element's end by what was said of it, or null. */
export function elementCause(why: string | undefined): EndCause | null {
  if (why === undefined) return null;
  if (why.startsWith(NOT_BEGUN)) return "no_command";
  return (["time_limit", "out_of_memory"] as const).find((cause) => why === ELEMENT_WHY[cause]) ?? null;
}

/** How many elements are over. */
export const overIn = ({ succeeded, failed, stopped, unknown }: ArraySums): number =>
  succeeded + failed + stopped + unknown;

export type ArraySums = Pick<ArrayRun, "succeeded" | "failed" | "stopped" | "unknown">;

/** Returns the sum that an element is counted in which ended so. */
export function sumOf(end: ElementEnd): keyof ArraySums {
  if (end === 0) return "succeeded";
  if (end === "stopped") return "stopped";
  return end === "unknown" || end === "lost" ? "unknown" : "failed";
}

/** Words how an element ended: `exit code 3`, `signal KILL`, `time limit reached` or `unknown`. */
export function sayElementEnd(end: ElementEnd, cause: EndCause | null = null): string {
  if (cause === "time_limit" || cause === "out_of_memory") return ELEMENT_WHY[cause];
  if (cause === "no_command") return "its command could not be started";
  if (typeof end === "number") return `exit code ${end}`;
  return end === end.toUpperCase() ? `signal ${end}` : end;
}

/** The results of a batch: those from number `from` on, and what is left of it. */
export interface BatchResults {
  readonly from: number;
  readonly results: readonly ElementResult[];
  /** How many places are not given up. */
  readonly places: number;
  /** Only so many of its elements begin, the first ones of its order: the others go back. Null: all of them do. */
  readonly only: number | null;
}

/** What became of the elements of one page of an array. `src/core/model/pages.ts` reads and writes the text. */
export interface ElementPage {
  /** `run_uid/page`. */
  readonly key: string;
  readonly run_uid: string;
  readonly page: number;
  readonly states: string;
}

/** How many elements an array has. */
export const countOf = ({ first, last, step }: ArrayDecl): number => Math.floor((last - first) / step) + 1;

/** Returns the number by which people and the element itself know it. */
export const numberAt = ({ first, step }: Pick<ArrayDecl, "first" | "step">, index: number): number =>
  first + index * step;

/** Returns the index of the element with a number, or null if the array has none. */
export function indexOf(array: ArrayDecl, number: number): number | null {
  const index = (number - array.first) / array.step;
  return Number.isInteger(index) && index >= 0 && number <= array.last ? index : null;
}

export const sizeOf = (parts: readonly ElementRange[]): number =>
  parts.reduce((sum, [from, to]) => sum + to - from + 1, 0);

export const isIn = (parts: readonly ElementRange[], index: number): boolean =>
  parts.some(([from, to]) => from <= index && index <= to);

/** Returns the indices of some parts, in their order. */
export function* indicesOf(parts: readonly ElementRange[]): Generator<number> {
  for (const [from, to] of parts) for (let index = from; index <= to; index++) yield index;
}

/** Returns indices as parts: ascending, and apart from each other. */
export function partsOf(indices: Iterable<number>): ElementRange[] {
  const parts: [number, number][] = [];
  for (const index of [...indices].sort((a, b) => a - b)) {
    const last = parts.at(-1);
    if (last === undefined || index > last[1] + 1) parts.push([index, index]);
    else if (index > last[1]) last[1] = index;
  }
  return parts;
}

/** Returns two lists of parts as one: ascending, and apart from each other. */
export function joined(some: readonly ElementRange[], others: readonly ElementRange[]): ElementRange[] {
  const parts: [number, number][] = [];
  for (const [from, to] of [...some, ...others].sort((a, b) => a[0] - b[0])) {
    const last = parts.at(-1);
    if (last === undefined || from > last[1] + 1) parts.push([from, to]);
    else if (to > last[1]) last[1] = to;
  }
  return parts;
}

/** Returns the first `count` elements of some parts, and what is left. */
export function split(
  parts: readonly ElementRange[],
  count: number,
): readonly [first: ElementRange[], left: ElementRange[]] {
  const first: ElementRange[] = [];
  const left: ElementRange[] = [];
  let room = count;
  for (const [from, to] of parts) {
    const taken = Math.min(room, to - from + 1);
    if (taken > 0) first.push([from, from + taken - 1]);
    if (from + taken <= to) left.push([from + taken, to]);
    room -= taken;
  }
  return [first, left];
}

/** How many ranges a label names. */
const RANGES_SAID = 3;

/** Words elements by their numbers, as Slurm writes them: `0-99`, `5,7-9` or `0-96:4`. */
export function labelOf(array: Pick<ArrayDecl, "first" | "step">, parts: readonly ElementRange[]): string {
  const said = parts.slice(0, RANGES_SAID).map(([from, to]) => {
    const range = `${numberAt(array, from)}-${numberAt(array, to)}`;
    return from === to ? String(numberAt(array, from)) : array.step === 1 ? range : `${range}:${array.step}`;
  });
  return `${said.join(",")}${parts.length > RANGES_SAID ? ",…" : ""}`;
}

const DECL = /^(\d+)-(\d+)(?::(\d+))?(?:%(\d+))?$/;

/** The most elements of an array. */
export const MOST_ELEMENTS = 1_000_000;

/** The highest number in an array. */
export const HIGHEST_NUMBER = 9_999_999;

/** Parses `0-99`, `1-9:2` and `0-999%8`. Returns what is wrong with any other text. */
export function parseArray(text: string): ArrayDecl | { readonly wrong: string } {
  const [, from, to, by, most] = DECL.exec(text) ?? [];
  if (from === undefined || to === undefined)
    return { wrong: "is none of 0-99, 0-99%8 (8 at once), 0-99:2 and 0-99:2%8" };
  const [first, last, step] = [Number(from), Number(to), by === undefined ? 1 : Number(by)];
  const limit = most === undefined ? null : Number(most);
  if (last < first) return { wrong: `ends before it begins: ${last} is below ${first}` };
  if (step === 0 || limit === 0) return { wrong: `${step === 0 ? "steps" : "runs"} by 0, so that nothing would run` };
  const array = { first, last, step, limit };
  if (countOf(array) > MOST_ELEMENTS) return { wrong: `has ${countOf(array)} elements: ${MOST_ELEMENTS} are the most` };
  if (Math.max(last, step, limit ?? 0) > HIGHEST_NUMBER)
    return { wrong: `goes beyond ${HIGHEST_NUMBER}, the highest number` };
  return array;
}

/** Writes an array as it is parsed. */
export const sayArray = ({ first, last, step, limit }: ArrayDecl): string =>
  `${first}-${last}${step === 1 ? "" : `:${step}`}${limit === null ? "" : `%${limit}`}`;

/** Returns an array of which nothing has begun. */
export const freshArray = ({ first, last, step, limit }: ArrayDecl): ArrayRun => ({
  first,
  last,
  step,
  limit,
  round: 1,
  next: 0,
  due: 0,
  back: [],
  succeeded: 0,
  failed: 0,
  stopped: 0,
  unknown: 0,
  again: 0,
  ended: 0,
  ran_ms: 0,
});
