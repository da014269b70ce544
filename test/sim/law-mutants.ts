// Mutants that nothing in the world shows at first: only the laws of the committed state see them. Every `find` occurs
// exactly once in its file.

import { edit, type Mutant } from "./mutant";

export const LAW_MUTANTS: readonly Mutant[] = [
  {
    name: "ports-are-given-twice",
    rule: "law ports-unique",
    edits: [edit("src/core/place/room.ts", "space.taken.has(port) || ", "")],
  },
  {
    name: "tasks-run-as-root",
    rule: "law granted-account",
    edits: [
      edit(
        "src/core/model/account.ts",
        'return { is: "account", name: row.unix_user };',
        'return { is: "account", name: "root" };',
      ),
    ],
  },
  {
    name: "work-for-a-full-disk",
    rule: "law placed-where-fit",
    edits: [edit("src/core/pass/contact.ts", " && !isUnable(row);", ";")],
  },
  {
    name: "an-end-that-cannot-be-written-is-not-told",
    rule: "protocol 31",
    edits: [
      edit(
        "src/agent/loop/acts.ts",
        "    records.set(uid, ended);\n",
        '    if (store.owed().has(uid)) throw new Error("not written");\n    records.set(uid, ended);\n',
      ),
    ],
  },
  {
    name: "revisions-are-skipped",
    rule: "law revision-rises",
    edits: [
      edit(
        "src/store/batch.ts",
        "const revision = context.live.cluster.revision + 1;",
        "const revision = context.live.cluster.revision + 2;",
      ),
    ],
  },
  {
    name: "ordinals-come-again",
    rule: "law numbers-are-new",
    edits: [edit("src/server/nodes/node-row.ts", "next_ordinal: row.ordinal + 1", "next_ordinal: row.ordinal")],
  },
  {
    name: "ends-are-not-kept",
    rule: "law task-leaves-by-its-end",
    edits: [
      edit(
        "src/core/intake/ends.ts",
        '{ table: "ended_tasks", key: task.uid, row: { ...task, observed: final } },',
        "",
      ),
    ],
  },
  {
    name: "slots-are-not-written",
    rule: "law slot-remembers",
    edits: [
      edit(
        "src/core/plan/changes.ts",
        'return [put(op.task), { table: "slots", key: op.slot.key, row: op.slot }];',
        "return [put(op.task)];",
      ),
    ],
  },
  {
    name: "given-up-for-nothing",
    rule: "law written-off-is-replaced",
    edits: [
      edit(
        "src/core/plan/changes.ts",
        'desired: "stop", stop: op.stop })',
        'desired: "stop", stop: op.stop, written_off: { at_ms: now_ms, why: "" } })',
      ),
    ],
  },
];
