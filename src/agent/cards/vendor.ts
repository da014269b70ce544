// The cards of one vendor under watch: what the newest look showed, and when the next one is due.

import type { Strikes } from "../../core/agent/share";
import type { Ms } from "../../core/units";
import type { Card } from "../devices/device";
import type { CardStates } from "./card-states";
import type { VendorLooks } from "./looks";
import type { ProcessOwners } from "./owners";
import type { Shown } from "./shown";

const LOOK_EVERY_MS = { idle: 5_000, busy: 1_000 } as const;

/**
 * The waits between looks at a card that is being cleaned. The first ones are short, since most killed processes end
 * quickly.
 */
const PATIENCE_MS = [50, 100, 200, 400];

export interface WatchedVendor {
  readonly looks: VendorLooks;
  readonly owners: ProcessOwners;
  /** Why the last look failed, or null. */
  failing: string | null;
  shown: ReadonlyMap<string, Shown>;
  /** Cards that this agent must not give away. */
  others: readonly Card[];
  /** Whether the driver numbers its cards as orch does. False if a card is lost or in trouble. */
  counted: boolean;
  looked: boolean;
  /** By card, the tasks that used more than their share at the last looks. */
  readonly strikes: Map<string, Strikes>;
  /** The number of consecutive looks that found a card of this vendor unclean. */
  unclean: number;
}

/** Returns a vendor that was not looked at yet. */
export const watchedVendor = (looks: VendorLooks, owners: ProcessOwners): WatchedVendor => ({
  looks,
  owners,
  failing: null,
  shown: new Map(),
  others: [],
  counted: true,
  looked: false,
  strikes: new Map(),
  unclean: 0,
});

/**
 * Returns how long to wait for the next look: shortest while a card is being cleaned, short while cards are shared,
 * since shares are checked at each look. `unclean` counts the looks in a row that found a card unclean.
 */
export function lookDelay(all: ReturnType<CardStates["of"]>, unclean: number): Ms {
  const cards = all.filter(({ card }) => card.missing === null);
  if (cards.some(({ card }) => card.gate.is === "closed")) return PATIENCE_MS[unclean] ?? LOOK_EVERY_MS.busy;
  const shared = cards.some(({ holders }) => holders.some(({ bytes }) => bytes !== null));
  return shared ? LOOK_EVERY_MS.busy : LOOK_EVERY_MS.idle;
}
