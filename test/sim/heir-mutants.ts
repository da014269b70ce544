// Mutants of heirs: their turn, their room, and how they are taken back. Every `find` occurs exactly once in its file.

import { edit, type Mutant } from "./mutant";

export const HEIR_MUTANTS: readonly Mutant[] = [
  {
    name: "heirs-do-not-wait",
    rule: "protocol 33: an heir begins after those whose room it takes over",
    edits: [edit("src/core/agent/admit.ts", "heir_of.some((uid) => records", "heir_of.slice(9).some((uid) => records")],
  },
  {
    name: "heirs-hold-nothing",
    rule: "law node-capacity",
    edits: [
      edit("src/core/place/room.ts", "isHeir(task, pass.state.tasks) ? undefined", "task.heir_of !== null ? undefined"),
    ],
  },
  {
    name: "heirs-are-given-a-part-of-their-line",
    rule: "law heirs-are-in-line",
    edits: [edit("src/core/schedule/commit.ts", "heir_of: line.map(", "heir_of: line.slice(0, 1).map(")],
  },
  {
    name: "being-taken-back-costs",
    rule: "law taken-back-costs-nothing",
    edits: [
      edit(
        "src/core/pass/slot.ts",
        "if (isTakenBack(task, final))",
        "if (limits.avoid_ms < 0 && isTakenBack(task, final))",
      ),
    ],
  },
  {
    name: "taking-back-stops-what-runs",
    rule: "I7: nothing is stopped without an order",
    edits: [edit("src/core/agent/ending.ts", "record.stop.unbegun === true || ", "")],
  },
];
