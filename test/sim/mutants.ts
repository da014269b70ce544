// Deliberate bugs, as edits of source files: each takes out one rule of protocol.md, or is a mistake that somebody could
// make. The simulator must see every one of them; `find` occurs exactly once in its file.

export interface Mutant {
  readonly name: string;
  /** The rule of protocol.md that it takes out, or what it breaks. */
  readonly rule: string;
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** The text of the mutant's file with the edit made. */
export function mutated(mutant: Mutant, text: string): string {
  const parts = text.split(mutant.find);
  if (parts.length !== 2) {
    throw new Error(`${mutant.name}: its text is found ${parts.length - 1} times in ${mutant.file}, not once`);
  }
  return parts.join(mutant.replace);
}

const IN_ACCEPT = "src/core/accept.ts", IN_OBSERVE = "src/core/observe.ts", IN_SESSION = "src/server/session.ts";

export const MUTANTS: readonly Mutant[] = [
  { name: "older-epoch-is-followed", rule: "protocol 1: epochs order servers", file: IN_ACCEPT,
    find: "stamp.epoch < fence.epoch", replace: "stamp.epoch < 0" },
  { name: "any-session-counts", rule: "protocol 8: order comes from the session", file: IN_ACCEPT,
    find: "if (!isCurrent(fence, stamp) || n !== fence.applied_n + 1) return null;",
    replace: "if (n !== fence.applied_n + 1) return null;" },
  { name: "gaps-are-taken", rule: "protocol 8: messages are applied without gaps", file: IN_ACCEPT,
    find: "n !== fence.applied_n + 1", replace: "n <= fence.applied_n" },
  { name: "nothing-is-sent-again", rule: "protocol 10: what is behind is sent again", file: IN_SESSION,
    find: "oldest === undefined || hub.clock() - oldest.at_ms < RESEND_AFTER_MS", replace: "hub.clock() > 0" },
  { name: "ack-before-commit", rule: "protocol 5: acknowledged means durable", file: IN_SESSION,
    find: "const { value: verbs } = await hub.store.commit(",
    replace: `send(session, { type: "ack", stamp: stamp(hub, session), seq });
  const { value: verbs } = await hub.store.commit(` },
  { name: "overtaken-session-speaks", rule: "protocol 8: an overtaken session is of the past", file: IN_SESSION,
    find: "(hub.newest.get(node_id) ?? 0) > session.n", replace: "(hub.newest.get(node_id) ?? 0) < 0" },
  { name: "absence-is-proof", rule: "protocol 9: absence is proof only in an inventory that covers the task", file: IN_OBSERVE,
    find: "applied.timeline === timeline && applied.revision >= task.assigned_revision",
    replace: "applied.timeline === timeline" },
  { name: "unreadable-is-complete", rule: "protocol 11: what cannot be read makes an inventory incomplete", file: IN_OBSERVE,
    find: "const named = new Set([...inventory.entries, ...inventory.unreadable].map((entry) => entry.uid));",
    replace: "const named = new Set(inventory.entries.map((entry) => entry.uid));" },
  { name: "old-news-is-taken", rule: "protocol 10, I6: states only rise", file: IN_OBSERVE,
    find: "const rises = TASK[observed.state].rank > TASK[from].rank;", replace: "const rises = true;" },
  { name: "claims-are-forgotten", rule: "protocol 12: a stop of what is unknown claims it", file: IN_ACCEPT,
    find: `if (begun === "no") claims.push(verb.uid);`, replace: "" },
  { name: "any-boot-will-do", rule: "protocol 12: an assignment names its boot", file: IN_ACCEPT,
    find: "if (task.boot_id !== context.boot_id) {", replace: `if (task.boot_id === "") {` },
  { name: "records-outlive-boots", rule: "protocol 12: an assignment names its boot", file: "src/core/step.ts",
    find: "if (record.boot_id !== view.boot_id) {", replace: `if (record.boot_id === "") {` },
  { name: "no-local-admission", rule: "protocol 13: an agent starts nothing without room", file: "src/core/admit.ts",
    find: "if (what !== null) { lacking", replace: "if (what === \"\") { lacking" },
  { name: "given-up-is-free", rule: "protocol 17: what was given up keeps its resources", file: "src/core/room.ts",
    find: "if (room !== undefined) take(room.free, task.promised);",
    replace: "if (room !== undefined && task.written_off === null) take(room.free, task.promised);" },
  { name: "stopping-is-free", rule: "I4: a promise holds until the end is proven", file: "src/core/room.ts",
    find: "if (room !== undefined) take(room.free, task.promised);",
    replace: "if (room !== undefined && task.desired !== \"stop\") take(room.free, task.promised);" },
  { name: "orphans-are-free", rule: "protocol 20: an orphan is counted in capacity", file: "src/core/room.ts",
    find: "if (orphan.held !== null) take(room.free, orphan.held);", replace: "" },
  { name: "gang-goes-early", rule: "protocol 14: all members are prepared before one goes", file: "src/core/gang.ts",
    find: `(task.observed.state === "preparing" && task.observed.prepared)`, replace: "true" },
  { name: "gang-has-no-deadline", rule: "protocol 14: a deadline withdraws all", file: "src/core/gang.ts",
    find: "if (deadline > pass.now_ms) return;", replace: "if (deadline > 0) return;" },
  { name: "grants-are-used-twice", rule: "protocol 15: numbers that were granted are not used", file: "src/core/retry.ts",
    find: `const attempts = end.state === "lost" ? granted : `, replace: "const attempts = " },
  { name: "stalls-count-as-silence", rule: "protocol 16: silence counts on the listening clock", file: "src/server/loop.ts",
    find: "const TURN_LIMIT_MS = 1_000;", replace: "const TURN_LIMIT_MS = 1e9;" },
  { name: "silence-is-never-given-up", rule: "L1: what its policy replaces is replaced", file: "src/core/replicas.ts",
    find: "fact.silence_ms >= keeping.give_up_after_ms", replace: "fact.silence_ms < 0" },
  { name: "given-up-is-started", rule: "protocol 17: what was given up is never started", file: "src/core/assign.ts",
    find: "task.written_off !== null || ", replace: "" },
  { name: "given-up-is-sent-again", rule: "protocol 17: what was given up is never started", file: IN_SESSION,
    find: "message: withoutGivenUp(hub, message)", replace: "message" },
  { name: "mass-silence-is-death", rule: "protocol 18: many silent nodes are the network", file: "src/core/contact.ts",
    find: "const mass = silent.length >= 2 &&", replace: "const mass = silent.length >= 99 &&" },
  { name: "lease-is-not-waited-for", rule: "protocol 19: the server waits the lease and a margin", file: "src/core/contact.ts",
    find: "limits.lease_ms + limits.lease_margin_ms", replace: "limits.lease_margin_ms" },
  { name: "started-without-lease", rule: "protocol 19: no start without a valid lease", file: "src/core/step.ts",
    find: "if (!hasLease(view, record)) return null;", replace: "" },
  { name: "orphans-are-killed", rule: "protocol 20: a uid never heard of is kept", file: IN_OBSERVE,
    find: "if (context.hasEnded(entry.uid) ||", replace: "if (context.hasEnded(entry.uid) || entry.uid !== \"\" ||" },
  { name: "returned-tasks-live-on", rule: "protocol 20: what is over gets an explicit stop", file: IN_OBSERVE,
    find: "draft.verbs.push({ verb: \"stop\", uid: entry.uid,", replace: "[].push({ verb: \"stop\", uid: entry.uid," },
  { name: "recovering-decides", rule: "protocol 22: a recovering server takes in only", file: "src/core/plan.ts",
    find: "if (snapshot.state.cluster.recovering !== null) return", replace: "if (snapshot.limits.lease_ms < 0) return" },
  { name: "nothing-is-adopted", rule: "protocol 22: living attempts of known slots are adopted", file: IN_OBSERVE,
    find: "if (state.cluster.recovering !== null && owned", replace: "if (owned === null && owned" },
  { name: "new-timeline-keeps-all", rule: "protocol 22: agents drop what they had not begun", file: "src/agent/session.ts",
    find: "if (greeting.new_timeline) await loop.newTimeline();", replace: "" },
  { name: "kept-ends-stay-away", rule: "protocol 10: finished records are kept, and told to a new timeline",
    file: "src/agent/loop.ts",
    find: "for (const record of await driver.kept()) this.#records.set(record.assignment.uid, record);", replace: "" },
  { name: "one-key-two-effects", rule: "protocol 6, I2: one effect a key", file: "src/store/batch.ts",
    find: "context.answers.get(answerKey(idempotency)) ?? context.kept(idempotency)", replace: "null" },
  { name: "epochs-stand-still", rule: "protocol 1: the epoch rises with each start", file: "src/store/open.ts",
    find: "epoch = epoch + 1", replace: "epoch = epoch" },
  { name: "numbers-come-again", rule: "protocol 2: a run's number is never used twice", file: "src/store/draft.ts",
    find: "next_run: cluster.next_run + 1", replace: "next_run: cluster.next_run" },
  { name: "failures-are-successes", rule: "I9: exit codes are true", file: "src/core/step.ts",
    find: "if (process.exit_code === 0 && process.reason === null) {", replace: "if (process.reason === null) {" },
  { name: "codes-are-lost", rule: "I9: exit codes are true", file: IN_OBSERVE,
    find: "return { state: state === \"gone\" ? \"lost\" : state, exit_code, signal,",
    replace: "return { state: state === \"gone\" ? \"lost\" : state, exit_code: null, signal," },
  { name: "success-is-forgotten", rule: "I5: finished work never runs again", file: "src/core/jobs.ts",
    find: "slot !== null && slot.ends.length === spec.members &&", replace: "slot !== null && slot.ends.length > spec.members &&" },
  { name: "retries-never-end", rule: "L3: retries are bounded", file: "src/core/jobs.ts",
    find: "slot.failed > run.settings.retries", replace: "slot.failed > 99" },
  { name: "no-back-off", rule: "L3: restarts are bounded", file: "src/core/retry.ts",
    find: "return Math.round(capped * (1 - JITTER + 2 * JITTER * jitterOf(uid)));", replace: "return Math.min(capped, 1);" },
  { name: "limits-are-ignored", rule: "L5: a time limit ends a task", file: "src/core/step.ts",
    find: "if (now_ms < limitAt) return null;", replace: "if (now_ms > 0) return null;" },
  { name: "no-kill", rule: "L5: stop ends", file: "src/core/step.ts",
    find: "if (view.now_ms >= killAt) {", replace: "if (view.now_ms >= killAt * 1e6) {" },
  { name: "no-grace", rule: "L5: a grace is kept", file: "src/core/step.ts",
    find: "const killAt = stop.at_ms + stop.grace_ms;", replace: "const killAt = stop.at_ms;" },
  { name: "scaling-down-is-ignored", rule: "L1: desired is observed", file: "src/core/services.ts",
    find: "filter((slot) => slot >= replicas)", replace: "filter((slot) => slot >= replicas + 99)" },
  { name: "removing-takes-everything", rule: "I7: nothing wanted is stopped", file: "src/core/reconcile.ts",
    find: "if (pass.state.workloads.has(owner_uid) || pass.state.runs.has(owner_uid)) continue;",
    replace: "if (pass.state.workloads.has(owner_uid)) continue;" },
  { name: "waiting-is-not-waited", rule: "17: what waits for proof is not given up", file: "src/core/jobs.ts",
    find: "if (run.settings.on_node_loss === \"wait\") return null;", replace: "" },
  { name: "handshakes-have-no-deadline", rule: "L2: every waiting state has a deadline", file: "src/agent/session.ts",
    find: "this.#patience = setTimeout(() => this.#socket.close(4_004, \"the server does not answer\"), WELCOME_WITHIN_MS);",
    replace: "this.#patience = setTimeout(() => undefined, WELCOME_WITHIN_MS);" },
  { name: "old-and-new-at-once", rule: "I3: an exclusive slot never has two", file: "src/core/services.ts",
    find: "stop_first: exclusive,", replace: "stop_first: false," },
];
