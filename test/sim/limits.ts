// The limits with which simulated servers plan.

import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import type { PlanLimits } from "../../src/core/pass/snapshot";
import { HOUSE_LIMITS } from "../../src/core/limits";
import { SECOND_MS } from "../../src/core/units";
import type { Random } from "./random";

/** Shorter than the defaults where a world would otherwise have to last for hours. */
export const SIM_LIMITS: PlanLimits = {
  ...DEFAULT_LIMITS,
  lost_after_ms: 120 * SECOND_MS,
  requeue_after_ms: 60 * SECOND_MS,
  lease_ms: 45 * SECOND_MS,
  prepare_deadline_ms: 30 * SECOND_MS,
  test_deadline_ms: 60 * SECOND_MS,
  port_rest_ms: 20 * SECOND_MS,
  avoid_ms: 2 * SECOND_MS,
  stable_ms: 30 * SECOND_MS,
  patience_ms: 20 * SECOND_MS,
};

/** In some worlds each order is a message of its own, or few are one. Then a revision is told in parts. */
export const drawOrdersBytes = (random: Random): number => random.pick([HOUSE_LIMITS.orders_bytes, 1, 4_096]);
