// One slot of a service or daemon: which of its attempts counts, which must go, and whether a new one is wanted.

import { compareText } from "../canonical";
import { sayRefusal } from "../place/card-checks";
import { isMatch, repelledBy } from "../place/labels";
import { isDraining } from "../pass/drain";
import { formatAge } from "../format";
import type { SlotRow, WorkloadRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import { cardsOf, isBad } from "../cards/node-cards";
import { waitFor, type ReconcileDraft } from "./draft";
import { orphanWait } from "./orphans";
import { isDrainDue, isSettled, isUp, slotOf, stopTask, wakeAt, type Pass } from "../pass/pass";
import type { NodeFact } from "../pass/contact";
import type { TimedWords } from "../pass/snapshot";
import { howEnded, isHeldBack, sayBackOff, sayCrashes } from "../pass/crashes";
import { endedVersion, lastCrash } from "../pass/slot";
import type { Snapshot } from "../pass/snapshot";
import { isWanted, taskName } from "../model/task";
import type { Ms } from "../units";
import type { TaskSpec } from "../model/workload";

/** How the slots of one workload are kept. */
export interface Keeping {
  readonly workload: WorkloadRow;
  readonly spec: TaskSpec;
  /** Whether the old attempt must have ended before the new one is placed. */
  readonly stop_first: boolean;
  /** An attempt on a node that is silent for this long is written off for another; null for never. */
  readonly give_up_after_ms: Ms | null;
}

/** The state of a slot, after what had to be stopped was stopped. */
export type SlotView =
  /** The slot's attempt runs well, as far as is known. */
  | { readonly is: "up" }
  /** The slot's attempt has yet to show that it runs well. */
  | { readonly is: "unsettled" }
  /**
   * The slot has no attempt: it wants room for one, waits for another one to end, was emptied for unused cards, or is
   * kept from its next attempt by crashes or an orphan.
   */
  | { readonly is: "pending"; readonly waits_for: "room" | "end" | "request" | "trouble" }
  /**
   * The slot runs a task that is to be replaced: one of an older version, or one of any version that has to leave its
   * place (`moves` says why).
   */
  | { readonly is: "stale"; readonly task: TaskRow; readonly moves: string | null; readonly alone: boolean };

const UP: SlotView = { is: "up" };
const UNSETTLED: SlotView = { is: "unsettled" };

/**
 * Stops the attempts of one slot that have to go, and asks for an attempt that is missing. `only` is the node of a
 * daemon's slot.
 */
export function reconcileSlot(
  draft: ReconcileDraft,
  keeping: Keeping,
  slot: number,
  tasks: readonly TaskRow[],
  only: NodeFact | null,
): SlotView {
  const [first] = tasks;
  const { pass } = draft;
  if (tasks.length === 1 && first !== undefined && isFine(pass, keeping.workload, first) && isUp(pass, first))
    return UP;
  const sorted = sortAttempts(pass, keeping.workload, tasks);
  stopThese(draft, keeping, sorted, sorted.due, "drained: the node's deadline has come");
  for (const { task, why } of sorted.unwanted) stopThese(draft, keeping, sorted, [task], why);
  const best = keepOne(draft, keeping, sorted, sorted.fine);
  const kept = keepOne(draft, keeping, sorted, sorted.stale);
  if (keeping.stop_first && keeping.workload.kind === "service") {
    const returned = sorted.written_off.filter((task) => pass.nodes.get(task.node_id)?.heard === true);
    // An exclusive attempt that was written off and is heard of again never runs beside another.
    stopThese(draft, keeping, sorted, returned, "it was given up while its node was silent");
  }
  if (best !== null && !isGone(pass, keeping, best)) return keepFine(draft, keeping, best, kept, sorted);
  if (kept !== null && best === null && !isGone(pass, keeping, kept)) {
    return {
      is: "stale",
      task: kept,
      moves: keeping.workload.kind === "daemon" ? null : whyMoves(pass, keeping.workload, kept),
      alone: sorted.stopping.length === 0,
    };
  }
  const gone = [best, kept].filter((task) => task !== null && isGone(pass, keeping, task)) as TaskRow[];
  return fillSlot(draft, keeping, slot, gone, sorted, only);
}

/** The attempts of one slot, sorted by what happens to them. */
interface SlotAttempts {
  readonly fine: readonly TaskRow[];
  readonly stale: readonly TaskRow[];
  /** Attempts that have to leave their draining node by now. */
  readonly due: readonly TaskRow[];
  /** Attempts that have not begun, and would begin on a node that would not get them any more. */
  readonly unwanted: readonly { readonly task: TaskRow; readonly why: string }[];
  /** Attempts that were told to stop, and those that this step stops. */
  readonly stopping: TaskRow[];
  readonly written_off: readonly TaskRow[];
}

function sortAttempts(pass: Pass, workload: WorkloadRow, tasks: readonly TaskRow[]): SlotAttempts {
  const [fine, stale, due, stopping, written_off]: TaskRow[][] = [[], [], [], [], []];
  const unwanted: { task: TaskRow; why: string }[] = [];
  const placeOf = (task: TaskRow): TaskRow[] | undefined => {
    if (task.written_off !== null) return written_off;
    if (task.desired === "stop") return stopping;
    if (workload.kind !== "daemon" && isDrainDue(pass, task, workload.settings.stop)) return due;
    return isFine(pass, workload, task) ? fine : stale;
  };
  for (const task of tasks) {
    const why = isWanted(task) ? whyNotBegin(pass, workload, task) : null;
    if (why === null) placeOf(task)?.push(task);
    else unwanted.push({ task, why });
  }
  return { fine, stale, due, unwanted, stopping, written_off } as SlotAttempts;
}

/**
 * Returns why an attempt that has not begun shall not begin: its node would not get it any more. What runs there stays
 * to its end, and the attempts that its agent was granted with it would begin after that end. Null: it may begin, or
 * has begun as far as is known.
 */
export function whyNotBegin(pass: Pass, { uid, kind, version, spec_hash }: WorkloadRow, task: TaskRow): string | null {
  const { observed, node_id, slot, version: own } = task;
  if (observed.state !== "preparing" || own !== version) return null;
  const fact = pass.nodes.get(node_id);
  if (fact?.heard !== true) return null;
  if (!isMatch(pass.snapshot.spec(spec_hash), fact.node))
    return `${fact.node.name} no longer matches, and it does not run`;
  // What its agent only holds back after a crash need not wait on a node that is to become empty.
  const waits = isHeldBack(task, slotOf(pass, uid, slot) ?? undefined, pass.now_ms);
  return kind === "service" && waits && isDraining(fact.node)
    ? `${fact.node.name} is being drained, and it does not run`
    : null;
}

/** Stops some attempts of a slot, which count as stopping from then on. */
function stopThese(
  draft: ReconcileDraft,
  { workload }: Keeping,
  { stopping }: SlotAttempts,
  tasks: readonly TaskRow[],
  why: string,
): void {
  for (const task of tasks) {
    stopTask(draft, task, workload.settings.stop, why);
    stopping.push(task);
  }
}

/**
 * Returns whether a wanted attempt of the present version may stay where it is. A daemon's attempt belongs to its node.
 */
export function isFine(pass: Pass, workload: WorkloadRow, task: TaskRow): boolean {
  if (task.desired === "stop" || task.written_off !== null || task.version !== workload.version) return false;
  return workload.kind === "daemon" || whyMoves(pass, workload, task) === null;
}

/**
 * Returns why an attempt has to leave its place once there is another: its node goes, a taint moves it away, or its
 * card is bad.
 */
function whyMoves(pass: Pass, workload: WorkloadRow, task: TaskRow): string | null {
  const fact = pass.nodes.get(task.node_id);
  return fact === undefined ? null : whyLeaves(pass.snapshot.spec, workload, fact, task);
}

/** Returns the same of an attempt on a node, whoever asks. */
export function whyLeaves(
  spec: Snapshot["spec"],
  { spec_hash }: WorkloadRow,
  { node, sound }: Pick<NodeFact, "node" | "sound">,
  { promised }: TaskRow,
): string | null {
  if (isDraining(node)) return "its node is being drained";
  const repelled = node.taints.length === 0 ? null : repelledBy(spec(spec_hash), node);
  if (repelled !== null) return repelled;
  if (sound || promised.devices.length === 0) return null;
  const { byId } = cardsOf(node.devices);
  for (const { id } of promised.devices) {
    const card = byId.get(id);
    if (card !== undefined && isBad(card)) return sayRefusal(card, card.trouble);
  }
  return null;
}

/** Keeps one of several attempts, and stops the others. An attempt that is up is kept first, then the newest. */
function keepOne(
  draft: ReconcileDraft,
  keeping: Keeping,
  sorted: SlotAttempts,
  tasks: readonly TaskRow[],
): TaskRow | null {
  if (tasks.length < 2) return tasks[0] ?? null;
  const rank = (task: TaskRow): number => (isUp(draft.pass, task) ? 0 : 1);
  const [best, ...others] = [...tasks].sort(
    (a, b) => rank(a) - rank(b) || b.attempt - a.attempt || compareText(a.uid, b.uid),
  );
  const name = best === undefined ? "" : taskName(best);
  stopThese(draft, keeping, sorted, others, `another attempt of the slot is kept: ${name}`);
  return best ?? null;
}

/** Returns whether an attempt's node has been silent for so long that the workload's policy writes the attempt off. */
export function isGone(pass: Pass, keeping: Pick<Keeping, "give_up_after_ms">, task: TaskRow): boolean {
  if (keeping.give_up_after_ms === null || pass.mass_silence) return false;
  const fact = pass.nodes.get(task.node_id);
  return fact !== undefined && !fact.heard && fact.silence_ms >= keeping.give_up_after_ms;
}

/** Handles a slot that has its attempt: once that attempt is up, the attempts that it replaces may go. */
function keepFine(
  draft: ReconcileDraft,
  keeping: Keeping,
  best: TaskRow,
  kept: TaskRow | null,
  sorted: SlotAttempts,
): SlotView {
  const { pass } = draft;
  const { workload } = keeping;
  noteSilent(draft, keeping, [best]);
  noteHeldBack(draft, workload, best);
  if (!isSettled(pass, best)) return UNSETTLED;
  if (pass.nodes.get(best.node_id)?.heard !== true) return UP;
  const why = `replaced by ${taskName(best)}`;
  if (kept !== null) stopTask(draft, kept, workload.settings.stop, why);
  for (const task of sorted.written_off) {
    if (pass.nodes.get(task.node_id)?.heard === true) stopTask(draft, task, workload.settings.stop, why);
  }
  return UP;
}

/** Notes that a slot waits until its agent begins the attempt that it has made after a crash. */
function noteHeldBack(draft: ReconcileDraft, workload: WorkloadRow, task: TaskRow): void {
  const { now_ms } = draft.pass;
  const row = slotOf(draft.pass, workload.uid, task.slot);
  const held = row !== null && isHeldBack(task, row, now_ms) ? sayBackOff(row, now_ms) : null;
  if (held !== null) waitFor(draft, workload, task.slot, held);
}

/**
 * Notes that a slot waits for a silent node: because its workload never gives an attempt up, or because many nodes are
 * silent together.
 */
function noteSilent(draft: ReconcileDraft, { workload, give_up_after_ms }: Keeping, tasks: readonly TaskRow[]): void {
  const { pass } = draft;
  const silent = [...tasks]
    .sort((a, b) => compareText(a.uid, b.uid))
    .flatMap((task) => {
      const fact = pass.nodes.get(task.node_id);
      return fact === undefined || fact.node.contact === "connected" ? [] : [{ task, fact }];
    });
  const [first] = silent;
  if (first === undefined || workload.kind === "daemon") return;
  const { task, fact } = first;
  const say = (how: string, after: string): void => {
    const before = `${how}: ${fact.node.name} has been silent for `;
    waitFor(draft, workload, task.slot, { before, is: "age", ms: fact.silence_ms, after }, [forgetHint(fact)]);
  };
  if (give_up_after_ms === null) say("waits for its node", "");
  else if (pass.mass_silence) say("is not replaced", ", as many others");
}

/**
 * Returns the command that ends the waiting for a silent node. Where another key waits to be the node, its machine is
 * probably there and its tasks live on, so that forgetting it would run them twice.
 */
export const forgetHint = ({ node: { name, pending } }: NodeFact): string =>
  pending === null
    ? `orch node forget ${name} --fenced, if it is off`
    : `orch node approve ${name}, if the key that waits is its machine's (orch node show ${name})`;

/** Handles a slot without an attempt that counts. A new one is wanted as soon as nothing holds it back. */
function fillSlot(
  draft: ReconcileDraft,
  keeping: Keeping,
  slot: number,
  gone: readonly TaskRow[],
  sorted: SlotAttempts,
  only: NodeFact | null,
): SlotView {
  const { pass } = draft;
  const { workload } = keeping;
  const givesUp = [...gone];
  const ending: TaskRow[] = [];
  for (const task of sorted.stopping) {
    if (!isGone(pass, keeping, task)) ending.push(task);
    else if (task.written_off === null && !draft.stopped.has(task.uid)) givesUp.push(task);
  }
  // A new attempt waits for those of its own version that are still ending. It waits for all that are ending if two
  // must never run together, or if two are ending already.
  const alone = keeping.stop_first || ending.length > 1;
  const blockers = ending.filter((task) => alone || task.version === workload.version);
  if (blockers.length > 0) {
    noteSilent(draft, keeping, blockers);
    const heard = blockers
      .filter((task) => pass.nodes.get(task.node_id)?.node.contact === "connected")
      .map(taskName)
      .sort();
    if (heard.length > 0) waitFor(draft, workload, slot, `waits for ${heard.join(", ")} to end`);
    return { is: "pending", waits_for: "end" };
  }
  const held = heldForIdle(pass, workload, slotOf(pass, workload.uid, slot));
  if (held !== null && givesUp.length === 0) {
    waitFor(draft, workload, slot, held, [`orch restart ${workload.app}.${workload.name}`]);
    return { is: "pending", waits_for: "request" };
  }
  const [lost] = gone;
  const fact = lost === undefined ? undefined : pass.nodes.get(lost.node_id);
  const why = fact === undefined ? null : `${fact.node.name} has been silent for ${formatAge(fact.silence_ms)}`;
  return { is: "pending", waits_for: wantAttempt(draft, keeping, slot, givesUp, why, only) ? "room" : "trouble" };
}

/** Asks for a new attempt, unless crashes or an orphan hold it back. Returns whether it asked. */
export function wantAttempt(
  draft: ReconcileDraft,
  keeping: Keeping,
  slot: number,
  gives_up: readonly TaskRow[],
  why: string | null,
  only: NodeFact | null,
  stops_first: TaskRow | null = null,
): boolean {
  const { pass } = draft;
  const { workload, spec } = keeping;
  const orphan = spec.exclusive ? orphanWait(pass, workload, slot) : null;
  if (orphan !== null) {
    draft.waits.push(orphan);
    return false;
  }
  const slot_row = slotOf(pass, workload.uid, slot);
  if (slot_row !== null && endedVersion(slot_row) === workload.version) {
    const held = heldBack(pass, workload, slot_row);
    if (held !== null) {
      const isLoop = isCrashLoop(workload, slot_row);
      if (!isLoop) wakeAt(draft, slot_row.not_before_ms);
      waitFor(draft, workload, slot, held, isLoop ? [`orch restart ${workload.app}.${workload.name}`] : [], isLoop);
      return false;
    }
  }
  draft.demands.push({
    owner: workload,
    kind: workload.kind,
    spec,
    slot,
    slot_row,
    only,
    gives_up,
    stops_first,
    why: why ?? whyAttempt(slot_row, workload.version),
  });
  return true;
}

/**
 * Returns why a slot stays empty after its attempt was stopped for unused cards. Null if it was stopped for another
 * reason, if a newer version is wanted, or if the workload no longer limits idle time.
 */
function heldForIdle(pass: Pass, workload: WorkloadRow, slot: SlotRow | null): TimedWords | null {
  const [end] = slot?.ends ?? [];
  if (end?.idle !== true || end.version !== workload.version || workload.settings.idle === undefined) return null;
  const after = ` ago: ${end.reason ?? "its GPU was idle"}`;
  return { before: "was stopped ", is: "age", ms: pass.now_ms - end.at_ms, after };
}

/**
 * Returns whether a slot has crashed more often in a row than its workload allows. A new version starts it again, and
 * so does whoever allows more crashes, or scales it away and back.
 */
function isCrashLoop({ settings }: WorkloadRow, { streak }: SlotRow): boolean {
  const { attempts } = settings.restart;
  return attempts !== null && streak > attempts;
}

/** Returns why crashes hold the next attempt back, or null. */
function heldBack(pass: Pass, workload: WorkloadRow, slot: SlotRow): string | TimedWords | null {
  if (isCrashLoop(workload, slot)) {
    return `${sayCrashes(slot)}; starts again with orch restart, a new version, or more restart.attempts`;
  }
  return sayBackOff(slot, pass.now_ms);
}

function whyAttempt(slot: SlotRow | null, version: number): string {
  if (slot === null || slot.attempts === 0) return "new";
  if (endedVersion(slot) !== version) return `version ${version}`;
  // An attempt that was stopped, or lost, is no crash. Those before it are told too.
  const crash = lastCrash(slot);
  const before = crash === null || slot.ends.some(({ state }) => state === crash.state) ? "" : `; ${sayCrashes(slot)}`;
  return `attempt ${slot.attempts + 1}, ${howEnded(slot)}${before}`;
}
