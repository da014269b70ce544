// Watches the cards of this machine: looks at them, finds out whose the processes on them are, and lets a card go from
// one task to the next only when core/card says that it is clean. Without a probe it does nothing at all.

import { join } from "node:path";
import type { AdmissionDevice } from "../../core/admit";
import {
  blockOf,
  deviceOf,
  holdersOf,
  lost,
  newCard,
  released,
  seen,
  stillHeld,
  unseen,
  useless,
  type CardState,
  type CardTask,
  type CardUser,
  type Holder,
  type Seeing,
  type Sight,
} from "../../core/card";
import { PLAIN_DEVICE, VENDORS, type Device, type Reading, type Vendor } from "../../core/device";
import type { Ms } from "../../core/units";
import { sendSignal } from "../../os/signals";
import type { Handle } from "./access";
import { createCensus, type Census } from "./census";
import type { Card, DeviceProbe, Look } from "./device";
import { openEye, type Eye } from "./eye";
import { createKeeping, readKept, type KnownCard } from "./kept";

const LOOK_EVERY_MS = { idle: 5_000, busy: 1_000 } as const;
/** Between looks at a card that is being cleaned: what was killed is mostly gone in a moment. */
const PATIENCE_MS = [50, 100, 200, 400];
const MOST_PAST = 1_000;
const MOST_PROCESSES = 64;
const SIGKILL = 9;

export interface WatchOptions {
  /** `<data>/agent`. */
  readonly data: string;
  /** Probes of the vendors whose driver or tools are here. */
  readonly find: () => readonly DeviceProbe[];
  /** Cards that are only claimed: no probe looks at them. */
  readonly fakes: readonly Device[];
  readonly clock: () => Ms;
  /** The agent's own account: tasks without one of their own have it. */
  readonly user: string;
  readonly say: (line: string) => void;
}

export interface Watch {
  /** All cards that are or were here, with what is believed of them now. */
  devices(): readonly Device[];
  /** Whether there are, or were, cards that are not made up. */
  hasCards(): boolean;
  /** What leads to each card, made-up ones included. */
  handles(): readonly Handle[];
  /** What the cards showed last. */
  readings(): readonly Reading[];
  /**
   * Takes in which tasks live, and gives back what may be started on. Nothing is looked at before the first call, since
   * whose a process is depends on it.
   */
  gate(living: () => readonly CardTask[]): readonly AdmissionDevice[];
  /** Looks for vendors that were not here before: a driver may have come. */
  seek(): void;
  /** Resolves when every vendor was looked at once, at the latest after `within_ms`. */
  ready(within_ms: Ms): Promise<void>;
  /** Called when devices or what may be started on have changed. */
  onChange(listener: () => void): void;
  close(): void;
}

/** What one look showed of one card. */
interface Shown {
  readonly card: Card;
  readonly users: readonly CardUser[];
  readonly at_ms: Ms;
}

interface Seer {
  readonly eye: Eye;
  readonly census: Census;
  /** Why the last look failed; `null`: it did not. */
  failing: string | null;
  shown: ReadonlyMap<string, Shown>;
  /** Whether the driver counts its cards as they are counted here: none is lost or in trouble. */
  counted: boolean;
  looked: boolean;
  /** Looks in a row that found a card of it unclean. */
  unclean: number;
}

export function openWatch(options: WatchOptions): Watch {
  return new CardWatch(options);
}

class CardWatch implements Watch {
  readonly #options: WatchOptions;
  readonly #cards: Map<string, KnownCard>;
  readonly #keeping;
  readonly #seers = new Map<Vendor, Seer>();
  readonly #past = new Map<string, string>();
  readonly #killed = new Set<string>();
  #living: readonly CardTask[] | null = null;
  #told = "";
  #listener: () => void = () => undefined;
  #readied: () => void = () => undefined;

  constructor(options: WatchOptions) {
    const path = join(options.data, "devices.json");
    this.#options = options;
    this.#cards = new Map(readKept(path, options.clock(), options.say));
    this.#keeping = createKeeping(path, options.say);
    for (const { card } of this.#cards.values()) {
      for (const one of card.gate.is === "closed" ? card.gate.after : []) this.#past.set(one.uid, one.name);
    }
    this.seek();
  }

  seek(): void {
    const before = this.#seers.size;
    for (const probe of this.#options.find()) {
      if (this.#seers.has(probe.vendor)) probe.close();
      else this.#watch(probe);
    }
    for (const [id, known] of this.#cards) {
      const { vendor } = known.facts;
      if (!this.#seers.has(vendor)) this.#lose(id, `no driver for ${vendor} cards is here`);
    }
    if (this.#seers.size > before) this.#listener();
  }

  #watch(probe: DeviceProbe): void {
    const { vendor } = probe;
    const eye = openEye(probe, {
      clock: this.#options.clock,
      took: (look, n, at_ms) => this.#took(vendor, look, n, at_ms),
      delay: () => this.#delay(vendor),
    });
    const census = createCensus();
    this.#seers.set(vendor, { eye, census, failing: null, shown: new Map(), counted: true, looked: false, unclean: 0 });
    if (this.#living !== null) eye.soon();
  }

  #of(vendor: Vendor): [string, KnownCard][] {
    return [...this.#cards].filter(([, { facts }]) => facts.vendor === vendor);
  }

  #delay(vendor: Vendor): Ms {
    const cards = this.#of(vendor).filter(([, { card }]) => card.missing === null);
    const seer = this.#seers.get(vendor);
    if (cards.some(([, { card }]) => card.gate.is === "closed")) {
      return PATIENCE_MS[seer?.unclean ?? 0] ?? LOOK_EVERY_MS.busy;
    }
    const shared = cards.some(([, { holders }]) => holders.some(({ bytes }) => bytes !== null));
    return shared ? LOOK_EVERY_MS.busy : LOOK_EVERY_MS.idle;
  }

  #took(vendor: Vendor, look: Look, n: number, at_ms: Ms): void {
    const seer = this.#seers.get(vendor);
    if (seer === undefined) return;
    seer.looked = true;
    const { say } = this.#options;
    if (look.is === "failed") {
      if (seer.failing !== look.why) say(`${vendor} cards cannot be looked at: ${look.why}`);
      seer.failing = look.why;
      for (const [id, known] of this.#of(vendor)) this.#put(id, { ...known, card: unseen(known.card, look.why) });
    } else {
      if (seer.failing !== null) say(`${vendor} cards are seen again`);
      seer.failing = null;
      if (look.is === "seen") this.#see(seer, look, n, at_ms);
      else seer.shown = new Map();
      const gone =
        look.is === "none" ? `no driver for ${vendor} cards is here` : "its driver does not list it any more";
      for (const [id] of this.#of(vendor)) if (!seer.shown.has(id)) this.#lose(id, gone);
    }
    this.#changed();
    if (this.#isReady()) this.#readied();
  }

  #see(seer: Seer, look: Extract<Look, { is: "seen" }>, n: number, at_ms: Ms): void {
    const { cards, shared_files, unknown } = look;
    const tasks = { living: this.#living ?? [], past: this.#past };
    const all = seer.census.identify(
      cards.flatMap(({ processes }) => processes),
      tasks,
      at_ms,
    );
    let [at, dirty] = [0, false];
    const shown = new Map<string, Shown>();
    for (const card of cards) {
      const users = all.slice(at, (at += card.processes.length));
      shown.set(card.id, { card, users, at_ms });
      const known = this.#cards.get(card.id);
      const before = known === undefined || known.facts.driver === card.driver ? known?.card : anew(known.card);
      const holders = this.#holders(card.id);
      const sight = { n, at_ms, used_bytes: card.memory_used_bytes, users };
      const { card: now, left } = judged(before ?? newCard(this.#options.clock()), card, cards, sight, holders);
      const handle = { visible: card.visible, files: card.files, shared_files };
      this.#put(card.id, { facts: factsOf(card), handle, card: now, holders: known?.holders ?? holders });
      for (const user of left) this.#reap(card.id, user);
      dirty ||= now.gate.is === "closed";
    }
    seer.shown = shown;
    seer.counted = unknown.length === 0 && cards.every(({ trouble }) => trouble === null);
    seer.unclean = dirty ? seer.unclean + 1 : 0;
  }

  /** Holders of a card, with the account that their processes have. */
  #holders(id: string): readonly Holder[] {
    return holdersOf(this.#living ?? [], id).map((one) => ({ ...one, user: one.user ?? this.#options.user }));
  }

  /** What an ended task has left is killed: it is proven to be that task's, and nothing else would free the card. */
  #reap(id: string, { pid, start, command, task }: CardUser): void {
    if (start === null) return;
    const sent = sendSignal({ pid, start }, SIGKILL, "one");
    const key = `${pid} ${start}`;
    if (this.#killed.has(key)) return;
    if (this.#killed.size > MOST_PAST) this.#killed.clear();
    this.#killed.add(key);
    const what = `${command} (pid ${pid}), which ${task?.name ?? ""} has left on ${id}`;
    this.#options.say(sent.is === "failed" ? `${what}, could not be killed: ${sent.why}` : `killed ${what}`);
  }

  #lose(id: string, why: string): void {
    const known = this.#cards.get(id);
    if (known === undefined || known.card.missing === why) return;
    this.#options.say(`card ${id} (${known.facts.model}) is missing: ${why}`);
    this.#put(id, { ...known, card: lost(known.card, why) });
  }

  #put(id: string, known: KnownCard): void {
    this.#cards.set(id, known);
  }

  #changed(): void {
    this.#keeping.keep(this.#cards.values());
    const now = JSON.stringify([this.devices(), this.#admission()]);
    if (now === this.#told) return;
    this.#told = now;
    this.#listener();
  }

  devices(): readonly Device[] {
    const now_ms = this.#options.clock();
    const order = ({ vendor, index, id }: Device): [number, number, string] => [VENDORS.indexOf(vendor), index, id];
    const real = [...this.#cards.values()].map(({ facts, card }) => deviceOf(facts, card, now_ms));
    real.sort((a, b) => {
      const [[va, ia, ida], [vb, ib, idb]] = [order(a), order(b)];
      return va - vb || ia - ib || (ida < idb ? -1 : 1);
    });
    return [...real, ...this.#options.fakes];
  }

  hasCards(): boolean {
    return this.#cards.size > 0;
  }

  handles(): readonly Handle[] {
    const real = [...this.#cards.values()].map(({ facts: { id, vendor, parent }, handle }) => {
      return { id, vendor, parent, ...handle, counted: this.#seers.get(vendor)?.counted ?? false };
    });
    const fakes = this.#options.fakes.map(({ id, vendor, parent, index }) => {
      return { id, vendor, parent, visible: String(index), files: [], shared_files: [], counted: true };
    });
    return [...real, ...fakes];
  }

  readings(): readonly Reading[] {
    const now_ms = this.#options.clock();
    return [...this.#seers.values()].flatMap(({ shown, failing }) =>
      [...shown.values()].map((one) => readingOf(one, now_ms, failing !== null)),
    );
  }

  gate(living: () => readonly CardTask[]): readonly AdmissionDevice[] {
    if (this.#cards.size > 0 || this.#seers.size > 0) this.#take(living());
    return this.#admission();
  }

  #admission(): readonly AdmissionDevice[] {
    const fakes = this.#options.fakes.map(({ id, memory_bytes }) => ({ id, memory_bytes, blocked: null }));
    const real = [...this.#cards.values()].map(({ facts, card }) => ({
      id: facts.id,
      memory_bytes: facts.memory_bytes,
      blocked: blockOf(card),
    }));
    return [...real, ...fakes];
  }

  /** A card that a task has let go is closed in the same turn, so that the next one finds it so. */
  #take(living: readonly CardTask[]): void {
    const first = this.#living === null;
    const lives = new Set(living.map(({ uid }) => uid));
    for (const { uid, name } of this.#living ?? []) if (!lives.has(uid)) this.#bury(uid, name);
    for (const uid of lives) this.#past.delete(uid);
    this.#living = living;
    for (const [id, known] of this.#cards) {
      const holders = this.#holders(id);
      const ended = known.holders.filter(({ uid }) => !lives.has(uid));
      const seer = this.#seers.get(known.facts.vendor);
      const before = first ? stillHeld(known.card, lives) : known.card;
      const card = released(before, ended, seer?.eye.begun() ?? 0, this.#options.clock());
      this.#put(id, { ...known, holders, card });
      if (ended.length === 0) continue;
      if (seer !== undefined) seer.unclean = 0;
      seer?.eye.soon();
    }
    this.#keeping.keep(this.#cards.values());
    if (first) for (const { eye } of this.#seers.values()) eye.soon();
  }

  #bury(uid: string, name: string): void {
    this.#past.set(uid, name);
    const oldest = this.#past.keys().next().value;
    if (this.#past.size > MOST_PAST && oldest !== undefined) this.#past.delete(oldest);
  }

  ready(within_ms: Ms): Promise<void> {
    if (this.#isReady()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, within_ms);
      this.#readied = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #isReady(): boolean {
    return [...this.#seers.values()].every(({ looked }) => looked);
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#listener = () => undefined;
    for (const { eye } of this.#seers.values()) eye.close();
  }
}

/** Another driver may need other memory for itself. */
const anew = (card: CardState): CardState => ({ ...card, baseline_bytes: null });

function judged(before: CardState, card: Card, all: readonly Card[], sight: Sight, holders: readonly Holder[]): Seeing {
  if (card.trouble !== null) return { card: useless(before, card.trouble), left: [] };
  const { card: now, left } = seen(before, sight, holders);
  const empty = card.split && !all.some(({ parent }) => parent === card.id);
  return { card: { ...now, unfit: empty ? "it is set to be used in parts (MIG), and has none" : null }, left };
}

const factsOf = (card: Card): Device => {
  const { id, vendor, model, memory_bytes, index, pci, numa_node, driver, parent, links, compute_mode, ecc } = card;
  const facts = { id, vendor, model, memory_bytes, index, pci, numa_node, driver, parent, links, compute_mode, ecc };
  return { ...PLAIN_DEVICE, ...facts };
};

function readingOf({ card, users, at_ms }: Shown, now_ms: Ms, stale: boolean): Reading {
  const { id, memory_used_bytes, utilization_percent, temperature_celsius, power_watts, clock_mhz } = card;
  return {
    id,
    age_ms: Math.max(0, Math.round(now_ms - at_ms)),
    stale,
    memory_used_bytes,
    utilization_percent,
    temperature_celsius,
    power_watts,
    clock_mhz,
    throttled: card.throttled,
    ecc_errors: card.ecc_errors,
    processes: users
      .slice(0, MOST_PROCESSES)
      .map(({ pid, user, command, memory_bytes, task_uid }) => ({ pid, user, command, memory_bytes, task_uid })),
  };
}
