// What follows from an agent's view of a card: whether a task may start on it, and which state is reported of it.

import type { CardState } from "./card";
import { namesOf } from "./card-words";
import type { Device, DeviceState } from "../model/device";
import { SECOND_MS, type Ms } from "../units";

/** A card that is not clean this long after its task's end is reported as `dirty`. */
export const DIRTY_AFTER_MS = 5 * SECOND_MS;

/** Returns why the agent starts nothing on a card now, or null. */
export function blockOf({ missing, quarantine, unfit, gate }: CardState): string | null {
  if (missing !== null) return `is missing: ${missing}`;
  if (quarantine !== null) return `is quarantined: ${quarantine.reason}`;
  if (unfit !== null) return `cannot be used: ${unfit}`;
  if (gate.is === "open") return null;
  const after = gate.after.length === 0 ? "its first use" : `it is used again after ${namesOf(gate.after)}`;
  return `is checked before ${after}${gate.why === null ? "" : `: ${gate.why}`}`;
}

/**
 * Returns the state to report of a card: the worst that holds. A card that is checked is `dirty` only once the check
 * takes longer than it should.
 */
export function stateOf(card: CardState, now_ms: Ms): { state: DeviceState; reason: string | null } {
  const { missing, quarantine, unfit, gate } = card;
  if (missing !== null) return { state: "missing", reason: missing };
  if (quarantine !== null) return { state: "quarantined", reason: quarantine.reason };
  if (unfit !== null) return { state: "quarantined", reason: unfit };
  if (gate.is === "open" || now_ms - gate.since_ms < DIRTY_AFTER_MS) return { state: "ok", reason: null };
  const after = gate.after.length === 0 ? "" : `after ${namesOf(gate.after)}: `;
  return { state: "dirty", reason: `${after}${gate.why ?? "it was not looked at yet"}` };
}

/** Returns when time alone changes the result of `stateOf`, or null for never. */
export const dirtyAt = ({ gate }: CardState): Ms | null =>
  gate.is === "closed" ? gate.since_ms + DIRTY_AFTER_MS : null;

/** Returns a card's facts together with the agent's view of the card. */
export function deviceOf(facts: Device, card: CardState, now_ms: Ms): Device {
  const { foreign_bytes, foreign } = card;
  return { ...facts, ...stateOf(card, now_ms), foreign_bytes, foreign: foreign?.text ?? null };
}
