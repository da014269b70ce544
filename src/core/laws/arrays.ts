// Laws of arrays: each element is handed out once a round and counted once, and a batch only becomes less.

import { countOf, isIn, sizeOf, sumOf, type ElementRange } from "../model/array";
import { attemptsIn, endIn, PAGE_ELEMENTS, pageKey, statesIn } from "../model/pages";
import type { State } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { RunRow } from "../model/rows-work";
import { type Law, linesOf } from "./law";
import type { MomentRows } from "./moment";
import { sayTask } from "./tasks";

export const ARRAY_LAWS: readonly Law[] = [
  {
    name: "array-goes-on",
    says: "an array keeps its elements, and its rounds and sums do not fall",
    broken: ({ runs }) =>
      linesOf(runs, ({ was, row }) => (was === undefined || row === null ? null : wrongWay(was, row))),
  },
  {
    name: "array-adds-up",
    says: "the sums of an array are those of its elements' states",
    broken: (look) =>
      linesOf(look.runs, ({ row }) => (row === null || !isSummed(look, row) ? null : wrongSums(look.after, row))),
  },
  {
    name: "batch-becomes-less",
    says: "a batch keeps its round; its elements and places become fewer, its results more",
    broken: ({ kept }) => linesOf(kept, ({ was, row }) => wrongBatch(was, row)),
  },
  {
    name: "element-is-handed-out-once",
    says: "an element that is placed is of no other living batch, waits in no list, and is due in this round",
    broken: handedOutTwice,
  },
];

/** Up to how many elements are summed up at every change of their array. The sums of larger ones cost too much. */
const MOST_SUMMED = 2_000;

const isSummed = ({ moment, scans }: MomentRows, { array }: RunRow): boolean =>
  array !== null && (moment.thorough || (scans && countOf(array) <= MOST_SUMMED));

function wrongWay(was: RunRow, row: RunRow): string | null {
  const [old, now] = [was.array, row.array];
  if (old === null || now === null) return old === now ? null : `run ${row.run} is an array no more`;
  const same = (["first", "last", "step", "limit"] as const).find((key) => old[key] !== now[key]);
  if (same !== undefined) return `run ${row.run}: ${same} ${old[same]} to ${now[same]}`;
  const falls = (["round", "succeeded", "failed", "stopped", "unknown", "ended", "ran_ms"] as const).find(
    (key) => now[key] < old[key],
  );
  if (falls !== undefined) return `run ${row.run}: ${falls} ${old[falls]} to ${now[falls]}`;
  return now.round === old.round && now.next < old.next ? `run ${row.run}: next ${old.next} to ${now.next}` : null;
}

function wrongSums({ elements }: State, { uid, run, array }: RunRow): string | null {
  if (array === null) return null;
  const sums = { succeeded: 0, failed: 0, stopped: 0, unknown: 0, again: 0 };
  for (let page = 0; page * PAGE_ELEMENTS < countOf(array); page++) {
    const row = elements.get(pageKey(uid, page));
    for (const state of row === undefined ? [] : statesIn(row)) {
      const [end, attempts] = [endIn(state), attemptsIn(state)];
      if (end !== null) sums[sumOf(end)]++;
      else if (attempts !== 0) sums.again++;
    }
  }
  const wrong = (["succeeded", "failed", "stopped", "unknown", "again"] as const).find(
    (key) => sums[key] !== array[key],
  );
  return wrong === undefined ? null : `run ${run}: ${wrong} is ${array[wrong]}, its elements say ${sums[wrong]}`;
}

function wrongBatch(was: TaskRow, row: TaskRow): string | null {
  const [old, now] = [was.batch, row.batch];
  if (old === null || now === null) return old === now ? null : `${sayTask(row)} is a batch no more`;
  if (old === now) return null;
  const less = now.places <= old.places && now.places >= 1 && now.told >= old.told && now.round === old.round;
  const isPart = now.parts.every(([from, to]) => isIn(old.parts, from) && isIn(old.parts, to));
  return less && isPart && sizeOf(now.parts) <= sizeOf(old.parts) ? null : `${sayTask(row)} became more`;
}

const overlap = (some: readonly ElementRange[], others: readonly ElementRange[]): boolean =>
  some.some(([from, to]) => others.some(([low, high]) => from <= high && low <= to));

function handedOutTwice(look: MomentRows): string[] {
  const { after } = look;
  return linesOf(look.sample, (task) => {
    const array = after.runs.get(task.owner_uid)?.array ?? null;
    if (task.batch === null) return array === null ? null : `${sayTask(task)} is no batch`;
    if (array === null) return `${sayTask(task)}: its run is no array`;
    const { parts, round } = task.batch;
    if (round !== array.round) return `${sayTask(task)} of round ${round}, the array is in ${array.round}`;
    if (overlap(parts, array.back) || parts.some(([, to]) => to >= array.next))
      return `${sayTask(task)} is to be handed out again`;
    const others = look.scans ? (look.ofSlots().get(task.owner_uid)?.get(task.slot) ?? []) : [];
    const other = others.find(
      ({ uid, batch, written_off }) =>
        uid !== task.uid &&
        batch !== null &&
        written_off === null &&
        batch.round === round &&
        overlap(batch.parts, parts),
    );
    return other === undefined ? null : `${sayTask(task)} and ${sayTask(other)} share elements`;
  });
}
