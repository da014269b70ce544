// Mutants of what waits: patience, company, and the memory of what was tried in vain. Every `find` occurs exactly once
// in its file.

import { edit, type Mutant } from "./mutant";

const GROWTH = "src/core/schedule/growth.ts";

export const WAIT_MUTANTS: readonly Mutant[] = [
  {
    name: "patience-holds-nothing",
    rule: "L6: what needs much starts after its patience",
    edits: [edit("src/core/schedule/patience.ts", "const MOST_KEPT = 4;", "const MOST_KEPT = 0;")],
  },
  {
    name: "companies-have-no-patience",
    rule: "L6: companions start after their patience",
    edits: [
      edit(
        "src/core/schedule/schedule.ts",
        "wakeAt(draft, keepRoom(party.looks, companions.demands, party.trial.never_kept));",
        "",
      ),
    ],
  },
  {
    name: "room-is-kept-for-ever",
    rule: "L6: room that is not kept any more is tried again",
    edits: [edit(GROWTH, "known.kept || ", "")],
  },
  {
    name: "freed-room-is-not-noticed",
    rule: "L2: what has room is placed",
    edits: [edit(GROWTH, "...freed(pass, tried), ", "")],
  },
  {
    name: "companions-are-tried-once",
    rule: "L2: what has room is placed",
    edits: [edit("src/core/place/together.ts", "changed > tried", "changed > tried + 1e9")],
  },
  {
    name: "followers-go-anywhere",
    rule: "company: what follows is placed where its leader is",
    edits: [
      edit(
        "src/core/place/checks.ts",
        "} else if (countOn(pass, rooms, room, key).wanted === 0) {",
        "} else if (countOn(pass, rooms, room, key).wanted < 0) {",
      ),
    ],
  },
  {
    name: "followers-come-first",
    rule: "company: what follows waits for its leader",
    edits: [
      edit(
        "src/core/place/checks.ts",
        "if (first) return () => found(",
        "if (first && name.length > 99) return () => found(",
      ),
    ],
  },
  {
    name: "apart-is-not-kept",
    rule: "company: what keeps apart is placed apart",
    edits: [edit("src/core/place/checks.ts", ".all <= own) continue;", ".all <= own + 9) continue;")],
  },
];
