// Decides when an exclusive task must end because its agent has not heard the server. The rule depends only on times
// since boot. Keeper and guard both obey it, each by itself, so that one of them may hang.

import { LEASE_TIMES } from "../../core/limits";

/** The task is killed this long before its lease is over at the server. */
export const LEASE_GUARD_MS = LEASE_TIMES.early_ms;

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

/** A task with a lease, as far as the rule needs to know it. */
export interface Leased {
  readonly uid: string;
  readonly lease_ms: number;
  readonly grace_ms: number;
}

/**
 * What an enforcer does. `ask` sends the stop signal. `kill` ends everything of the task, and is repeated at each look.
 * `say` puts the end into words.
 */
export type LeaseAct = { readonly do: "ask" | "kill" | "say"; readonly uid: string };

export interface LeaseView {
  readonly leased: Iterable<Leased>;
  /** When the newest answered heartbeat was sent; null before the first. */
  readonly heard_ms: number | null;
  /** Until when the end of a task counts as one by its lease, for those that were asked to stop or killed. */
  readonly asked: ReadonlyMap<string, number>;
  /** The tasks of whose end it was said. */
  readonly said: ReadonlySet<string>;
}

/**
 * Returns until when the end of a task counts as one by its lease, after an act of now. An ask counts for the grace
 * that it gives: a task that outlives it, since the server was heard again in time, is as one that was never asked.
 */
export const blamedUntil = (act: "ask" | "kill", grace_ms: number, now_ms: number): number =>
  act === "kill" ? Number.POSITIVE_INFINITY : now_ms + grace_ms;

/**
 * Returns what to do now. All signals come before any word, and the kill too: the words may wait for a disk that hangs,
 * and no signal must wait for them.
 */
export function leaseActs({ leased, heard_ms, asked, said }: LeaseView, now_ms: number): LeaseAct[] {
  const signals: LeaseAct[] = [];
  const words: LeaseAct[] = [];
  for (const { uid, lease_ms, grace_ms } of leased) {
    const { is } = leasePhase(heard_ms, lease_ms, grace_ms, now_ms);
    if (is === "held") continue;
    if (is === "over") signals.push({ do: "kill", uid });
    else if ((asked.get(uid) ?? 0) <= now_ms) signals.push({ do: "ask", uid });
    if (is === "over" && !said.has(uid)) words.push({ do: "say", uid });
  }
  return [...signals, ...words];
}

/**
 * Returns what the guard does now. It does what the keeper should do, since the keeper may hang; and if the keeper is
 * `gone`, its exclusive tasks end with it, whatever their lease.
 */
export const guardActs = (view: LeaseView, gone: boolean, now_ms: number): LeaseAct[] =>
  gone ? leaseActs({ ...view, heard_ms: null }, now_ms) : leaseActs(view, now_ms);
