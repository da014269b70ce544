// What an agent believes of one card: whether it may be handed over, what strangers take of it, what keeps it out of
// use. A function of what was believed, what is seen, and who holds it; the agent's watch and the simulator run it.

import type { CardUser, Holder } from "./card-users";
import { NAMED, sayRemains, sayStrangers, short } from "./card-words";
import { FOREIGN_STEP_BYTES } from "../model/device";
import { GIB, MIB, type Bytes, type Ms } from "../units";

/** What more than its baseline may be in use on a card that is handed over. */
export const CLEAN_WITHIN_BYTES = 256 * MIB;

/** What a card that was never seen idle before may have in use and still count as idle: the driver's own needs. */
const FIRST_BASELINE_BYTES = GIB;

/** Foreign memory is told anew only when it has moved this far from what was told. */
const FOREIGN_SLACK_BYTES = 0.75 * FOREIGN_STEP_BYTES;

/** One look at a card. */
export interface Sight {
  /** Counts the looks: what ended after a look began is not proven gone by it. */
  readonly n: number;
  readonly at_ms: Ms;
  readonly used_bytes: Bytes | null;
  readonly users: readonly CardUser[];
}

export type Gate =
  | { readonly is: "open" }
  /** Nothing new starts on it until a look after the `n`th has found it clean. */
  | {
      readonly is: "closed";
      readonly n: number;
      readonly since_ms: Ms;
      /** Who held it; empty when the agent has just begun to look after it. */
      readonly after: readonly Holder[];
      /** What the last look found; `null`: there was none yet. */
      readonly why: string | null;
    };

export interface CardState {
  /** What is in use with nothing on it; `null`: it was never seen so, and cannot be told. */
  readonly baseline_bytes: Bytes | null;
  readonly gate: Gate;
  readonly quarantine: { readonly reason: string; readonly since_ms: Ms } | null;
  /** Why it cannot be used as it is now: what its driver says, how it is set up. Gone when the next look says so. */
  readonly unfit: string | null;
  /** Why it is not seen any more; `null`: it is. */
  readonly missing: string | null;
  readonly foreign_bytes: Bytes;
  readonly foreign: { readonly text: string; readonly pids: readonly number[] } | null;
}

/** A card that the agent begins to look after: who holds it keeps it, and nothing new comes on it unseen. */
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

/** A finding of its health, or of the agent's, keeps work away; the first reason stands. */
export const quarantined = (card: CardState, reason: string, now_ms: Ms): CardState =>
  card.quarantine === null ? { ...card, quarantine: { reason: short(reason), since_ms: now_ms } } : card;

/** A test of the card has passed. */
export const lifted = (card: CardState): CardState => ({ ...card, quarantine: null });

/**
 * Somebody has ordered a test: what a card uses with nothing on it is believed to be its driver's from now on, unless
 * it is more than any driver's.
 */
export function rebased(card: CardState, { used_bytes, users }: Sight, holders: readonly Holder[]): CardState {
  if (used_bytes === null || used_bytes > FIRST_BASELINE_BYTES || users.length > 0 || holders.length > 0) return card;
  return { ...card, baseline_bytes: used_bytes, gate: { is: "open" } };
}

/** What the agent found alive when it began: a task that lives has not let its card go. */
export function stillHeld(card: CardState, lives: ReadonlySet<string>): CardState {
  const { gate } = card;
  if (gate.is === "open") return card;
  return { ...card, gate: { ...gate, after: gate.after.filter(({ uid }) => !lives.has(uid)) } };
}

/** Tasks that held the card have ended; `n` looks had begun by then. */
export function released(card: CardState, ended: readonly Holder[], n: number, now_ms: Ms): CardState {
  if (ended.length === 0) return card;
  const before = card.gate.is === "closed" ? card.gate : null;
  const after = [...(before?.after ?? []), ...ended];
  return { ...card, gate: { is: "closed", n, since_ms: before?.since_ms ?? now_ms, after, why: null } };
}

export interface Seeing {
  readonly card: CardState;
  /** Processes that ended tasks have left: to be killed. */
  readonly left: readonly CardUser[];
}

/** Takes in a look. `holders` are the tasks that hold the card now. */
export function seen(card: CardState, sight: Sight, holders: readonly Holder[]): Seeing {
  const left = sight.users.filter(({ task }) => task !== null && !task.lives);
  const baseline_bytes = baselineAfter(card.baseline_bytes, sight, holders);
  const gate = gateAfter(gateBefore(card, sight), sight, baseline_bytes, left);
  const strangers = sight.users.filter(({ task }) => task === null || isTrespasser(task, holders));
  const foreign = foreignAfter(card, strangers, foreignBytes(sight, strangers, baseline_bytes, gate));
  return { card: { ...card, baseline_bytes, gate, missing: null, ...foreign }, left };
}

/** The card was seen, and cannot be used: how clean it is, is not known. */
export const useless = (card: CardState, why: string): CardState => ({
  ...unseen(card, why),
  unfit: short(why),
  missing: null,
});

/** The look failed: nothing is concluded, but that the card has not been found clean. */
export function unseen(card: CardState, why: string): CardState {
  if (card.gate.is === "open") return card;
  return { ...card, gate: { ...card.gate, why: `it cannot be looked at: ${short(why)}` } };
}

/** The card is not there any more. What is known of it is kept for the case that it comes back. */
export const lost = (card: CardState, why: string): CardState => ({
  ...card,
  missing: short(why),
  foreign_bytes: 0,
  foreign: null,
});

/** A living task on a card that it was not promised counts as a stranger there. */
const isTrespasser = (task: { uid: string; lives: boolean }, holders: readonly Holder[]): boolean =>
  task.lives && !holders.some(({ uid }) => uid === task.uid);

const sum = (users: readonly CardUser[]): Bytes =>
  users.reduce((all, { memory_bytes }) => all + (memory_bytes ?? 0), 0);

/** Whether all memory in use can be told apart by whose it is. */
const isTold = (users: readonly CardUser[]): boolean => users.every(({ memory_bytes }) => memory_bytes !== null);

function baselineAfter(before: Bytes | null, sight: Sight, holders: readonly Holder[]): Bytes | null {
  const { used_bytes, users } = sight;
  if (used_bytes === null || !isTold(users)) return before;
  const rest = Math.max(0, used_bytes - sum(users));
  if (before === null) return Math.min(rest, FIRST_BASELINE_BYTES);
  return users.length === 0 && holders.length === 0 ? Math.min(before, rest) : before;
}

/** Memory in use that neither the baseline nor any process explains; `null`: that cannot be told. */
function unexplained({ used_bytes, users }: Sight, baseline_bytes: Bytes | null): Bytes | null {
  if (used_bytes === null || baseline_bytes === null || !isTold(users)) return null;
  return Math.max(0, used_bytes - baseline_bytes - sum(users));
}

/** A card that was away is checked like one that was given back. */
const gateBefore = ({ gate, missing }: CardState, { n, at_ms }: Sight): Gate =>
  missing === null || gate.is === "closed" ? gate : { is: "closed", n: n - 1, since_ms: at_ms, after: [], why: null };

function gateAfter(gate: Gate, sight: Sight, baseline_bytes: Bytes | null, left: readonly CardUser[]): Gate {
  if (gate.is === "open" || sight.n <= gate.n) return gate;
  const suspects = sight.users.filter((user) => user.task === null && gate.after.some((one) => isSuspect(user, one)));
  // Where no task of ours was, memory without a process is a stranger's, not something that was left.
  const rest = gate.after.length === 0 ? 0 : (unexplained(sight, baseline_bytes) ?? 0);
  const unexplained_bytes = rest > CLEAN_WITHIN_BYTES ? rest : 0;
  const isClean = left.length === 0 && suspects.length === 0 && unexplained_bytes === 0;
  return isClean ? { is: "open" } : { ...gate, why: sayRemains({ left, suspects, unexplained_bytes }, gate.after) };
}

/**
 * A stranger that began while the task had the card, under the task's own account, may be what it left without a
 * mark: nothing proves it, so it is not killed, but the card is not handed over before it is gone.
 */
const isSuspect = (user: CardUser, { user: account, started_ms }: Holder): boolean =>
  user.user !== null && user.user === account && started_ms !== null && (user.began_ms ?? 0) >= started_ms;

function foreignBytes(sight: Sight, strangers: readonly CardUser[], baseline_bytes: Bytes | null, gate: Gate): Bytes {
  const known = sum(strangers);
  // What is in use after a task's end is its own until the card was found clean.
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
  // `before` is the whole card: nothing else of it may come along.
  if (!moved && before.foreign?.pids.every((pid) => there.has(pid)) === true)
    return { foreign_bytes, foreign: before.foreign };
  const first = strangers
    .toSorted((a, b) => (b.memory_bytes ?? 0) - (a.memory_bytes ?? 0) || a.pid - b.pid)
    .slice(0, NAMED);
  const text = sayStrangers(first, strangers.length - first.length);
  return { foreign_bytes, foreign: { text, pids: first.map(({ pid }) => pid) } };
}
