// The way out of quarantine: every card is judged by an ordered look, and comes back into use when it answers, is clean
// and has no finding against it. Cards that are gone are forgotten.

import { lifted, rebased } from "../../core/agent/card";
import type { Vendor } from "../../core/model/device";
import type { Ms } from "../../core/units";
import type { CardStates } from "./card-states";
import type { KnownCard } from "./kept";
import type { Shown } from "./shown";

export interface Retest {
  /** The card's id. */
  readonly id: string;
  readonly model: string;
  /** `forgotten` says that the card is gone, and is not waited for any more. */
  readonly is: "passed" | "failed" | "forgotten";
  readonly detail: string;
}

/** The result of the ordered look at a card, and the objections to its health. */
export interface Checkup {
  readonly failing: string | null;
  readonly shown: Shown | null;
  readonly objections: readonly string[];
}

/** Judges all cards and changes their states. `from_ms` is when the test was ordered. */
export function retested(
  states: CardStates,
  from_ms: Ms,
  checkup: (id: string, vendor: Vendor) => Checkup,
): readonly Retest[] {
  return states.all().map((known) => {
    const { id, vendor, model } = known.facts;
    const checked = checkup(id, vendor);
    if (known.card.missing !== null && checked.failing === null) {
      states.drop(id);
      return { id, model, is: "forgotten", detail: `it is gone: ${known.card.missing}` };
    }
    const why = objectionOf(states, known, checked, from_ms);
    if (why !== null) return { id, model, is: "failed", detail: why };
    const before = states.get(id)?.card ?? known.card;
    states.put(id, lifted(before));
    const was = before.quarantine === null ? "" : `, and is out of quarantine (${before.quarantine.reason})`;
    return { id, model, is: "passed", detail: `it answers and is clean${was}` };
  });
}

function objectionOf(
  states: CardStates,
  known: KnownCard,
  { failing, shown, objections }: Checkup,
  from_ms: Ms,
): string | null {
  const { id } = known.facts;
  if (failing !== null) return `it cannot be looked at: ${failing}`;
  if (shown === null) return "it was not seen";
  const { card, users } = shown;
  const sight = { n: 0, at_ms: shown.at_ms, used_bytes: card.memory_used_bytes, users };
  states.put(id, rebased(known.card, sight, known.holders));
  const now = states.get(id)?.card ?? known.card;
  if (now.unfit !== null) return now.unfit;
  if (objections.length > 0) return objections.join("; ");
  if (now.quarantine !== null && now.quarantine.since_ms >= from_ms) return now.quarantine.reason;
  return now.gate.is === "closed" ? (now.gate.why ?? "it was not looked at yet") : null;
}
