// What nodes say of accounts and directories that open work needs to find there. It is heard and never stored: a server
// that starts anew asks anew. Only what was asked is taken in, and answers are asked for again when they are old.

import { HOUSE_LIMITS } from "../../core/limits";
import { needKey, type Need, type Presence, type PresenceFact, type Presences } from "../../core/pass/presence";
import { MINUTE_MS, SECOND_MS, type Ms } from "../../core/units";

export interface PresenceAnswer extends Need {
  readonly state: Presence;
}

export interface PresenceRecord {
  /** Notes that a node is connected and can be asked. `tell` sends it a question. */
  connected(node_id: string, tell: (needs: readonly Need[]) => void): void;
  gone(node_id: string): void;
  /** Takes in answers. Returns whether any of them is news. */
  take(node_id: string, answers: readonly PresenceAnswer[]): boolean;
  facts(): Presences;
  /** Asks every node what it has not said of the needs that the last pass has met. */
  want(needs: readonly Need[]): void;
  /** Asks a node again what it said too long ago of those needs. */
  again(node_id: string): void;
  /** Asks every node, unless its answer is fresh. Resolves when all have answered, at the latest after `within_ms`. */
  ask(needs: readonly Need[], within_ms: Ms): Promise<void>;
}

/** How old an answer may be. */
interface Age {
  readonly there: Ms;
  readonly other: Ms;
}

/** Before it is asked for again while work needs it: a directory may be made at any time. */
const OLD: Age = { there: MINUTE_MS, other: 5 * SECOND_MS };
/** For somebody who asks now. */
const STALE: Age = { there: 30 * SECOND_MS, other: SECOND_MS };
const NEVER_OLD: Age = { there: Number.POSITIVE_INFINITY, other: Number.POSITIVE_INFINITY };
/** How long until a question that was not answered is asked again. */
const REPEAT_MS = 30 * SECOND_MS;

interface Said {
  /** The newest answer and when it came. */
  state: { readonly is: Presence; readonly at_ms: Ms } | null;
  /** Since when an answer is waited for, and when it was asked for the last time; null if none is. */
  open: { readonly since_ms: Ms; told_ms: Ms } | null;
}

interface Asked {
  readonly tell: (needs: readonly Need[]) => void;
  readonly said: Map<string, Said>;
  /** What `facts` gave the last time, as long as it holds. */
  facts: ReadonlyMap<string, PresenceFact> | null;
}

/** Makes the record. `monotonic` is a clock that never jumps. */
export function createPresences(monotonic: () => Ms): PresenceRecord {
  const nodes = new Map<string, Asked>();
  let wanted: ReadonlyMap<string, Need> = new Map();
  /** Those who wait for answers. Each looks for itself whether it has them. */
  const waiting = new Set<() => void>();
  const wake = (): void => {
    for (const look of waiting) look();
  };
  const put = (node: Asked, needs: Iterable<Need>, age: Age): void => {
    const due = noteAsked(node, needs, age, monotonic());
    if (due.length === 0) return;
    forgetOld(node, wanted);
    node.tell(due);
  };
  return {
    connected(node_id, tell) {
      nodes.set(node_id, { tell, said: new Map(), facts: null });
    },
    gone(node_id) {
      nodes.delete(node_id);
      wake();
    },
    take(node_id, answers) {
      const node = nodes.get(node_id);
      const news = node !== undefined && noteAnswers(node, answers, monotonic());
      wake();
      return news;
    },
    facts: () => new Map([...nodes].map(([node_id, node]) => [node_id, node.facts ?? factsOf(node, monotonic())])),
    want(needs) {
      wanted = new Map(needs.map((need) => [needKey(need), need]));
      for (const node of nodes.values()) put(node, needs, NEVER_OLD);
    },
    again(node_id) {
      const node = nodes.get(node_id);
      if (node !== undefined) put(node, wanted.values(), OLD);
    },
    async ask(needs, within_ms) {
      const some = needs.slice(0, HOUSE_LIMITS.needs);
      for (const node of nodes.values()) put(node, some, STALE);
      const isOpen = (): boolean => nodes.values().some((node) => some.some((need) => isAwaited(node, need)));
      if (!isOpen()) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = (): void => (isOpen() ? undefined : resolve());
      waiting.add(look);
      const timer = setTimeout(resolve, within_ms);
      await promise;
      clearTimeout(timer);
      waiting.delete(look);
    },
  };
}

const isAwaited = ({ said }: Asked, need: Need): boolean => (said.get(needKey(need))?.open ?? null) !== null;

/** Notes that a node is asked for what of these needs is older than `age`. Returns those. */
function noteAsked(node: Asked, needs: Iterable<Need>, age: Age, now_ms: Ms): Need[] {
  const due: Need[] = [];
  for (const need of needs) {
    const one = node.said.getOrInsertComputed(needKey(need), (): Said => ({ state: null, open: null }));
    if (one.open !== null && now_ms - one.open.told_ms < REPEAT_MS) continue;
    const most = one.state?.is === "there" ? age.there : age.other;
    if (one.state !== null && now_ms - one.state.at_ms < most) continue;
    one.open = { since_ms: one.open?.since_ms ?? now_ms, told_ms: now_ms };
    due.push(need);
  }
  if (due.length > 0) node.facts = null;
  return due;
}

/** Takes in what a node was asked. Returns whether any of it is news. */
function noteAnswers(node: Asked, answers: readonly PresenceAnswer[], now_ms: Ms): boolean {
  let news = false;
  for (const { state, ...need } of answers) {
    const one = node.said.get(needKey(need));
    if (one === undefined) continue;
    news ||= one.state?.is !== state;
    one.state = { is: state, at_ms: now_ms };
    one.open = null;
  }
  node.facts = null;
  return news;
}

/** Forgets what nobody needs, the longest known first, when there is more than is kept. */
function forgetOld({ said }: Asked, wanted: ReadonlyMap<string, Need>): void {
  for (const [key, { open }] of said) {
    if (said.size <= 2 * HOUSE_LIMITS.needs) return;
    if (!wanted.has(key) && open === null) said.delete(key);
  }
}

/** Returns what a node has said, and keeps it unless the time alone changes it. */
function factsOf(node: Asked, now_ms: Ms): ReadonlyMap<string, PresenceFact> {
  const facts = new Map([...node.said].map(([key, one]) => [key, factOf(one, now_ms)]));
  if (node.said.values().every(({ state }) => state !== null)) node.facts = facts;
  return facts;
}

/** An answer holds while it is asked for again. */
const factOf = ({ state, open }: Said, now_ms: Ms): PresenceFact =>
  state === null ? { is: "asked", for_ms: open === null ? 0 : now_ms - open.since_ms } : { is: state.is };
