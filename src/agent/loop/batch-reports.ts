// When the results of batches are told, and from which one on: those that the server lacks, at most so often while the
// batch runs, and never while it has yet to acknowledge the ones before.

import type { ResultsToTell } from "../../core/agent/report";
import { endOfPage } from "../../core/agent/results";
import type { BatchResults } from "../../core/model/array";
import type { TaskRecord } from "../../core/model/record";
import type { BootMs, Bytes } from "../../core/units";
import type { Driver } from "../drivers/driver";

/** How often the results of a running batch are told. */
const TELL_EVERY_MS = 100;

/** What was told of a batch last. */
interface Told extends Pick<BatchResults, "places" | "only"> {
  readonly upto: number;
  readonly at_ms: BootMs;
}

export interface BatchReports {
  /** Returns what is told with a task's state; null if the task is no batch. */
  contextOf(record: TaskRecord, room?: Bytes): ResultsToTell | null;
  /** Returns whether results are news that is told now. What is told later counts for `due_ms`. */
  isDue(record: TaskRecord, results: BatchResults, now_ms: BootMs): boolean;
  /** When the next results are due, as far as time alone decides that; null if none are. */
  readonly due_ms: BootMs | null;
  /** Notes that results are on their way. */
  sent(uid: string, results: BatchResults, now_ms: BootMs): void;
  /** Notes that the server has the first `upto` results of a batch. */
  acknowledged(uid: string, upto: number): void;
  /** Begins a look at all batches. */
  begin(): void;
  drop(uid: string): void;
  /** Forgets what the server has: another timeline may have less. */
  newTimeline(): void;
}

export function createBatchReports(driver: Pick<Driver, "batch">): BatchReports {
  /** How many results of each batch the server has. */
  const has = new Map<string, number>();
  const told = new Map<string, Told>();
  let due_ms: BootMs | null = null;
  const hasOf = (uid: string): number => has.get(uid) ?? 0;

  return {
    contextOf(record, room) {
      const so_far = driver.batch(record);
      return so_far === null ? null : { so_far, from: hasOf(record.assignment.uid), room };
    },
    isDue({ assignment: { uid }, end }, results, now_ms) {
      const last = told.get(uid);
      const isSame =
        last !== undefined &&
        last.upto === endOfPage(results) &&
        last.places === results.places &&
        last.only === results.only;
      // The acknowledgement of the last ones brings the next ones.
      if (isSame || (last !== undefined && last.upto > hasOf(uid))) return false;
      const at_ms = last === undefined || end !== null ? now_ms : last.at_ms + TELL_EVERY_MS;
      if (at_ms <= now_ms) return true;
      due_ms = Math.min(due_ms ?? at_ms, at_ms);
      return false;
    },
    get due_ms() {
      return due_ms;
    },
    sent(uid, results, now_ms) {
      const { places, only } = results;
      told.set(uid, { upto: endOfPage(results), places, only, at_ms: now_ms });
    },
    acknowledged(uid, upto) {
      has.set(uid, Math.max(hasOf(uid), upto));
    },
    begin() {
      due_ms = null;
    },
    drop(uid) {
      has.delete(uid);
      told.delete(uid);
    },
    newTimeline() {
      has.clear();
      told.clear();
    },
  };
}
