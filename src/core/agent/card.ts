// An agent's view of one card: whether it may be handed over, what foreign processes take of it, what keeps it out of
// use. Each view is a function of the view before, a look, and the tasks that hold the card. The agent and the
// simulator both run this code.

import type { CardUser, Holder } from "./card-users";
import { NAMED, sayRemains, sayStrangers, short } from "./card-words";
import { FOREIGN_STEP_BYTES } from "../model/device";
import { GIB, MIB, type Bytes, type Ms } from "../units";

/** The most memory beyond its baseline that a card may use and still be handed over. */
export const CLEAN_WITHIN_BYTES = 256 * MIB;

/** The highest baseline that is believed of a card. A driver's own needs stay below it. */
const FIRST_BASELINE_BYTES = GIB;

/** Foreign memory is reported anew only once it differs by more than this from what was reported. */
const FOREIGN_SLACK_BYTES = 0.75 * FOREIGN_STEP_BYTES;

/** One look at a card. */
export interface Sight {
  /** Counts the looks. A look proves nothing about a process that ended after the look began. */
  readonly n: number;
  readonly at_ms: Ms;
  readonly used_bytes: Bytes | null;
  readonly users: readonly CardUser[];
}

export type Gate =
  | { readonly is: "open" }
  /** Nothing new starts on the card until a look after the `n`th has found it clean. */
  | {
      readonly is: "closed";
      readonly n: number;
      readonly since_ms: Ms;
      /**
       * The tasks that held the card. Empty if the agent has just begun to look after the card, or the card was
       * missing.
       */
      readonly after: readonly Holder[];
      /** What the last look found, or null before the first look since the gate closed. */
      readonly why: string | null;
    };

export interface CardState {
  /** The memory that is in use with nothing on the card. Null: no look has shown it yet. */
  readonly baseline_bytes: Bytes | null;
  readonly gate: Gate;
  readonly quarantine: { readonly reason: string; readonly since_ms: Ms } | null;
  /**
   * Why the card cannot be used as it is now: what its driver reports, or how it is set up. The next look that finds
   * the card usable clears this.
   */
  readonly unfit: string | null;
  /** Why the card is no longer seen, or null if it is. */
  readonly missing: string | null;
  readonly foreign_bytes: Bytes;
  readonly foreign: { readonly text: string; readonly pids: readonly number[] } | null;
}

/**
 * Returns the view of a card that the agent begins to look after. Tasks that hold the card keep it. Nothing new starts
 * on it before it was looked at.
 */
export function newCard(now_ms: Ms): CardState {
  return {
    baseline_bytes: null,
    gate: { is: "closed", n: 0, since_ms: now_ms, after: [], why: null },
    quarantine: null,
    unfit: null,
    missing: null,
    foreign_bytes: 0,
    foreign: null,
  };
}

/**
 * Returns the card in quarantine, for a finding of its health or of the agent's. A card that is in quarantine keeps its
 * first reason.
 */
export const quarantined = (card: CardState, reason: string, now_ms: Ms): CardState =>
  card.quarantine === null ? { ...card, quarantine: { reason: short(reason), since_ms: now_ms } } : card;

/** Returns the card out of quarantine, once a test of it has passed. */
export const lifted = (card: CardState): CardState => ({ ...card, quarantine: null });

/**
 * Returns the card once somebody has ordered a test. What the card uses with nothing on it counts as its baseline from
 * then on, unless that is more than any driver needs.
 */
export function rebased(card: CardState, { used_bytes, users }: Sight, holders: readonly Holder[]): CardState {
  if (used_bytes === null || used_bytes > FIRST_BASELINE_BYTES || users.length > 0 || holders.length > 0) return card;
  return { ...card, baseline_bytes: used_bytes, gate: { is: "open" } };
}

/** Returns the card after the agent has started and found which tasks live. A living task has not released its card. */
export function stillHeld(card: CardState, lives: ReadonlySet<string>): CardState {
  const { gate } = card;
  if (gate.is === "open") return card;
  return { ...card, gate: { ...gate, after: gate.after.filter(({ uid }) => !lives.has(uid)) } };
}

/** Returns the card after tasks that held it have ended. `n` looks had begun by then. */
export function released(card: CardState, ended: readonly Holder[], n: number, now_ms: Ms): CardState {
  if (ended.length === 0) return card;
  const before = card.gate.is === "closed" ? card.gate : null;
  const after = [...(before?.after ?? []), ...ended];
  return { ...card, gate: { is: "closed", n, since_ms: before?.since_ms ?? now_ms, after, why: null } };
}

export interface Seeing {
  readonly card: CardState;
  /** Processes that ended tasks have left. They are to be killed. */
  readonly left: readonly CardUser[];
}

/** Returns the card after a look. `holders` are the tasks that hold the card now. */
export function seen(card: CardState, sight: Sight, holders: readonly Holder[]): Seeing {
  const left = sight.users.filter(({ task }) => task !== null && !task.lives);
  const baseline_bytes = baselineAfter(card.baseline_bytes, sight, holders);
  const gate = gateAfter(gateBefore(card, sight), sight, baseline_bytes, left);
  const strangers = sight.users.filter(({ task }) => task === null || isTrespasser(task, holders));
  const foreign = foreignAfter(card, strangers, foreignBytes(sight, strangers, baseline_bytes, gate));
  return { card: { ...card, baseline_bytes, gate, missing: null, ...foreign }, left };
}

/** Returns the card after a look that found it unusable. Whether the card is clean is not known then. */
export const useless = (card: CardState, why: string): CardState => ({
  ...unseen(card, why),
  unfit: short(why),
  missing: null,
});

/** Returns the card after a look that failed. That shows only that the card was not found clean. */
export function unseen(card: CardState, why: string): CardState {
  if (card.gate.is === "open") return card;
  return { ...card, gate: { ...card.gate, why: `it cannot be looked at: ${short(why)}` } };
}

/** Returns the card after it has disappeared. What is known of it is kept in case it comes back. */
export const lost = (card: CardState, why: string): CardState => ({
  ...card,
  missing: short(why),
  foreign_bytes: 0,
  foreign: null,
});

/** Returns whether a task lives and is on a card that it was not promised. It counts as foreign there. */
const isTrespasser = (task: { uid: string; lives: boolean }, holders: readonly Holder[]): boolean =>
  task.lives && !holders.some(({ uid }) => uid === task.uid);

const sum = (users: readonly CardUser[]): Bytes =>
  users.reduce((all, { memory_bytes }) => all + (memory_bytes ?? 0), 0);

/** Returns whether the memory of each of the processes is known. */
const isTold = (users: readonly CardUser[]): boolean => users.every(({ memory_bytes }) => memory_bytes !== null);

function baselineAfter(before: Bytes | null, sight: Sight, holders: readonly Holder[]): Bytes | null {
  const { used_bytes, users } = sight;
  if (used_bytes === null || !isTold(users)) return before;
  const rest = Math.max(0, used_bytes - sum(users));
  if (before === null) return Math.min(rest, FIRST_BASELINE_BYTES);
  return users.length === 0 && holders.length === 0 ? Math.min(before, rest) : before;
}

/** Returns the memory in use that neither the baseline nor any process explains, or null if that is not known. */
function unexplained({ used_bytes, users }: Sight, baseline_bytes: Bytes | null): Bytes | null {
  if (used_bytes === null || baseline_bytes === null || !isTold(users)) return null;
  return Math.max(0, used_bytes - baseline_bytes - sum(users));
}

/** Returns the gate before a look. A card that was missing is checked like one that a task has released. */
const gateBefore = ({ gate, missing }: CardState, { n, at_ms }: Sight): Gate =>
  missing === null || gate.is === "closed" ? gate : { is: "closed", n: n - 1, since_ms: at_ms, after: [], why: null };

function gateAfter(gate: Gate, sight: Sight, baseline_bytes: Bytes | null, left: readonly CardUser[]): Gate {
  if (gate.is === "open" || sight.n <= gate.n) return gate;
  const suspects = sight.users.filter((user) => user.task === null && gate.after.some((one) => isSuspect(user, one)));
  // Where no task held the card, memory without a process belongs to a foreign process. Nothing was left there.
  const rest = gate.after.length === 0 ? 0 : (unexplained(sight, baseline_bytes) ?? 0);
  const unexplained_bytes = rest > CLEAN_WITHIN_BYTES ? rest : 0;
  const isClean = left.length === 0 && suspects.length === 0 && unexplained_bytes === 0;
  return isClean ? { is: "open" } : { ...gate, why: sayRemains({ left, suspects, unexplained_bytes }, gate.after) };
}

/**
 * Returns whether a foreign process may be one that a task left behind. It runs under the task's own account and began
 * while the task had the card, but it does not carry the task's mark. Nothing proves that it is the task's, so it is
 * not killed, but the card is not handed over before it is gone.
 */
const isSuspect = (user: CardUser, { user: account, started_ms }: Holder): boolean =>
  user.user !== null && user.user === account && started_ms !== null && (user.began_ms ?? 0) >= started_ms;

function foreignBytes(sight: Sight, strangers: readonly CardUser[], baseline_bytes: Bytes | null, gate: Gate): Bytes {
  const known = sum(strangers);
  // Memory that is in use after a task's end counts as the task's until the card was found clean.
  if (gate.is === "closed") return known;
  const ours = sight.users.filter((user) => !strangers.includes(user));
  if (sight.used_bytes === null || baseline_bytes === null || !isTold(ours)) return known;
  const rest = Math.max(0, sight.used_bytes - baseline_bytes - sum(sight.users));
  return isTold(strangers) && rest <= CLEAN_WITHIN_BYTES ? known : known + rest;
}

function foreignAfter(
  before: Pick<CardState, "foreign_bytes" | "foreign">,
  strangers: readonly CardUser[],
  bytes: Bytes,
): Pick<CardState, "foreign_bytes" | "foreign"> {
  const moved = Math.abs(bytes - before.foreign_bytes) > FOREIGN_SLACK_BYTES;
  const foreign_bytes = moved ? Math.round(bytes / FOREIGN_STEP_BYTES) * FOREIGN_STEP_BYTES : before.foreign_bytes;
  if (foreign_bytes === 0) return { foreign_bytes, foreign: null };
  const there = new Set(strangers.map(({ pid }) => pid));
  // `before` is a whole card, of which only these two fields are returned.
  if (!moved && before.foreign?.pids.every((pid) => there.has(pid)) === true)
    return { foreign_bytes, foreign: before.foreign };
  const first = strangers
    .toSorted((a, b) => (b.memory_bytes ?? 0) - (a.memory_bytes ?? 0) || a.pid - b.pid)
    .slice(0, NAMED);
  const text = sayStrangers(first, strangers.length - first.length);
  return { foreign_bytes, foreign: { text, pids: first.map(({ pid }) => pid) } };
}
