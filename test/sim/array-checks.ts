// Holds what the server has on record of arrays against the truth about their elements: each recorded end is what
// happened, or nobody could know better; limits hold; what a batch holds is what its places need.

import { countOf, indicesOf, isIn, sizeOf, type ArrayRun, type ElementEnd } from "../../src/core/model/array";
import { attemptsIn, endIn, PAGE_ELEMENTS, pageKey, pageOf, statesIn } from "../../src/core/model/pages";
import type { Change, State } from "../../src/core/model/rows-state";
import type { RunRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import { taskName } from "../../src/core/model/task";
import type { BatchHands } from "./batches";
import { describe, type ElementsWorld, type Execution } from "./elements";
import { isUnknowable } from "./unknowable";
import { demand } from "./violation";
import type { World } from "./world";

export type ArraysWorld = World;

export interface ArrayBooks {
  open(state: State): void;
  committed(changes: readonly Change[], state: State): void;
  /** Returns how an element ended for good, as the present database or its history has it; null if it did not. */
  recorded(run_uid: string, index: number): ElementEnd | null;
}

interface Books {
  readonly world: () => World;
  /** The states of the elements of each page, by its key. */
  readonly pages: Map<string, readonly string[]>;
  /** The batches as they were placed, by run. */
  readonly batches: Map<string, Map<string, TaskRow>>;
}

export function makeArrayBooks(world: () => World): ArrayBooks {
  const books: Books = { world, pages: new Map(), batches: new Map() };
  return {
    open: ({ elements }) => {
      books.pages.clear();
      for (const [key, row] of elements) books.pages.set(key, statesIn(row));
    },
    committed: (changes, state) => {
      // What ended an array may be in one batch with its last elements.
      for (const { table, row } of changes) {
        if (table === "tasks" && row !== null) checkBatch(books, row, state);
        if ((table === "elements" || table === "ended_elements") && row !== null)
          checkPage(books, row.run_uid, row.page, statesIn(row));
      }
      for (const { table, row } of changes)
        if (table === "ended_runs" && row.array !== null) checkOver(books, row, row.array);
    },
    recorded: (run_uid, index) =>
      endIn(books.pages.get(pageKey(run_uid, pageOf(index)))?.[index % PAGE_ELEMENTS] ?? "-"),
  };
}

// ---- batches

function checkBatch({ world, batches }: Books, row: TaskRow, state: State): void {
  const { batch, owner_uid, promised } = row;
  if (batch === null) return;
  const known = batches.get(owner_uid) ?? new Map<string, TaskRow>();
  batches.set(owner_uid, known);
  const spec = world().database.specs.get(row.spec_hash);
  demand(
    spec === undefined || promised.cpu_milli === (spec.request.cpu_milli ?? 0) * batch.places,
    "63: a batch holds what its places need",
    () => `${taskName(row)} has ${promised.cpu_milli} milli-cores for ${batch.places} places`,
  );
  if (known.has(row.uid)) return;
  known.set(row.uid, row);
  const limit = state.runs.get(owner_uid)?.array?.limit ?? null;
  if (limit === null) return;
  const open = [...state.tasks.values()].filter(
    ({ owner_uid: owner, written_off }) => owner === owner_uid && written_off === null,
  );
  const places = open.reduce((sum, task) => sum + (task.batch?.places ?? 0), 0);
  demand(places <= limit, "63: an array keeps its limit", () => `${taskName(row)}: ${places} places, not ${limit}`);
}

/** How long after a keeper has written it the server knows that elements will not begin, or that places are free. */
const KNOWN_WITHIN_MS = 10_000;

/** Checks in a while that what a keeper has just written has come to the server, if nothing was in the way. */
export function checkWrote(world: World, ...[machine, process, { only, open }]: Parameters<BatchHands["wrote"]>): void {
  const { schedule, faults } = world;
  const { uid } = process;
  const isSlow = faults.drop > 0 || faults.slow > 0 || faults.write_ms > 100 || faults.lie > 0;
  if (isSlow || world.faults.every_ms.slow_commit !== null) return;
  schedule.in(KNOWN_WITHIN_MS, () => {
    const batch = world.server?.store.state.tasks.get(uid)?.batch ?? null;
    const since_ms = Math.max(world.heardSince.get(machine.id) ?? Number.POSITIVE_INFINITY, world.server_since_ms);
    const isHeard = schedule.now_ms - since_ms >= KNOWN_WITHIN_MS && machine.processes.get(uid) === process;
    if (batch === null || !isHeard || !machine.disk.records.has(uid) || world.wrongDatabase) return;
    if (world.broken !== null) return;
    const seen = (): string => `${process.assignment.name} ${uid.slice(0, 6)} on ${machine.id}`;
    const isLess = only === undefined || sizeOf(batch.parts) <= only || sizeOf(batch.parts) === 0;
    demand(isLess, "63: what begins no more goes back", () => `${seen()}: ${sizeOf(batch.parts)} of ${only ?? 0}`);
    const isGivenUp = open === undefined || batch.places <= Math.max(1, open);
    demand(isGivenUp, "63: places that are given up are free", () => `${seen()}: ${batch.places}, not ${open ?? 0}`);
  });
}

// ---- the ends of elements

function checkPage(books: Books, run_uid: string, page: number, after: readonly string[]): void {
  const key = pageKey(run_uid, page);
  const before = books.pages.get(key) ?? [];
  books.pages.set(key, after);
  for (const [at, state] of after.entries()) {
    const was = before[at] ?? "-";
    if (was !== state) checkEnd(books, { run_uid, index: page * PAGE_ELEMENTS + at }, was, state);
  }
}

type Element = Pick<Execution, "run_uid" | "index">;

function checkEnd({ world, batches }: Books, { run_uid, index }: Element, was: string, now: string): void {
  const round = (attemptsIn(was) ?? 0) + 1;
  const end = endIn(now) ?? kindOf(was, now);
  const tellers = [...(batches.get(run_uid)?.values() ?? [])].filter(
    ({ batch }) => batch !== null && batch.round === round && isIn(batch.parts, index),
  );
  const executions = world()
    .elements.of(run_uid, index)
    .filter((one) => one.round === round);
  const seen = (): string =>
    `element ${index} of run ${run_uid.slice(0, 6)}, attempt ${round}, has ended as ${end} (${was} to ${now}): ` +
    executions.map((one) => `${describe(one)}: ${one.end ?? "lives"}`).join(", ");
  demand(endIn(was) === null || world().restored, "63: an element ends once", seen);
  demand(isTrue(world(), end, executions, tellers), "63: the recorded end of an element is what happened", seen);
}

/** Returns what the end of an element was that is tried again. `missing`: lost, or unknown. */
function kindOf(was: string, now: string): "failed" | "missing" | "stopped" {
  const numbers = (state: string): number[] => (state === "-" ? [0, 0, 0] : state.slice(1).split(".").map(Number));
  const [before, after] = [numbers(was), numbers(now)];
  const kinds = ["failed", "missing", "stopped"] as const;
  return kinds.find((_, at) => (after[at] ?? 0) > (before[at] ?? 0)) ?? "failed";
}

function isTrue(world: World, end: ElementEnd, executions: readonly Execution[], tellers: readonly TaskRow[]): boolean {
  const isRebooted = ({ node_id, boot_id }: TaskRow): boolean => world.nodes.get(node_id)?.boot_id !== boot_id;
  const isOff = ({ node_id }: TaskRow): boolean => world.nodes.get(node_id)?.power !== "on";
  const isGivenUp = ({ uid, node_id }: TaskRow): boolean =>
    world.givenUp.has(node_id) || world.ledger.writtenOff.has(uid);
  const isUnknown = (): boolean => tellers.some((row) => isUnknowable(world, row) || world.givenUp.has(row.node_id));
  const isLost = (): boolean => tellers.some((row) => isRebooted(row) || isOff(row) || isGivenUp(row));
  switch (end) {
    case "unknown":
      return isUnknown();
    case "lost":
      return isLost();
    case "missing":
      return isUnknown() || isLost();
    case "stopped":
      return tellers.some(({ uid }) => (world.lives.of(uid)?.process.signals.length ?? 0) > 0);
    case "failed":
      return executions.some((one) => one.end !== null && one.end !== 0 && one.end !== "POWER");
    default:
      return executions.some((one) => one.end === end);
  }
}

/** Checks that all elements of an array are over that is, unless it was cancelled or began nowhere. */
function checkOver({ world, pages }: Books, row: RunRow, array: ArrayRun): void {
  const isWhole = row.state === "succeeded" || (row.state === "failed" && row.reason?.includes("did not succeed"));
  if (isWhole !== true || world().declared.has(row.uid)) return;
  for (const index of indicesOf([[0, countOf(array) - 1]])) {
    const end = endIn(pages.get(pageKey(row.uid, pageOf(index)))?.[index % PAGE_ELEMENTS] ?? "-");
    demand(end !== null, "63: no element is forgotten", () => `element ${index} of run ${row.run}, ${row.state}`);
  }
}

// ---- for the truth

/** Returns what the truth about elements asks of the rows. */
export const elementsWorld = (
  world: () => World,
  facts: Pick<ElementsWorld, "now" | "note" | "began">,
): ElementsWorld => ({
  ...facts,
  limitOf: (run_uid) => world().database.state.runs.get(run_uid)?.array?.limit ?? null,
  recorded: (run_uid, index) => (world().wrongDatabase ? null : world().ledger.arrays.recorded(run_uid, index)),
  isLeft: (uid) => {
    const row = world().database.state.tasks.get(uid) ?? null;
    return row === null || row.written_off !== null || world().ledger.writtenOff.has(uid);
  },
  isStrange: (uid) => {
    const { state, ended_tasks } = world().database;
    return world().wrongDatabase || (!state.tasks.has(uid) && !ended_tasks.has(uid));
  },
});
