// Bounds that hold for the whole house, whatever the settings say: what comes in may weigh, what is kept and granted.

import { HOUR_MS, MIB, SECOND_MS, type Ms } from "./units";

/** Bounds of what comes in from outside and of what is kept; held before anything is parsed or stored. */
export const HOUSE_LIMITS = {
  body_bytes: MIB,
  spec_bytes: 256 * 1024,
  spec_depth: 64,
  /** A name, a reason or a path in a message of an agent. */
  text_chars: 4_096,
  url_chars: 8_192,
  env_names: 1_000,
  env_bytes: 128 * 1024,
  label_count: 64,
  /** One message of an agent. */
  message_bytes: 4 * MIB,
  /** One batch of transactions. */
  commit_bytes: 512 * 1024,
  connections: 10_000,
  watchers: 1_000,
  /** Revisions kept for watchers that come back; whoever is further behind reads everything afresh. */
  watch_backlog: 4_096,
  list_page: 1_000,
  idempotency_ms: 24 * HOUR_MS,
  /** Each stream of a task. */
  log_bytes: 64 * MIB,
  /** What the report of a task's end carries of each stream. */
  log_tail_bytes: 4 * 1024,
  /** Further attempts that an agent may be granted; whom a stop reaches is looked for so far. */
  grant_attempts: 64,
} as const;

/**
 * The times of a lease on a node. Two enforcers obey them, the keeper and its guard, each by itself; so a hang of one
 * delays no kill.
 */
export const LEASE_TIMES = {
  /** A task is killed this long before its lease is over. */
  early_ms: SECOND_MS,
  /** How often an enforcer looks. */
  look_ms: 200,
  /** The longest time that a loaded machine may keep an enforcer from looking. */
  stalled_ms: 2 * SECOND_MS,
  /** The longest time from a kill until nothing of a task executes any more. */
  dying_ms: 2 * SECOND_MS,
  /** A guard that is silent for so long is replaced. */
  hung_ms: 3 * SECOND_MS,
  /** Two clocks that are being corrected differ by no more than this share: each runs up to 500 ppm fast or slow. */
  drift_share: 1 / 1_000,
} as const;

/**
 * Returns how long after the end of a lease its task may still run, counted on the server's clock. The server waits at
 * least so much longer than the lease.
 */
export const leaseLate = (lease_ms: Ms): Ms => {
  const { look_ms, stalled_ms, dying_ms, early_ms, drift_share } = LEASE_TIMES;
  return look_ms + stalled_ms + dying_ms - early_ms + Math.ceil(lease_ms * drift_share);
};
