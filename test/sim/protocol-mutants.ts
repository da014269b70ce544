// Mutants that each remove one rule of protocol.md. Every `find` occurs exactly once in its file.

import { edit, type Mutant } from "./mutant";

export const PROTOCOL_MUTANTS: readonly Mutant[] = [
  {
    name: "older-epoch-is-followed",
    rule: "protocol 1, 21: epochs order servers",
    edits: [
      edit("src/core/agent/fence.ts", "stamp.epoch < fence.epoch", "stamp.epoch < 0"),
      edit("src/core/agent/fence.ts", "stamp.revision < fence.revision", "stamp.revision < 0"),
      edit("src/server/agents/greeting.ts", "highest.epoch <= cluster.epoch && !further", "cluster.epoch >= 0"),
    ],
  },
  {
    name: "any-session-counts",
    rule: "protocol 8: order comes from the session",
    edits: [
      edit(
        "src/core/agent/accept.ts",
        "if (!isCurrent(fence, stamp) || n !== fence.applied_n + 1) return null;",
        "if (n < 0) return null;",
      ),
    ],
  },
  {
    name: "gaps-are-taken",
    rule: "protocol 8: messages are applied without gaps",
    edits: [edit("src/core/agent/accept.ts", "n !== fence.applied_n + 1", "n <= fence.applied_n")],
  },
  {
    name: "nothing-is-sent-again",
    rule: "protocol 10: what is behind is sent again",
    edits: [
      edit(
        "src/server/agents/orders.ts",
        "oldest === undefined || hub.clock() - Math.max(oldest.at_ms, orders.moved_ms) < RESEND_AFTER_MS",
        "hub.clock() > 0",
      ),
    ],
  },
  {
    name: "a-part-counts-as-all",
    rule: "protocol 9: the applied revision covers what was told",
    edits: [
      edit(
        "src/server/agents/orders.ts",
        "if (!waits && hub.loop.decides()) orders.revision =",
        "if (hub.loop.decides()) orders.revision =",
      ),
    ],
  },
  {
    name: "ack-before-commit",
    rule: "protocol 5: acknowledged means durable",
    edits: [
      edit(
        "src/server/agents/reports.ts",
        "const { value } = await hub.store.commit(actorOf(hub, node_id),",
        'send(session, { type: "ack", stamp: stamp(hub, session), seq });\n' +
          "  const { value } = await hub.store.commit(actorOf(hub, node_id),",
      ),
    ],
  },
  {
    name: "newer-fence-is-overwritten",
    rule: "protocol 8: order comes from the session",
    edits: [
      edit("src/agent/link/greeting.ts", "await loop.quiet();", ""),
      edit("src/agent/link/work.ts", "next === null || fence.get() !== now", "next === null"),
    ],
  },
  {
    name: "new-disks-vouch",
    rule: "protocol 9: records destroyed with a disk are asked about, not rerun",
    edits: [
      edit(
        "src/core/intake/absent.ts",
        "return vouched ? NO_RECORD : NEW_DISK;",
        "return vouched ? NO_RECORD : REBOOTED;",
      ),
    ],
  },
  {
    name: "absence-is-proof",
    rule: "protocol 9: absence is proof only in an inventory that covers the task",
    edits: [
      edit(
        "src/core/intake/absent.ts",
        "applied.timeline === timeline && applied.revision >= task.assigned_revision",
        "applied.timeline === timeline",
      ),
    ],
  },
  {
    name: "unreadable-is-complete",
    rule: "protocol 11: what cannot be read makes an inventory incomplete",
    edits: [
      edit(
        "src/core/intake/absent.ts",
        "const whole = inventory.unreadable.length === 0;",
        "const whole = inventory.unreadable.length >= 0;",
      ),
      edit(
        "src/core/intake/observe.ts",
        "const named = new Set([...inventory.entries, ...inventory.unreadable].map((entry) => entry.uid));",
        "const named = new Set(inventory.entries.map((entry) => entry.uid));",
      ),
    ],
  },
  {
    name: "old-news-is-taken",
    rule: "protocol 10, I6: states only rise",
    edits: [edit("src/core/intake/observe.ts", "const rises = mayMove(from, observed.state);", "const rises = true;")],
  },
  {
    name: "stopped-is-started",
    rule: "protocol 12: a stop of what waits claims it",
    edits: [
      edit(
        "src/core/agent/step.ts",
        'if (record.stop !== null) return claim(view, record, "stopped", null, record.stop.why);',
        "",
      ),
      edit(
        "src/core/agent/admit.ts",
        "else if (record.stop === null) waiting.push(record);",
        "else waiting.push(record);",
      ),
    ],
  },
  {
    name: "records-outlive-boots",
    rule: "protocol 12: an assignment names its boot",
    edits: [edit("src/core/agent/step.ts", "if (record.boot_id !== view.boot_id) {", 'if (record.boot_id === "") {')],
  },
  {
    name: "no-local-admission",
    rule: "protocol 13: an agent starts nothing without room",
    edits: [edit("src/core/agent/admit.ts", "if (what !== null) {", 'if (what === "") {')],
  },
  {
    name: "given-up-is-free",
    rule: "protocol 17: what was given up keeps its resources",
    edits: [
      edit(
        "src/core/place/room.ts",
        "if (room !== undefined) takeFrom(room, task.promised);",
        "if (room !== undefined && task.written_off === null) takeFrom(room, task.promised);",
      ),
    ],
  },
  {
    name: "orphans-are-free",
    rule: "protocol 20: an orphan is counted in capacity",
    edits: [edit("src/core/place/room.ts", "if (held !== null) takeFrom(room, held);", ";")],
  },
  {
    name: "gang-goes-early",
    rule: "protocol 14: all members are prepared before one goes",
    edits: [edit("src/core/plan/jobs.ts", '(task.observed.state === "preparing" && task.observed.prepared)', "true")],
  },
  {
    name: "gang-has-no-deadline",
    rule: "protocol 14: a deadline withdraws all",
    edits: [edit("src/core/plan/jobs.ts", "if (deadline > pass.now_ms) return;", "if (deadline > 0) return;")],
  },
  {
    name: "grants-are-used-twice",
    rule: "protocol 15: numbers that were granted are not used",
    edits: [
      edit(
        "src/core/pass/slot.ts",
        'end.state === "lost" || end.state === "unknown" ? Math.max(before.attempts, task.grant_until) : task.attempt',
        "task.attempt",
      ),
      edit(
        "src/core/intake/ends.ts",
        "const attempts = Math.max(after.attempts, task.grant_until);",
        "const attempts = after.attempts;",
      ),
    ],
  },
  {
    name: "silence-counts-from-ever",
    rule: "protocol 16: silence counts from the server's start",
    edits: [
      edit(
        "src/core/pass/contact.ts",
        "seen === undefined ? snapshot.listening_ms : seen.silent_ms",
        "seen === undefined ? 1e9 : seen.silent_ms",
      ),
    ],
  },
  {
    name: "silence-is-never-given-up",
    rule: "protocol 17: what its policy replaces is replaced",
    edits: [edit("src/core/plan/replicas.ts", "fact.silence_ms >= keeping.give_up_after_ms", "fact.silence_ms < 0")],
  },
  {
    name: "mass-silence-is-death",
    rule: "protocol 18: many silent nodes are the network",
    edits: [
      edit(
        "src/core/pass/contact.ts",
        "silent.length > 0 && together.length >= 2",
        "silent.length > 0 && together.length >= 99",
      ),
    ],
  },
  {
    name: "lease-is-not-waited-for",
    rule: "protocol 19: the server waits the lease and a margin",
    edits: [
      edit(
        "src/core/pass/contact.ts",
        "limits.lease_ms + Math.max(limits.lease_margin_ms, leaseLate(limits.lease_ms))",
        "limits.lease_margin_ms",
      ),
    ],
  },
  {
    name: "guard-sees-only-death",
    rule: "protocol 29: the second enforcer notices that the first hangs",
    edits: [
      edit(
        "src/agent/keeper/lease.ts",
        "gone ? leaseActs({ ...view, heard_ms: null }, now_ms) : leaseActs(view, now_ms)",
        "gone ? leaseActs({ ...view, heard_ms: null }, now_ms) : []",
      ),
    ],
  },
  {
    name: "started-without-lease",
    rule: "protocol 19: no start without a valid lease",
    edits: [edit("src/core/agent/step.ts", "if (!hasLease(view, record)) return null;", "")],
  },
  {
    name: "orphans-are-killed",
    rule: "protocol 20: a uid never heard of is kept",
    edits: [
      edit(
        "src/core/intake/observe.ts",
        "if (context.hasEnded(entry.uid) || (",
        'if (entry.uid !== "" || context.hasEnded(entry.uid) || (',
      ),
    ],
  },
  {
    name: "restored-epoch-is-old",
    rule: "protocol 21: a recovering server commits above every epoch",
    edits: [
      edit(
        "src/store/restore.ts",
        'Math.max(highest("epoch") + 1, Math.floor(at_ms / SECOND_MS))',
        'highest("epoch") + 1',
      ),
    ],
  },
  {
    name: "restored-numbers-come-again",
    rule: "protocol 2: a run's number is never used twice",
    edits: [edit("src/store/restore.ts", 'highest("next_run") + RUN_GAP', "known[0]?.next_run ?? 1")],
  },
  {
    name: "recovering-decides",
    rule: "protocol 22: a recovering server takes in only",
    edits: [
      edit(
        "src/core/plan/plan.ts",
        "if (snapshot.state.cluster.recovering !== null)",
        "if (snapshot.limits.lease_ms < 0 && snapshot.state.cluster.recovering !== null)",
      ),
    ],
  },
  {
    name: "recovering-tells",
    rule: "protocol 22: a recovering server tells nobody to begin what its copy had placed",
    edits: [edit("src/server/agents/orders.ts", "if (hub.loop.decides())", "if (hub.clock() > 0)")],
  },
  {
    name: "nothing-is-adopted",
    rule: "protocol 22: living attempts of known slots are adopted",
    edits: [
      edit(
        "src/core/intake/observe.ts",
        "if (known && (isAssigned || earlier !== null)) {",
        "if (known && earlier !== null) {",
      ),
    ],
  },
  {
    name: "ends-are-not-adopted",
    rule: "protocol 22: a restored server takes in what has ended",
    edits: [
      edit(
        "src/core/intake/observe.ts",
        "if (state.cluster.recovering === null || !owned || context.hasEnded(entry.uid)) return;",
        'if (entry.uid !== "") return;',
      ),
    ],
  },
  {
    name: "new-timeline-keeps-all",
    rule: "protocol 22: agents drop what they had not begun",
    edits: [
      edit(
        "src/agent/loop/loop.ts",
        "end === null && seen.get(uid)?.claimed !== true",
        'end === null && uid === "" && seen.get(uid)?.claimed !== true',
      ),
    ],
  },
  {
    name: "ordered-starts-are-kept",
    rule: "protocol 22: what was ordered of a keeper and has not begun is dropped too",
    edits: [
      edit(
        "src/agent/loop/loop.ts",
        "unbegun.map(([, record])",
        "unbegun.filter(([uid]) => !this.#acts.busy.has(uid)).map(([, record])",
      ),
    ],
  },
  {
    name: "dropped-without-claim",
    rule: "protocol 12, 22: a claim decides whether what is dropped had begun",
    edits: [
      edit(
        "src/agent/loop/loop.ts",
        'await claimStopped({ store, driver }, uid, driver.isOrdered(uid) ? "write" : "owe")',
        'await Promise.resolve(store.wasClaimed(uid) ? "before" : "now")',
      ),
    ],
  },
  {
    name: "kept-ends-stay-away",
    rule: "protocol 10: finished records are kept, and told to a new timeline",
    edits: [edit("src/agent/loop/loop.ts", "of await store.kept()", "of (await store.kept()).slice(0, 0)")],
  },
  {
    name: "one-key-two-effects",
    rule: "protocol 6, I2: one effect a key",
    edits: [
      edit("src/store/batch.ts", "context.answers.get(answerKey(idempotency)) ?? context.kept(idempotency)", "null"),
    ],
  },
  {
    name: "epochs-stand-still",
    rule: "protocol 1: the epoch rises with each start",
    edits: [edit("src/store/open.ts", "epoch = epoch + 1", "epoch = epoch")],
  },
  {
    name: "numbers-come-again",
    rule: "protocol 2: a run's number is never used twice",
    edits: [edit("src/store/draft.ts", "next_run: cluster.next_run + 1", "next_run: cluster.next_run")],
  },
  {
    name: "waiting-is-not-waited",
    rule: "protocol 17: what waits for proof is not given up",
    edits: [edit("src/core/plan/jobs.ts", 'if (run.settings.on_node_loss === "wait") return null;', "")],
  },
];
