// A person's word on a run whose end nobody knows: it is tried again, or it counts as succeeded or failed.

import type { State } from "../../core/model/rows-state";
import type { RunRow, Settled, TaskEnd } from "../../core/model/rows-work";
import { slotKey } from "../../core/model/task";
import { askedEnds, settledAs } from "../../core/model/unknown";
import { aboutRun } from "../../core/plan/events";
import type { Draft } from "../../store/store";
import { RefusedError } from "../refused";

/** Returns the ends about which a run asks a person. */
export const askedOf = (state: State, run: RunRow): readonly TaskEnd[] =>
  askedEnds(run, state.slots.get(slotKey(run.uid, 0)), state.tasks.values());

/** Writes down what a person has said about a run. The next pass of the plan follows from it. */
export function settleRun(draft: Draft, run: RunRow, as: Settled["as"], by: string): void {
  const slot = draft.state.slots.get(slotKey(run.uid, 0));
  const settled = settledAs(slot ?? null);
  if (settled !== null) {
    const said = settled.as === "again" ? "to run it again" : `that it ${settled.as}`;
    throw new RefusedError("conflict", `${settled.by} has said ${said} already`, `orch show ${run.run}`);
  }
  if (slot === undefined || askedOf(draft.state, run).length === 0) {
    throw new RefusedError(
      "conflict",
      `run ${run.run} asks nothing: it is ${run.state}${run.reason === null ? "" : `, ${run.reason}`}`,
      as === "again"
        ? `orch cancel ${run.run} ends it first; orch retry ${run.run} makes another run then`
        : "orch cancel ends a run",
    );
  }
  const ends = slot.ends.map((end) => ({ ...end, settled: { as, by } }));
  draft.put([{ table: "slots", key: slot.key, row: { ...slot, ends, not_before_ms: 0 } }]);
  draft.event({
    verb: as === "again" ? "retried" : "settled",
    ...aboutRun(run),
    detail: as === "again" ? "" : `as ${as}`,
  });
}
