// What follows from what is believed of a card: whether a task may start on it, and the state that is told of it.

import type { CardState } from "./card";
import { namesOf } from "./card-words";
import type { Device, DeviceState } from "../model/device";
import { SECOND_MS, type Ms } from "../units";

/** A card that is not clean this long after its task's end is shown as `dirty`. */
export const DIRTY_AFTER_MS = 5 * SECOND_MS;

/** Why the agent starts nothing on the card now; `null`: it may. */
export function blockOf({ missing, quarantine, unfit, gate }: CardState): string | null {
  if (missing !== null) return `is missing: ${missing}`;
  if (quarantine !== null) return `is quarantined: ${quarantine.reason}`;
  if (unfit !== null) return `cannot be used: ${unfit}`;
  if (gate.is === "open") return null;
  const after = gate.after.length === 0 ? "its first use" : `it is used again after ${namesOf(gate.after)}`;
  return `is checked before ${after}${gate.why === null ? "" : `: ${gate.why}`}`;
}

/** What is told of a card's state: the worst that holds. A check that takes no longer than it should is no news. */
export function stateOf(card: CardState, now_ms: Ms): { state: DeviceState; reason: string | null } {
  const { missing, quarantine, unfit, gate } = card;
  if (missing !== null) return { state: "missing", reason: missing };
  if (quarantine !== null) return { state: "quarantined", reason: quarantine.reason };
  if (unfit !== null) return { state: "quarantined", reason: unfit };
  if (gate.is === "open" || now_ms - gate.since_ms < DIRTY_AFTER_MS) return { state: "ok", reason: null };
  const after = gate.after.length === 0 ? "" : `after ${namesOf(gate.after)}: `;
  return { state: "dirty", reason: `${after}${gate.why ?? "it was not looked at yet"}` };
}

/** When time alone changes what `stateOf` says; `null`: never. */
export const dirtyAt = ({ gate }: CardState): Ms | null =>
  gate.is === "closed" ? gate.since_ms + DIRTY_AFTER_MS : null;

/** A card's facts with what is believed of it. */
export function deviceOf(facts: Device, card: CardState, now_ms: Ms): Device {
  const { foreign_bytes, foreign } = card;
  return { ...facts, ...stateOf(card, now_ms), foreign_bytes, foreign: foreign?.text ?? null };
}
