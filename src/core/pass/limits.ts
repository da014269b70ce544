// The limits that the plan obeys unless the server's settings say otherwise.

import type { PlanLimits } from "./snapshot";
import { SECOND_MS, MINUTE_MS } from "../units";

/** The limits of a server without settings. */
export const DEFAULT_LIMITS: PlanLimits = {
  unreachable_after_ms: 15 * SECOND_MS,
  lost_after_ms: 5 * MINUTE_MS,
  replace_after_ms: 30 * SECOND_MS,
  requeue_after_ms: 5 * MINUTE_MS,
  lease_ms: 60 * SECOND_MS,
  lease_margin_ms: 15 * SECOND_MS,
  settle_ms: 2 * SECOND_MS,
  prepare_deadline_ms: 60 * SECOND_MS,
  test_deadline_ms: 10 * MINUTE_MS,
  port_rest_ms: 60 * SECOND_MS,
  avoid_ms: 10 * SECOND_MS,
  reject_limit: 5,
  loss_limit: 3,
  grant_attempts: 5,
  stable_ms: 60 * SECOND_MS,
  mass_silence_share: 1 / 3,
  node_checks: 2_000_000,
  placements: 1_000,
  port_range: [20_000, 31_999],
  patience_ms: 10 * MINUTE_MS,
};
