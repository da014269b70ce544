// When an exclusive task must be ended because its agent has not heard the server: a pure rule of times since boot.

/** It is dead this long before the lease is over at the server. */
export const LEASE_GUARD_MS = 1_000;

export type LeasePhase =
  | { readonly is: "held"; readonly until_ms: number }
  /** Within its grace: asked to stop, and killed at the end. */
  | { readonly is: "ending"; readonly until_ms: number }
  | { readonly is: "over" };

/** Where a lease is now. `heard_ms: null`: the server was never heard, so there is no lease. */
export function leasePhase(heard_ms: number | null, lease_ms: number, grace_ms: number, now_ms: number): LeasePhase {
  if (heard_ms === null) return { is: "over" };
  const kill_ms = heard_ms + lease_ms - LEASE_GUARD_MS;
  const stop_ms = kill_ms - grace_ms;
  if (now_ms < stop_ms) return { is: "held", until_ms: stop_ms };
  return now_ms < kill_ms ? { is: "ending", until_ms: kill_ms } : { is: "over" };
}
