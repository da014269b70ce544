// Transactions that break the laws of arrays.

import { freshArray, type ArrayRun, type ElementBatch } from "../../../src/core/model/array";
import { pageWith } from "../../../src/core/model/pages";
import type { Change, State } from "../../../src/core/model/rows-state";
import type { RunRow } from "../../../src/core/model/rows-work";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { buildNode, buildRun, buildSlot, buildState, buildTask } from "../../support/build";
import { buildUser } from "../../support/users";

const decl = { first: 0, last: 9, step: 1, limit: null };
const array: ArrayRun = { ...freshArray(decl), next: 6, succeeded: 1, ended: 1, ran_ms: 5 };
const run = buildRun(1, "s", { state: "running", array });
const batch: ElementBatch = { parts: [[0, 5]], round: 1, places: 2, told: 1, label: "0-5" };
const living = buildTask(run, "box", { batch });
const page = pageWith(run.uid, 0, ["0", ...Array.from({ length: 999 }, () => "-")]);

const before: State = buildState({
  cluster: { next_run: 2, next_ordinal: 2 },
  nodes: [buildNode("box", { ordinal: 1 })],
  runs: [run],
  tasks: [living],
  slots: [buildSlot(living)],
  elements: [page],
  users: [buildUser("alice")],
});

const alone: State = { ...before, tasks: new Map() };

const put = (part: Partial<ArrayRun>): Change => {
  const row: RunRow = { ...run, array: { ...array, ...part } };
  return { table: "runs", key: run.uid, row };
};

const become = (part: Partial<ElementBatch>): Change => {
  const row: TaskRow = { ...living, batch: { ...batch, ...part } };
  return { table: "tasks", key: living.uid, row };
};

const placing = (part: Partial<ElementBatch>, parts: Partial<ArrayRun> = {}): Change[] => {
  const row = buildTask(run, "box", { attempt: 2, observed: { state: "assigned" }, batch: { ...batch, ...part } });
  const slot = buildSlot(row);
  return [
    put({ next: 8, ...parts }),
    { table: "tasks", key: row.uid, row },
    { table: "slots", key: slot.key, row: slot },
  ];
};

export const ARRAY_CASES = {
  "array-goes-on": [
    { what: "other elements", before, changes: [put({ last: 19 })], row: "last 9 to 19" },
    { what: "a success that is gone", before, changes: [put({ succeeded: 0 })], row: "succeeded 1 to 0" },
    { what: "elements that are handed out again", before, changes: [put({ next: 2 })], row: "next 6 to 2" },
  ],
  "array-adds-up": [
    { what: "a success that no element has", before, changes: [put({ succeeded: 2 })], row: "its elements say 1" },
  ],
  "batch-becomes-less": [
    { what: "more places", before, changes: [become({ places: 3 })] },
    { what: "results that are forgotten", before, changes: [become({ told: 0 })] },
    { what: "other elements", before, changes: [become({ parts: [[4, 7]] })] },
    { what: "another round", before, changes: [become({ round: 2 })] },
  ],
  "element-is-handed-out-once": [
    { what: "an element of another batch", before, changes: placing({ parts: [[5, 7]] }), row: "share elements" },
    { what: "one that is to be handed out", before, changes: placing({ parts: [[6, 8]] }), row: "again" },
    { what: "another round than that of the array", before, changes: placing({ parts: [[6, 7]], round: 2 }) },
    {
      what: "a task that has none",
      before: alone,
      changes: placing({ parts: [[6, 7]] }).map(withoutBatch),
      row: "no batch",
    },
  ],
};

function withoutBatch(change: Change): Change {
  return change.table === "tasks" && change.row !== null ? { ...change, row: { ...change.row, batch: null } } : change;
}
