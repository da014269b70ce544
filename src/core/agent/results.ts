// Which results of a batch go into its next report: those that the server does not have, as many as fit into a page.

import { cutText } from "../cut";
import { HOUSE_LIMITS } from "../limits";
import type { BatchResults, ElementResult } from "../model/array";
import type { Bytes } from "../units";

/** The results of one report. With the rest of its message they stay well below 256 KiB. */
export const RESULTS_PAGE: Bytes = 128 * 1024;

/** More than the JSON of a result has, without its text. */
const RESULT_BYTES: Bytes = 48;

/** What is known of a batch: its results in the order of their numbers, and what is left of it. */
export interface BatchSoFar {
  readonly results: readonly ElementResult[];
  /** How many places are not given up. */
  readonly places: number;
  /** How many of its elements begin at all; null if that is not decided. */
  readonly only: number | null;
}

/** The most bytes of a character. */
const CHAR_BYTES = 3;

/** The bytes that a result takes in a message, or somewhat more. */
const bytesOf = ([, , , why]: ElementResult): Bytes =>
  RESULT_BYTES + (why === undefined ? 0 : CHAR_BYTES * JSON.stringify(why).length);

/** The bytes that results take in a message, or somewhat more. */
export const resultBytes = (results: readonly ElementResult[]): Bytes =>
  results.reduce((sum, result) => sum + bytesOf(result), 0);

const withinWire = ([index, end, ran_ms, why]: ElementResult): ElementResult =>
  why === undefined ? [index, end, ran_ms] : [index, end, ran_ms, cutText(why, HOUSE_LIMITS.text_chars)];

/** Returns the results from number `from` on that fit into so many bytes. */
export function pageOf({ results, places, only }: BatchSoFar, from: number, room: Bytes = RESULTS_PAGE): BatchResults {
  const page: ElementResult[] = [];
  let left = room;
  for (let n = from; n < results.length && page.length < HOUSE_LIMITS.batch_elements; n++) {
    const result = withinWire(results[n] as ElementResult);
    left -= bytesOf(result);
    if (left < 0) break;
    page.push(result);
  }
  return { from, results: page, places, only };
}

/** Returns the number of the first result behind a page. */
export const endOfPage = ({ from, results }: BatchResults): number => from + results.length;
