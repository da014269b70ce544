// Every bound of the house in one place: what a plan may cost, what comes in may weigh, how long anything is waited
// for.

import { HOUR_MS, MIB } from "./units";

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
