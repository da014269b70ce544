// Converts one card of one look into the forms that others need: facts for the plan, a reading for people, a condition
// for the judgement of its health.

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
/** A reading of this age is stale, even while the look that hangs has not reached its limit. */
const STALE_AFTER_MS = 15_000;

/** Returns a count of a driver or tool, or null for a number that no message can carry. */
const whole = (count: number | null): number | null =>
  count === null || !(count >= 0 && count <= Number.MAX_SAFE_INTEGER) ? null : Math.round(count);

/** Returns a card without impossible numbers. With one, a server would refuse the whole message, and so the node. */
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

/** `failing` says that the last look failed. */
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
