// Decides when an exclusive task must end because its agent has not heard the server. The rule depends only on times
// since boot.

/** The task is killed this long before its lease is over at the server. */
export const LEASE_GUARD_MS = 1_000;

export type LeasePhase =
  | { readonly is: "held"; readonly until_ms: number }
  /** The task is in its stop grace: it was asked to stop, and is killed at the end of it. */
  | { readonly is: "ending"; readonly until_ms: number }
  | { readonly is: "over" };

/** Returns the phase of a lease. Without a `heard_ms` the server was never heard, so the lease is over. */
export function leasePhase(heard_ms: number | null, lease_ms: number, grace_ms: number, now_ms: number): LeasePhase {
  if (heard_ms === null) return { is: "over" };
  const kill_ms = heard_ms + lease_ms - LEASE_GUARD_MS;
  const stop_ms = kill_ms - grace_ms;
  if (now_ms < stop_ms) return { is: "held", until_ms: stop_ms };
  return now_ms < kill_ms ? { is: "ending", until_ms: kill_ms } : { is: "over" };
}
