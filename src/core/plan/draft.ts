// The working copy of the step that compares what is wanted with what there is. The step fills it and returns it whole.

import type { RunRow, WorkloadRow } from "../model/rows-work";
import { draftAfter, waitOf, type Demand, type Findings, type Pass, type PassDraft } from "../pass/pass";
import type { Blocked, TimedWords } from "../pass/snapshot";

/** The findings of that step: demands and waits, beside stops and changes. */
export interface Reconciled extends Findings {
  /** Slots that shall have an attempt. */
  readonly demands: readonly Demand[];
  /** Slots that wait for something other than room. */
  readonly waits: readonly Blocked[];
}

export interface ReconcileDraft extends PassDraft {
  readonly demands: Demand[];
  readonly waits: Blocked[];
}

export const newDraft = (pass: Pass): ReconcileDraft => ({ ...draftAfter(pass, null), demands: [], waits: [] });

/** Notes that a slot waits for something other than room, and what people can do about it. */
export function waitFor(
  draft: ReconcileDraft,
  owner: WorkloadRow | RunRow,
  slot: number,
  summary: string | TimedWords,
  commands: readonly string[] = [],
  stuck = false,
): void {
  draft.waits.push(waitOf(owner, slot, summary, commands, stuck));
}
