// Mutants that somebody could make by mistake, each against an invariant of the architecture. Every `find` occurs
// exactly once in its file.

import { edit, type Mutant } from "./mutant";

export const MISTAKE_MUTANTS: readonly Mutant[] = [
  {
    name: "stopping-is-free",
    rule: "I4: a promise holds until the end is proven",
    edits: [
      edit(
        "src/core/place/room.ts",
        "if (room !== undefined) takeFrom(room, task.promised);",
        'if (room !== undefined && task.desired !== "stop") takeFrom(room, task.promised);',
      ),
    ],
  },
  {
    name: "failures-are-successes",
    rule: "I9: exit codes are true",
    edits: [
      edit(
        "src/core/agent/ending.ts",
        "if (exit.exit_code === 0 && exit.cause === undefined)",
        "if (exit.cause === undefined)",
      ),
    ],
  },
  {
    name: "a-nodes-trouble-is-a-failure",
    rule: "28: what its node could not begin is no failure",
    edits: [
      edit("src/core/agent/ending.ts", "if (isStartTrouble(cause)) {", "if (isStartTrouble(cause) && exit.oom) {"),
    ],
  },
  {
    name: "codes-are-lost",
    rule: "I9: exit codes are true",
    edits: [
      edit(
        "src/core/intake/reported.ts",
        'state: state !== "gone" ? state :',
        'exit_code: null,\n    state: state !== "gone" ? state :',
      ),
    ],
  },
  {
    name: "success-is-forgotten",
    rule: "I5: finished work never runs again",
    edits: [
      edit(
        "src/core/plan/outcome.ts",
        "slot !== null && slot.ends.length === members",
        "slot !== null && slot.ends.length > members",
      ),
    ],
  },
  {
    name: "retries-never-end",
    rule: "L3: retries are bounded",
    edits: [edit("src/core/plan/outcome.ts", "slot.failed > run.settings.retries", "slot.failed > 99")],
  },
  {
    name: "no-back-off",
    rule: "L3: restarts are bounded",
    edits: [
      edit(
        "src/core/pass/slot.ts",
        "return Math.round(capped * (1 - JITTER + 2 * JITTER * jitterOf(uid)));",
        "return Math.min(capped, 1);",
      ),
    ],
  },
  {
    name: "limits-are-ignored",
    rule: "L5: a time limit ends a task",
    edits: [edit("src/core/agent/ending.ts", "Math.max(started_ms + limit, ", "Math.max(started_ms + limit * 1e6, ")],
  },
  {
    name: "no-kill",
    rule: "L5: stop ends",
    edits: [edit("src/core/agent/step.ts", "if (view.now_ms >= killAt) {", "if (view.now_ms >= killAt * 1e6) {")],
  },
  {
    name: "no-grace",
    rule: "L5: a grace is kept",
    edits: [
      edit(
        "src/core/agent/step.ts",
        "const killAt = Math.max(stop.at_ms, asked.at_ms) + stop.grace_ms;",
        "const killAt = Math.max(stop.at_ms, asked.at_ms);",
      ),
    ],
  },
  {
    name: "scaling-down-is-ignored",
    rule: "L1: what is desired is observed",
    edits: [
      edit(
        "src/core/plan/services.ts",
        "filter((slot) => !wanted.has(slot))",
        "filter((slot) => slot >= replicas + 99)",
      ),
    ],
  },
  {
    name: "given-up-slots-are-filled",
    rule: "law placed-as-wanted",
    edits: [edit("src/core/model/slots.ts", "filter((slot) => !given_up.has(slot))", "filter((slot) => slot >= 0)")],
  },
  {
    name: "runs-are-ownerless",
    rule: "I7: nothing wanted is stopped",
    edits: [
      edit(
        "src/core/plan/reconcile.ts",
        "if (pass.state.workloads.has(owner_uid) || pass.state.runs.has(owner_uid)) continue;",
        "if (pass.state.workloads.has(owner_uid)) continue;",
      ),
    ],
  },
  {
    name: "handshakes-have-no-deadline",
    rule: "L2: every waiting state has a deadline",
    edits: [edit("src/agent/link/session.ts", "() => this.#give(WELCOME_TOO_LATE)", "() => undefined")],
  },
  {
    name: "silence-is-not-noticed",
    rule: "protocol 30: a dead connection is known by its silence",
    edits: [edit("src/agent/link/work.ts", "link.silent_ms > agentSilence(heartbeat_ms)", "link.silent_ms < 0")],
  },
  {
    name: "old-and-new-at-once",
    rule: "I3: an exclusive slot never has two",
    edits: [edit("src/core/plan/services.ts", "stop_first: exclusive,", "stop_first: false,")],
  },
  {
    name: "untested-is-ready",
    rule: "a node gets work after it has passed its tests",
    edits: [edit("src/core/pass/contact.ts", 'heard && row.admission === "ready" &&', "heard &&")],
  },
  {
    name: "old-results-count",
    rule: "a result that names another order is of the past",
    edits: [edit("src/server/agents/testing.ts", "node.testing?.id !== id", "node.testing === null")],
  },
  {
    name: "tests-have-no-deadline",
    rule: "L2: tests end, or are given up",
    edits: [edit("src/core/plan/overdue.ts", "if (due_ms > pass.now_ms) {", "if (due_ms > 0) {")],
  },
  {
    name: "grace-counts-from-the-stop-alone",
    rule: "L5: a grace is kept, protocol 28: it begins with the signal",
    edits: [
      edit(
        "src/core/agent/step.ts",
        "const killAt = Math.max(stop.at_ms, asked.at_ms) + stop.grace_ms;",
        "const killAt = stop.at_ms + stop.grace_ms;",
      ),
    ],
  },
  {
    name: "moments-of-this-boot-are-told-by-the-wall",
    rule: "protocol 28: ages are counted on boot time",
    edits: [
      edit(
        "src/agent/tasks/moments.ts",
        "if (same && boot_ms !== null) return boot_ms;",
        "if (same && boot_ms !== null && boot_ms < 0) return boot_ms;",
      ),
    ],
  },
];
