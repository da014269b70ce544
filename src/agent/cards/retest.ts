// The way out of quarantine: every card is judged by a look that was ordered, and comes back into use when it answers,
// is clean and has nothing against it. Cards that are gone are forgotten.

import { lifted, rebased } from "../../core/agent/card";
import type { Vendor } from "../../core/model/device";
import type { Ms } from "../../core/units";
import type { CardBook } from "./book";
import type { KnownCard } from "./kept";
import type { Shown } from "./shown";

export interface Retest {
  /** The card. */
  readonly id: string;
  readonly model: string;
  /** `forgotten`: it is gone, and is not waited for any more. */
  readonly is: "passed" | "failed" | "forgotten";
  readonly detail: string;
}

/** What the ordered look has shown of a card, and what the doctor has against it. */
export interface Checkup {
  readonly failing: string | null;
  readonly shown: Shown | null;
  readonly objections: readonly string[];
}

/** Judges all cards, and changes the book accordingly. `from_ms` is when the test was ordered. */
export function retested(
  book: CardBook,
  from_ms: Ms,
  checkup: (id: string, vendor: Vendor) => Checkup,
): readonly Retest[] {
  return book.all().map((known) => {
    const { id, vendor, model } = known.facts;
    const checked = checkup(id, vendor);
    if (known.card.missing !== null && checked.failing === null) {
      book.drop(id);
      return { id, model, is: "forgotten", detail: `it is gone: ${known.card.missing}` };
    }
    const why = objectionOf(book, known, checked, from_ms);
    if (why !== null) return { id, model, is: "failed", detail: why };
    const before = book.get(id)?.card ?? known.card;
    book.put(id, lifted(before));
    const was = before.quarantine === null ? "" : `, and is out of quarantine (${before.quarantine.reason})`;
    return { id, model, is: "passed", detail: `it answers and is clean${was}` };
  });
}

function objectionOf(
  book: CardBook,
  known: KnownCard,
  { failing, shown, objections }: Checkup,
  from_ms: Ms,
): string | null {
  const { id } = known.facts;
  if (failing !== null) return `it cannot be looked at: ${failing}`;
  if (shown === null) return "it was not seen";
  const { card, users } = shown;
  const sight = { n: 0, at_ms: shown.at_ms, used_bytes: card.memory_used_bytes, users };
  book.put(id, rebased(known.card, sight, known.holders));
  const now = book.get(id)?.card ?? known.card;
  if (now.unfit !== null) return now.unfit;
  if (objections.length > 0) return objections.join("; ");
  if (now.quarantine !== null && now.quarantine.since_ms >= from_ms) return now.quarantine.reason;
  return now.gate.is === "closed" ? (now.gate.why ?? "it was not looked at yet") : null;
}
