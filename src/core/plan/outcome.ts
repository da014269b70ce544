// How a run ends by the ends of its newest attempt, or that another attempt is due.

import type { RunRow, SlotRow, TaskEnd } from "../model/rows-work";
import { askedEnds, settledAs, unknownEnds } from "../model/unknown";
import type { PlanLimits } from "../pass/snapshot";

/** The bounds of a run that are the server's, not its own. */
export type RunBounds = Pick<PlanLimits, "reject_limit" | "loss_limit">;

export type Result = Pick<RunRow, "reason" | "exit_code" | "signal" | "cause">;

export const NO_CODE = { exit_code: null, signal: null, cause: null } as const;

/**
 * Returns whether a run that has begun and has no task gets another attempt: the ends of its newest one decide nothing,
 * and ask nobody.
 */
export function goesOn(run: RunRow, slot: SlotRow | undefined, members: number, bounds: RunBounds): boolean {
  if (run.state !== "running" || run.cancel !== null || slot === undefined) return false;
  if (hasSucceeded(slot, members) || declaredSuccess(slot) !== null) return false;
  return askedEnds(run, slot, []).length === 0 && whyFailed(bounds, run, slot, null) === null;
}

export const hasSucceeded = (slot: SlotRow | null, members: number): boolean =>
  slot !== null && slot.ends.length === members && slot.ends.every((end) => end.state === "succeeded");

/** Returns what is to be known of a run all the same whose tasks have succeeded, or null. */
export const noteOf = (slot: SlotRow | null): string | null =>
  slot?.ends.find(({ reason }) => reason !== null)?.reason ?? null;

/** Returns the result of a run that a person has declared a success, or null. */
export function declaredSuccess(slot: SlotRow | null): Result | null {
  const settled = settledAs(slot);
  if (settled?.as !== "succeeded") return null;
  return { ...NO_CODE, cause: "result_unknown", reason: `${settled.by} has said that it succeeded` };
}

/**
 * Returns how the run fails when its bounds are used up, or null if another attempt is due. `silence` is why its newest
 * attempt is to be written off, which is a loss like any other.
 */
export function whyFailed(
  { reject_limit, loss_limit }: RunBounds,
  run: Pick<RunRow, "settings">,
  slot: SlotRow,
  silence: string | null,
): Result | null {
  const inTime = [...slot.ends].sort((a, b) => a.at_ms - b.at_ms || a.member - b.member);
  const settled = settledAs(slot);
  const [unknown] = unknownEnds(slot);
  if (settled?.as === "failed") {
    return { ...NO_CODE, cause: "result_unknown", reason: `${settled.by} has said that it failed` };
  }
  if (unknown !== undefined && run.settings.on_unknown_end === "fail") {
    return { ...NO_CODE, cause: "result_unknown", reason: `nobody knows how it ended: ${sayEnd(unknown)}` };
  }
  if (slot.failed > run.settings.retries) {
    const end = inTime.find((each) => each.state === "failed");
    const member = slot.ends.length > 1 && end !== undefined ? `member ${end.member}: ` : "";
    const reason =
      end === undefined ? `failed ${slot.failed} times` : member === "" ? end.reason : `${member}${sayEnd(end)}`;
    return {
      reason,
      exit_code: end?.exit_code ?? null,
      signal: end?.signal ?? null,
      cause: end?.cause ?? null,
    };
  }
  const last = inTime.find((end) => end.state === "rejected" || isLoss(end));
  const detail = last === undefined || last.reason === null ? "" : `, last: ${last.reason}`;
  if (slot.rejected >= reject_limit) {
    return { ...NO_CODE, reason: `rejected by nodes ${slot.rejected} times${detail}`, cause: last?.cause ?? null };
  }
  const losses = silence === null ? slot.lost : slot.lost + 1;
  if (losses >= loss_limit) {
    const last_loss = silence === null ? detail : `, last: ${silence}`;
    const cause = silence === null ? (last?.cause ?? null) : null;
    return { ...NO_CODE, reason: `lost ${losses} times${last_loss}`, cause };
  }
  return null;
}

/** Returns whether an end counts against the bound of losses. */
const isLoss = ({ state }: TaskEnd): boolean => state === "lost" || state === "unknown";

export const sayEnd = (end: TaskEnd): string =>
  end.reason ??
  (end.signal !== null ? `signal ${end.signal}` : end.exit_code !== null ? `exit code ${end.exit_code}` : end.state);
