// Transactions that break the laws of heirs.

import type { Change, State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { buildFinal, buildNode, buildRun, buildSlot, buildState, buildTask } from "../../support/build";
import { buildUser } from "../../support/users";

const [one, two, three, four] = [1, 2, 3, 4].map((n) => buildRun(n, "s", { state: "running" }));
const promised = { cpu_milli: 4_000 };
const living = buildTask(one!, "box", { promised });
const elsewhere = buildTask(two!, "box-2", { promised });
const assigned = { state: "assigned" } as const;
const heir = buildTask(three!, "box", { promised, observed: assigned, heir_of: [living.uid] });

const before: State = buildState({
  cluster: { next_run: 5, next_ordinal: 3 },
  nodes: [1, 2].map((ordinal) => buildNode(ordinal === 1 ? "box" : "box-2", { ordinal })),
  runs: [one!, two!, three!, four!],
  tasks: [living, elsewhere],
  users: [buildUser("alice")],
});

const beside: State = {
  ...before,
  tasks: new Map(before.tasks).set(heir.uid, heir),
  slots: new Map(before.slots).set(buildSlot(heir).key, buildSlot(heir)),
};

const back = { why: "its turn has not come", signal: "TERM", grace_ms: 1, at_ms: 0, unbegun: true };
const never = buildFinal({ state: "stopped", started_ms: null, exit_code: null });

const put = (row: TaskRow): Change[] => {
  const slot = buildSlot(row);
  return [
    { table: "tasks", key: row.uid, row },
    { table: "slots", key: slot.key, row: slot },
  ];
};

const placed = (part: Parameters<typeof buildTask>[2]): Change[] =>
  put(buildTask(four!, "box", { promised, observed: assigned, heir_of: [living.uid], ...part }));

const third = buildTask(two!, "box", { promised, observed: assigned, heir_of: [living.uid, heir.uid] });

export const HEIR_CASES = {
  "heir-takes-over": [
    { what: "the heir of nobody", before, changes: placed({ heir_of: [] }), row: "of nobody" },
    {
      what: "the heir of one that has ended",
      before,
      changes: placed({ heir_of: [three!.uid] }),
      row: "does not live",
    },
    { what: "the heir of one elsewhere", before, changes: placed({ heir_of: [elsewhere.uid] }), row: "is elsewhere" },
    { what: "an heir of more", before, changes: placed({ promised: { cpu_milli: 4_001 } }), row: "holds less" },
    { what: "an exclusive heir", before, changes: placed({ exclusive: true }), row: "no single run" },
  ],
  "heirs-are-in-line": [
    { what: "two heirs at once", before: beside, changes: placed({}), row: "are heirs of one task" },
    {
      what: "three heirs",
      before: { ...beside, tasks: new Map(beside.tasks).set(third.uid, third) },
      changes: placed({ heir_of: [living.uid, heir.uid, third.uid] }),
      row: "2 other heirs",
    },
  ],
  "taken-back-costs-nothing": [
    {
      what: "a back-off after it",
      before: beside,
      changes: [
        { table: "tasks", key: heir.uid, row: null } as const,
        {
          table: "ended_tasks",
          key: heir.uid,
          row: { ...heir, desired: "stop", stop: back, observed: never },
        } as const,
        { table: "slots", key: buildSlot(heir).key, row: buildSlot(heir, { not_before_ms: 5 }) } as const,
      ],
      actor: "node box",
      row: "not_before_ms",
    },
  ],
};
