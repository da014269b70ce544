// One card as one look showed it, in the shapes that others want: facts to plan on, a reading to look at, a condition
// to judge its health by.

import type { Condition } from "../../core/agent/card-health";
import type { CardUser } from "../../core/agent/card-users";
import { PLAIN_DEVICE, type Device, type Reading } from "../../core/model/device";
import type { Ms } from "../../core/units";
import type { Card } from "../devices/device";

export interface Shown {
  readonly card: Card;
  readonly users: readonly CardUser[];
  /** When the look began. */
  readonly at_ms: Ms;
}

const MOST_PROCESSES = 64;
/** A reading this old is stale, also while a look that hangs has not been given up yet. */
const STALE_AFTER_MS = 15_000;

/** What a driver or tool has counted, as it may travel; a number that cannot be is not told. */
const whole = (count: number | null): number | null =>
  count === null || !(count >= 0 && count <= Number.MAX_SAFE_INTEGER) ? null : Math.round(count);

/** A card without numbers that cannot be: a server would refuse the whole message, and so the node. */
export const sane = (card: Card): Card => ({
  ...card,
  memory_bytes: whole(card.memory_bytes) ?? 0,
  memory_used_bytes: whole(card.memory_used_bytes),
  ecc_errors: whole(card.ecc_errors),
  processes: card.processes
    .filter(({ pid }) => whole(pid) === pid)
    .map(({ pid, memory_bytes }) => ({ pid, memory_bytes: whole(memory_bytes) })),
});

export function factsOf(card: Card): Device {
  const { id, vendor, model, memory_bytes, index, pci, numa_node, driver, parent, links, compute_mode, ecc } = card;
  const facts = { id, vendor, model, memory_bytes, index, pci, numa_node, driver, parent, links, compute_mode, ecc };
  return { ...PLAIN_DEVICE, ...facts };
}

/** `failing`: looking again did not work. */
export function readingOf({ card, users, at_ms }: Shown, now_ms: Ms, failing: boolean): Reading {
  const { id, memory_used_bytes, utilization_percent, temperature_celsius, power_watts, clock_mhz } = card;
  const age_ms = Math.max(0, Math.round(now_ms - at_ms));
  return {
    id,
    age_ms,
    stale: failing || age_ms > STALE_AFTER_MS,
    memory_used_bytes,
    utilization_percent,
    temperature_celsius,
    power_watts,
    clock_mhz,
    throttled: card.throttled,
    ecc_errors: card.ecc_errors,
    processes: users
      .slice(0, MOST_PROCESSES)
      .map(({ pid, user, command, memory_bytes, task_uid }) => ({ pid, user, command, memory_bytes, task_uid })),
  };
}

export function conditionOf({ trouble, throttled, warnings, ecc_errors, clock_mhz, ...card }: Card): Condition {
  return {
    trouble: trouble?.is ?? null,
    throttled,
    warnings,
    ecc_errors,
    clock_mhz,
    utilization_percent: card.utilization_percent,
  };
}
