// Mutants by which elements of arrays would run twice, be forgotten, or hold what they do not need. Every `find` occurs
// exactly once in its file.

import { edit, type Mutant } from "./mutant";

const JOURNAL = "src/agent/tasks/element-journal.ts";
const INTAKE = "src/core/intake/batches.ts";
const NOTED = "src/core/pass/elements.ts";
const PLAN = "src/core/plan/arrays.ts";

export const ARRAY_MUTANTS: readonly Mutant[] = [
  {
    name: "results-are-their-numbers",
    rule: "63: a machine that has lost its power numbers results anew",
    edits: [
      edit(NOTED, "const isNews = isRight && noteEnd(", "const isNews = isRight && from + n >= batch.told && noteEnd("),
    ],
  },
  {
    name: "unbegun-elements-stay-out",
    rule: "63: what has not begun goes back to the round",
    edits: [edit(NOTED, "if (indices.length === 0 || round", "if (indices.length >= 0 || round")],
  },
  {
    name: "untold-is-unbegun",
    rule: "63: what nobody can tell of may have begun",
    edits: [
      edit(INTAKE, "entry?.results !== undefined || state", "entry === null || entry.results !== undefined || state"),
    ],
  },
  {
    name: "only-is-ignored",
    rule: "63: what begins no more goes back at once",
    edits: [edit(INTAKE, "if (results.only !== null) batch", "if (results.only === -1) batch")],
  },
  {
    name: "promises-are-kept",
    rule: "63: what is promised is as many times what one element asks for as there are places",
    edits: [edit(INTAKE, "promised: shareOf(task.promised, places, batch.places)", "promised: task.promised")],
  },
  {
    name: "rounds-overlap",
    rule: "63: the next round begins when nothing of this one is out",
    edits: [edit(PLAN, "if (there.length === 0) nextRound(", "nextRound(")],
  },
  {
    name: "no-end-is-no-begin",
    rule: "63: what began and has no end is unknown",
    edits: [edit(JOURNAL, "const begun = read.begun + read.damaged;", "const begun = 0;")],
  },
  {
    name: "a-reboot-loses-no-line",
    rule: "63: after a reboot what may have begun is lost",
    edits: [edit(JOURNAL, "isLost ? Math.max(may, begun) : begun", "begun")],
  },
  {
    name: "sent-results-are-had",
    rule: "63: results are told until the server has them",
    edits: [
      edit(
        "src/agent/loop/batch-reports.ts",
        "const { places, only } = results;",
        "const { places, only } = results;\n      has.set(uid, endOfPage(results));",
      ),
    ],
  },
  {
    name: "silent-batches-have-not-begun",
    rule: "63: of a batch that was given up any element may have begun",
    edits: [
      edit(PLAN, "import { draftOf, leftToHandOut,", "import { draftOf, giveUnbegun, leftToHandOut,"),
      edit(
        PLAN,
        'for (const index of withoutEnd(noted, batch)) noteEnd(noted, batch.round, [index, "lost", 0], again);',
        "giveUnbegun(noted, batch.round, withoutEnd(noted, batch)); void [noteEnd, again];",
      ),
    ],
  },
  {
    name: "unknown-elements-are-lost",
    rule: "63: nobody knows what a batch did whose record is lost",
    edits: [edit(INTAKE, 'const end = final.state === "lost" ? "lost" : "unknown";', 'const end = "lost";')],
  },
  {
    name: "arrays-have-no-limit",
    rule: "63: so many elements of an array run at once",
    edits: [edit(NOTED, "left -= batch?.places ?? 0;", "left -= (batch?.places ?? 0) * 0;")],
  },
  {
    name: "may-is-not-synced",
    rule: "63: elements begin once the disk has that they may",
    edits: [
      edit(
        "test/sim/batches.ts",
        "this.#sync(() => {\n      this.#may = count;",
        "this.#awake(() => {\n      this.#may = count;",
      ),
    ],
  },
];
