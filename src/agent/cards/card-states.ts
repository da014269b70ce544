// The agent's state of the cards of this machine and their holders. Each look and each change of tasks updates it,
// core/agent/card judges it, and a file keeps it over restarts.

import { compareText } from "../../core/canonical";
import type { AdmissionDevice } from "../../core/agent/admit";
import {
  lost,
  newCard,
  quarantined,
  released,
  seen,
  stillHeld,
  unseen,
  useless,
  type CardState,
  type Seeing,
  type Sight,
} from "../../core/agent/card";
import { blockOf, deviceOf } from "../../core/agent/card-shown";
import { holdersOf, type CardTask, type CardUser, type Holder } from "../../core/agent/card-users";
import { VENDORS, type Device, type Vendor } from "../../core/model/device";
import type { BootMs } from "../../core/units";
import { SHARED_ACCOUNT } from "../machine/account";
import type { Card, Handle } from "../devices/device";
import type { TaskName, Tasks } from "./owners";
import type { HealthMemory } from "./health";
import type { CardsFile, Kept, KnownCard } from "./kept";
import { factsOf } from "./shown";

const MOST_PAST = 1_000;

export interface CardStatesOptions {
  /** The state from the file, and the file. */
  readonly kept: Kept;
  readonly keeping: CardsFile;
  readonly clock: () => BootMs;
  /** The agent's own account, which tasks without an account of their own use. */
  readonly user: string;
  readonly say: (line: string) => void;
}

export class CardStates {
  readonly #options: CardStatesOptions;
  readonly #cards: Map<string, KnownCard>;
  readonly #keeping: CardsFile;
  readonly #past = new Map<string, TaskName>();
  #living: readonly CardTask[] | null = null;
  /** The health that was in the file when the agent started. */
  readonly health: HealthMemory;

  constructor(options: CardStatesOptions) {
    this.#options = options;
    this.#cards = new Map(options.kept.cards);
    this.#keeping = options.keeping;
    this.health = options.kept.health;
    for (const { card } of this.#cards.values()) {
      for (const one of card.gate.is === "closed" ? card.gate.after : []) this.#past.set(one.uid, one);
    }
  }

  /** Writes the state into the file if it has changed. */
  keep(health: HealthMemory): void {
    this.#keeping.keep(this.#cards.values(), health);
  }

  /** Returns whether the living tasks are known. Before that, no process can be assigned to a task or a stranger. */
  knowsTasks(): boolean {
    return this.#living !== null;
  }

  tasks(): Tasks {
    return { living: this.#living ?? [], past: this.#past, accounts: [this.#options.user, SHARED_ACCOUNT] };
  }

  all(): readonly KnownCard[] {
    return [...this.#cards.values()];
  }

  of(vendor: Vendor): readonly KnownCard[] {
    return this.all().filter(({ facts }) => facts.vendor === vendor);
  }

  get(id: string): KnownCard | undefined {
    return this.#cards.get(id);
  }

  put(id: string, card: CardState): void {
    const known = this.#cards.get(id);
    if (known !== undefined) this.#cards.set(id, { ...known, card });
  }

  /** Forgets a card, so that it is not waited for any more. */
  drop(id: string): void {
    this.#cards.delete(id);
  }

  /**
   * Takes the list of living tasks, and returns the uids of those that have ended, and the vendors whose cards they
   * held. A card that a task has released is closed at once, so that no task gets it before it was looked at. `begun`
   * returns how many looks have begun at a vendor's cards.
   */
  take(living: readonly CardTask[], begun: (vendor: Vendor) => number): { ended: string[]; freed: Set<Vendor> } {
    const first = this.#living === null;
    const lives = new Set(living.map(({ uid }) => uid));
    const ended = (this.#living ?? []).filter(({ uid }) => !lives.has(uid));
    for (const { uid, name, user } of ended) this.#noteEnded(uid, { name, user });
    for (const uid of lives) this.#past.delete(uid);
    this.#living = living;
    const freed = new Set<Vendor>();
    for (const [id, known] of this.#cards) {
      const gone = known.holders.filter(({ uid }) => !lives.has(uid));
      const before = first ? stillHeld(known.card, lives) : known.card;
      const card = released(before, gone, begun(known.facts.vendor), this.#options.clock());
      this.#cards.set(id, { ...known, holders: this.holders(id), card });
      if (gone.length > 0) freed.add(known.facts.vendor);
    }
    return { ended: ended.map(({ uid }) => uid), freed };
  }

  #noteEnded(uid: string, task: TaskName): void {
    this.#past.set(uid, task);
    const oldest = this.#past.keys().next().value;
    if (this.#past.size > MOST_PAST && oldest !== undefined) this.#past.delete(oldest);
  }

  /** Returns the holders of a card, each with the account of its processes. */
  holders(id: string): readonly Holder[] {
    return holdersOf(this.#living ?? [], id).map((one) => ({ ...one, user: one.user ?? this.#options.user }));
  }

  /** Takes one card of a look, and returns the processes that ended tasks have left on it. */
  see(card: Card, all: readonly Card[], sight: Sight, shared_files: readonly string[]): readonly CardUser[] {
    const known = this.#cards.get(card.id);
    const before = known === undefined || known.facts.driver === card.driver ? known?.card : anew(known.card);
    const holders = this.holders(card.id);
    const related = all.filter(({ id, parent }) => parent === card.id || id === card.parent);
    const around = [...holders, ...related.flatMap(({ id }) => this.holders(id))];
    const { card: now, left } = judged(before ?? newCard(this.#options.clock()), card, all, sight, around);
    const handle = { visible: card.visible, files: card.files, shared_files };
    this.#cards.set(card.id, { facts: factsOf(card), handle, card: now, holders: known?.holders ?? holders });
    return left;
  }

  /** Notes for all cards of a vendor that a look failed. */
  miss(vendor: Vendor, why: string): void {
    for (const { facts, card } of this.of(vendor)) this.put(facts.id, unseen(card, why));
  }

  /** Notes as missing the cards of a vendor that the last look did not show. */
  lose(vendor: Vendor, isShown: (id: string) => boolean, why: string): void {
    for (const { facts, card } of this.of(vendor)) {
      if (isShown(facts.id) || card.missing === why) continue;
      this.#options.say(`card ${facts.id} (${facts.model}) is missing: ${why}`);
      this.put(facts.id, lost(card, why));
    }
  }

  quarantine(ids: readonly string[], reason: string): void {
    const now_ms = this.#options.clock();
    for (const { facts, card } of this.all()) {
      if (ids.includes(facts.id)) this.put(facts.id, quarantined(card, reason, now_ms));
    }
  }

  devices(): readonly Device[] {
    const now_ms = this.#options.clock();
    return this.all()
      .map(({ facts, card }) => deviceOf(facts, card, now_ms))
      .sort(byPlace);
  }

  admission(): readonly AdmissionDevice[] {
    return this.all().map(({ facts, card }) => {
      return { id: facts.id, memory_bytes: facts.memory_bytes, blocked: blockOf(card) };
    });
  }

  handles(isCounted: (vendor: Vendor) => boolean): readonly Handle[] {
    return this.all().map(({ facts: { id, vendor, parent }, handle, card }) => {
      return { id, vendor, parent, ...handle, counted: isCounted(vendor), missing: card.missing !== null };
    });
  }
}

const byPlace = (a: Device, b: Device): number =>
  VENDORS.indexOf(a.vendor) - VENDORS.indexOf(b.vendor) || a.index - b.index || compareText(a.id, b.id);

/**
 * `holders` contains also the holders of the card's parts, or of the card that it is a part of, since their processes
 * may show on this card.
 */
function judged(before: CardState, card: Card, all: readonly Card[], sight: Sight, holders: readonly Holder[]): Seeing {
  if (card.trouble !== null) return { card: useless(before, card.trouble.why), left: [] };
  const { card: now, left } = seen(before, sight, holders);
  const empty = card.split && !all.some(({ parent }) => parent === card.id);
  return { card: { ...now, unfit: empty ? "it is set to be used in parts (MIG), and has none" : null }, left };
}

/** Forgets the baseline, since another driver may need another amount of memory for itself. */
const anew = (card: CardState): CardState => ({ ...card, baseline_bytes: null });
