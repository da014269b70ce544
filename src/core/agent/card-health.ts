// What is wrong with a card as far as looking at it shows: conditions that hold now, and conditions that have lasted so
// long that they are findings.

import { MINUTE_MS, type Ms } from "../units";

/** How long a condition must last before it is a finding. A condition that is not listed is a finding at once. */
const LASTS_MS: Readonly<Record<string, Ms>> = {
  "throttle thermal": 5 * MINUTE_MS,
  "throttle power": 5 * MINUTE_MS,
  "clock low": 5 * MINUTE_MS,
};

/** Why a card cannot be used at all, as its library reports it. */
export type TroubleKind = "bus_lost" | "needs_reset" | "other";

/** What one look reads of a card's health. */
export interface Condition {
  readonly trouble: TroubleKind | null;
  readonly throttled: string | null;
  readonly warnings: readonly string[];
  readonly ecc_errors: number | null;
  readonly clock_mhz: number | null;
  readonly utilization_percent: number | null;
}

export interface CardHealth {
  /** The conditions that hold, by the key of their finding. */
  readonly holds: Readonly<Record<string, { readonly since_ms: Ms; readonly found: boolean }>>;
  readonly ecc_errors: number | null;
  readonly fastest_mhz: number;
}

export const HEALTHY: CardHealth = { holds: {}, ecc_errors: null, fastest_mhz: 0 };

const BUSY_PERCENT = 80;
/** A busy card whose clock is below this part of the fastest clock that it has shown has a low clock. */
const SLOW_PART = 0.5;
const WARNINGS: Readonly<Record<string, string>> = {
  remap_pending: "ecc remap_pending",
  remap_failed: "ecc remap_failed",
  ecc_pending: "ecc pending",
};

function keysOf(now: Condition, before: CardHealth, fastest_mhz: number): string[] {
  const { trouble, throttled, warnings, clock_mhz, utilization_percent } = now;
  const keys = warnings.flatMap((warning) => WARNINGS[warning] ?? []);
  if (trouble === "bus_lost") keys.push("bus lost");
  if (trouble === "needs_reset") keys.push("bus reset");
  if (throttled !== null) keys.push(`throttle ${throttled}`);
  const isBusy = (utilization_percent ?? 0) >= BUSY_PERCENT;
  if (isBusy && throttled === null && clock_mhz !== null && clock_mhz < fastest_mhz * SLOW_PART) keys.push("clock low");
  return keys;
}

export interface Examined {
  readonly health: CardHealth;
  /** The keys of the findings that are new with this look. */
  readonly found: readonly string[];
}

/** Returns a card's health after one more look, and the findings that are new. */
export function examined(before: CardHealth, now: Condition, now_ms: Ms): Examined {
  const fastest_mhz = Math.max(before.fastest_mhz, now.clock_mhz ?? 0);
  // Each growth of the error count is a finding of its own. It is not a condition that holds.
  const grown = before.ecc_errors !== null && (now.ecc_errors ?? 0) > before.ecc_errors;
  const found = grown ? ["ecc uncorrected"] : [];
  const holds = keysOf(now, before, fastest_mhz).map((key) => {
    const known = before.holds[key] ?? { since_ms: now_ms, found: false };
    if (known.found || now_ms - known.since_ms < (LASTS_MS[key] ?? 0)) return [key, known] as const;
    found.push(key);
    return [key, { ...known, found: true }] as const;
  });
  const ecc_errors = now.ecc_errors ?? before.ecc_errors;
  return { health: { holds: Object.fromEntries(holds), ecc_errors, fastest_mhz }, found };
}
