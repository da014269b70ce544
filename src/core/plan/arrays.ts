// Arrays: from the states of their elements to the next batches, the next round, or the run's own end.

import { countOf, numberAt, overIn, sayElementEnd, type ArrayRun, type ElementEnd } from "../model/array";
import { causeIn, endIn, kindsIn, PAGE_ELEMENTS, pageKey, statesIn } from "../model/pages";
import type { EndCause } from "../model/end";
import type { RunRow } from "../model/rows-work";
import type { TaskRow } from "../model/rows-task";
import type { StopSettings, TaskSpec } from "../model/workload";
import { draftOf, leftToHandOut, noteEnd, pagesOf, placesLeft, tryAgain, withoutEnd } from "../pass/elements";
import { isDrainDue, drainDueAt, runOf, setRun, slotOf, stopTask, tasksOf, wakeAt, type Pass } from "../pass/pass";
import { sayBackOff } from "../pass/crashes";
import { repelledBy } from "../place/labels";
import { waitFor, type ReconcileDraft } from "./draft";
import { demand, finish, giveUpAfter, noteAttempt, stopGivenUp, whyCancelled } from "./jobs";
import { whyFailed, NO_CODE } from "./outcome";
import { isGone } from "./replicas";

/** Brings an array a step on. */
export function reconcileArray(draft: ReconcileDraft, row: RunRow, array: ArrayRun): void {
  const { pass } = draft;
  const spec = pass.snapshot.spec(row.spec_hash);
  const slot = slotOf(pass, row.uid, 0);
  const tasks = tasksOf(pass, row.uid);
  const cancelled = whyCancelled(pass, row);
  const open = tasks.filter((task) => task.written_off === null);
  if (cancelled !== null) {
    for (const task of tasks) stopTask(draft, task, row.settings.stop, cancelled);
    if (open.length > 0) return noteAttempt(draft, row, open);
    return finish(draft, row, "cancelled", { ...NO_CODE, reason: row.reason ?? cancelled }, slot);
  }
  // Its elements count as lost, so what runs of it runs for nobody.
  stopGivenUp(draft, row);
  const there = giveUpGone(draft, row, array, spec, open);
  const run = runOf(pass, draft, row.uid) ?? row;
  const now = run.array ?? array;
  const refused = slot === null ? null : whyFailed(pass.limits, run, slot, null);
  if (refused !== null && there.length === 0) return finish(draft, run, "failed", refused, slot);
  if (there.length > 0) noteBatches(draft, run, there);
  if (refused !== null) return;
  if (leftToHandOut(now) === 0) {
    if (there.length === 0) nextRound(draft, run, now);
    return;
  }
  const held = slot === null ? null : sayBackOff(slot, pass.now_ms);
  if (slot !== null && held !== null) {
    wakeAt(draft, slot.not_before_ms);
    waitFor(draft, run, 0, held);
  } else if (placesLeft(now, there) > 0) demand(draft, run, spec, slot, [], sayProgress(now));
}

const sayProgress = (array: ArrayRun): string => {
  const done = overIn(array);
  const round = array.round === 1 ? "" : `, attempt ${array.round}`;
  return done === 0 && round === ""
    ? `new, ${countOf(array)} elements`
    : `${done} of ${countOf(array)} elements are over${round}`;
};

/**
 * Gives up the batches of nodes that are silent for too long. Any of their elements may have begun, so all that are not
 * heard of count as lost. Returns the others.
 */
function giveUpGone(
  draft: ReconcileDraft,
  run: RunRow,
  array: ArrayRun,
  spec: TaskSpec,
  open: readonly TaskRow[],
): readonly TaskRow[] {
  const { pass } = draft;
  const policy = { give_up_after_ms: giveUpAfter(pass, run, spec) };
  const gone = open.filter((task) => isGone(pass, policy, task));
  if (gone.length === 0) return open;
  const noted = draftOf(pass.state, run.uid, array);
  const again = tryAgain(run, pass.limits);
  for (const task of gone) {
    const { batch } = task;
    if (batch === null) continue;
    for (const index of withoutEnd(noted, batch)) noteEnd(noted, batch.round, [index, "lost", 0], again);
    draft.ops.push({ op: "write_off", task, why: "its node is silent" });
  }
  draft.ops.push({ op: "elements", pages: pagesOf(noted), why: "their node is silent" });
  setRun(draft, { ...run, array: noted.array }, "elements are lost with their node");
  return open.filter((task) => !gone.includes(task));
}

/** Stops the batches that have to leave their nodes, and notes in the run what it waits for. */
function noteBatches(draft: ReconcileDraft, run: RunRow, open: readonly TaskRow[]): void {
  const { pass } = draft;
  for (const task of open) {
    wakeAt(draft, drainDueAt(pass, task, run.settings.stop));
    const why = whyLeaves(pass, task, run.settings.stop);
    if (why !== null) stopTask(draft, task, run.settings.stop, why);
  }
  noteAttempt(draft, run, open);
}

function whyLeaves(pass: Pass, task: TaskRow, settings: StopSettings): string | null {
  if (isDrainDue(pass, task, settings)) return "drained: the node's deadline has come";
  const node = pass.nodes.get(task.node_id)?.node;
  return node === undefined || node.taints.length === 0 ? null : repelledBy(pass.snapshot.spec(task.spec_hash), node);
}

/** Begins the next round, if elements are to be tried again, or else ends the array. */
function nextRound(draft: ReconcileDraft, run: RunRow, array: ArrayRun): void {
  const { pass } = draft;
  const slot = slotOf(pass, run.uid, 0);
  if (array.again > 0) {
    const next = { ...array, round: array.round + 1, next: 0, due: array.again, back: [] };
    setRun(draft, { ...run, array: next }, `${array.again} elements are tried again`);
  } else if (array.succeeded === countOf(array)) {
    finish(draft, run, "succeeded", { ...NO_CODE, reason: null, exit_code: 0 }, slot);
  } else {
    finish(draft, run, "failed", { ...NO_CODE, ...resultOf(pass, run, array) }, slot);
  }
}

/** How many failed elements the reason of a run names. */
const NAMED = 5;

/** Returns how an array is said to have failed: with the end of its first failed element, and some by their numbers. */
function resultOf(
  pass: Pass,
  { uid }: RunRow,
  array: ArrayRun,
): Pick<RunRow, "reason" | "exit_code" | "signal" | "cause"> {
  const failed: { readonly number: number; readonly end: ElementEnd; readonly cause: EndCause | null }[] = [];
  const pages = Math.ceil(countOf(array) / PAGE_ELEMENTS);
  for (let page = 0; page < pages && failed.length < NAMED; page++) {
    const row = pass.state.elements.get(pageKey(uid, page));
    if (row === undefined) continue;
    for (const [at, state] of statesIn(row).entries()) {
      const end = endIn(state);
      if (end === null || end === 0 || failed.length >= NAMED) continue;
      failed.push({ number: numberAt(array, page * PAGE_ELEMENTS + at), end, cause: causeIn(state) });
    }
  }
  const wrong = countOf(array) - array.succeeded;
  const more = wrong > failed.length ? " …" : "";
  const [how = "", ...others] = waysIn(pass, uid, pages);
  const said =
    wrong > 1 && others.length === 0
      ? `, each: ${how} (${failed.map(({ number }) => number).join(", ")}${more})`
      : `: ${failed.map(({ number, end, cause: why }) => `${number} (${sayElementEnd(end, why)})`).join(", ")}${more}`;
  const { end: first = null, cause = null } = failed[0] ?? {};
  return {
    reason: `${wrong} of ${countOf(array)} elements did not succeed${said}`,
    cause: array.failed + array.stopped === 0 ? "result_unknown" : cause,
    exit_code: typeof first === "number" ? first : null,
    signal: typeof first === "string" && first === first.toUpperCase() ? first : null,
  };
}

/** Returns in words in which ways elements have ended that have not succeeded, each way once. */
function waysIn({ state }: Pass, uid: string, pages: number): string[] {
  const ways = new Set<string>();
  for (let page = 0; page < pages; page++)
    for (const one of kindsIn(state.elements.get(pageKey(uid, page)))) {
      const end = endIn(one);
      if (end !== null && end !== 0) ways.add(sayElementEnd(end, causeIn(one)));
    }
  return [...ways];
}
