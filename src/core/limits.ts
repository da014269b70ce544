// Every bound of the house in one place: what a plan may cost, what comes in may weigh, how long anything is waited
// for.

import type { PlanLimits } from "./snapshot";
import { HOUR_MS, MIB, MINUTE_MS, SECOND_MS } from "./units";

/** What the plan obeys unless the server's settings say otherwise. */
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
  avoid_ms: 60 * SECOND_MS,
  reject_limit: 5,
  loss_limit: 3,
  grant_attempts: 5,
  stable_ms: 60 * SECOND_MS,
  mass_silence_share: 1 / 3,
  node_checks: 2_000_000,
  placements: 1_000,
  port_range: [20_000, 31_999],
};

/** Bounds of what comes in from outside and of what is kept; held before anything is parsed or stored. */
export const HOUSE_LIMITS = {
  body_bytes: MIB,
  spec_bytes: 256 * 1024,
  spec_depth: 64,
  name_chars: 40,
  text_chars: 4_096,
  url_chars: 8_192,
  env_names: 1_000,
  env_bytes: 128 * 1024,
  label_count: 64,
  devices_per_node: 256,
  /** One message of an agent, and one commit. */
  message_bytes: 4 * MIB,
  commit_bytes: 512 * 1024,
  connections: 10_000,
  watchers: 1_000,
  /** Changes kept for watchers that come back; whoever is further behind reads everything afresh. */
  watch_backlog: 10_000,
  list_page: 1_000,
  idempotency_ms: 24 * HOUR_MS,
  /** Each stream of a task, unless its spec says otherwise. */
  log_bytes: 64 * MIB,
  log_tail_bytes: 4 * 1024,
} as const;
