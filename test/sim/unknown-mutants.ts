// Mutants by which work whose end nobody knows would run again by itself, or by which what is known would be called
// unknown. Every `find` occurs exactly once in its file.

import { edit, type Mutant } from "./mutant";

export const UNKNOWN_MUTANTS: readonly Mutant[] = [
  {
    name: "unknown-is-lost",
    rule: "protocol 27: what began and whose end is not known is not lost",
    edits: [
      edit(
        "src/core/intake/reported.ts",
        'state: state !== "gone" ? state :',
        'state: state !== "gone" ? (state === "unknown" ? "lost" : state) :',
      ),
    ],
  },
  {
    name: "absence-is-loss",
    rule: "protocol 9, 27: a record that is gone does not prove that its task never completed",
    edits: [edit("src/core/intake/absent.ts", "return vouched ? NO_RECORD : NEW_DISK;", "return REBOOTED;")],
  },
  {
    name: "nobody-is-asked",
    rule: "I5: what nobody knows runs again only by a person's word",
    edits: [edit("src/core/plan/jobs.ts", "if (asked.length > 0) return ask(draft, run, asked);", "")],
  },
  {
    name: "reboots-are-unknown",
    rule: "protocol 27: what a reboot ended is lost, and is not asked about",
    edits: [edit("src/core/agent/step.ts", "return seen.process.rebooted", 'return seen.process.why === ""')],
  },
  {
    name: "stops-ahead-are-told-once",
    rule: "protocol 10: an end is told until it is durable",
    edits: [
      edit("src/agent/loop/loop.ts", "for (const report of accepted.reports) this.#unrecorded.ended(report);", ""),
      edit(
        "src/agent/loop/unrecorded.ts",
        "for (const uid of stopped) last.set(",
        "for (const uid of [] as string[]) last.set(",
      ),
    ],
  },
];
