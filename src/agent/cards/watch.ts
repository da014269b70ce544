// Watches the cards of this machine: looks through the vendors' probes, reports changes, kills the processes that ended
// tasks have left on cards, and judges the cards' health. Without a probe it does nothing.

import { join } from "node:path";
import type { AdmissionDevice } from "../../core/agent/admit";
import type { CardTask, CardUser } from "../../core/agent/card-users";
import type { Device, Reading, Vendor } from "../../core/model/device";
import type { FindingOverrides, Notice } from "../../core/model/findings";
import { overdrawn } from "../../core/agent/share";
import type { Ms } from "../../core/units";
import type { DeviceLook, DeviceProbe, Handle } from "../devices/device";
import { CardStates, type CardStatesOptions } from "./card-states";
import { createOwners } from "./owners";
import { CardsHealth, type Blame } from "./health";
import { openLooks } from "./looks";
import { createKeeping, readKept } from "./kept";
import { createReaper } from "./reap";
import { retested, type Retest } from "./retest";
import { lookDelay, watchedVendor, type WatchedVendor } from "./vendor";
import { conditionOf, readingOf, sane, type Shown } from "./shown";

/**
 * A driver may load later than the agent starts. Until this long after the start, a missing driver is waited for, and
 * its cards are not reported missing.
 */
const DRIVER_WITHIN_MS = 60_000;

export interface WatchOptions extends Omit<CardStatesOptions, "kept" | "keeping"> {
  /** `<data>/agent`. */
  readonly data: string;
  /** Returns probes of the vendors whose driver or tools are present. */
  readonly find: () => readonly DeviceProbe[];
  /** Fake cards, which no probe looks at. */
  readonly fakes: readonly Device[];
  /** The beginnings of the ids of the cards that this agent may use. An empty list means all cards. */
  readonly only: readonly string[];
  /** The control groups that contain the groups of tasks. */
  readonly homes: readonly string[];
  /** The path of the kernel's log, or null if there is none. */
  readonly log_path: string | null;
}

/** The questions that the agent's loop asks at each of its turns. */
export interface CardRules {
  /**
   * Takes the living tasks, and returns the cards with the reasons that block them. No look begins before the first
   * call, since the tasks are needed to assign processes.
   */
  gate(living: () => readonly CardTask[]): readonly AdmissionDevice[];
  /** Returns the tasks that have to end, for harm to a card or from a card: the reason by uid. */
  verdicts(): ReadonlyMap<string, string>;
  /** Returns the tasks that are to blame for their own end, according to the kernel's log, by uid. */
  blames(): ReadonlyMap<string, Blame>;
}

export interface CardWatch extends CardRules {
  /** Returns all cards that are or were here, with their present states. */
  devices(): readonly Device[];
  /** Returns whether there are, or were, cards that are not fake. */
  hasCards(): boolean;
  /** Returns whether the cards report the memory of each process, as far as looks have shown. */
  tellsMemory(): boolean;
  /** Returns how each card is reached, fake cards included. */
  handles(): readonly Handle[];
  /** Returns the newest readings of the cards. */
  readings(): readonly Reading[];
  /** Returns the findings to report, until they are `noted`. */
  notices(): readonly Notice[];
  noted(n: number): void;
  /** Applies the operators' changes to the table of findings. */
  override(overrides: FindingOverrides): void;
  /** Looks at every card again. Cards that pass come out of quarantine, and cards that are gone are forgotten. */
  retest(): Promise<readonly Retest[]>;
  /** Looks for vendors that were not present before, since a driver may have been loaded. */
  seek(): void;
  /** Resolves when every vendor was looked at once, and after `within_ms` at the latest. */
  ready(within_ms: Ms): Promise<void>;
  /** The listener is called after every change of these results. */
  onChange(listener: () => void): void;
  close(): void;
}

const gone = (vendor: Vendor): string => `there is no driver for ${vendor} cards`;

export function openWatch(options: WatchOptions): CardWatch {
  return new OpenCardWatch(options);
}

class OpenCardWatch implements CardWatch {
  readonly #options: WatchOptions;
  readonly #states: CardStates;
  readonly #health: CardsHealth;
  readonly #vendors = new Map<Vendor, WatchedVendor>();
  readonly #reap: (card_id: string, user: CardUser) => void;
  readonly #started_ms: Ms;
  #told = "";
  #tells = true;
  #listener: () => void = () => undefined;
  #readied: () => void = () => undefined;

  constructor(options: WatchOptions) {
    this.#options = options;
    this.#started_ms = options.clock();
    this.#reap = createReaper(options.say);
    const path = join(options.data, "devices.json");
    const kept = readKept(path, options.clock(), options.say);
    this.#states = new CardStates({ ...options, kept, keeping: createKeeping(path, options.say) });
    for (const { facts } of this.#states.all()) if (!this.#isOwn(facts)) this.#states.drop(facts.id);
    this.#health = new CardsHealth({
      memory: this.#states.health,
      clock: options.clock,
      say: options.say,
      log_path: options.log_path,
      cards: () =>
        this.#states.all().map(({ facts: { id, vendor, pci } }) => {
          const users = this.#vendors.get(vendor)?.shown.get(id)?.users ?? [];
          return { id, vendor, pci, users, holders: this.#states.holders(id) };
        }),
      quarantine: (ids, reason) => this.#states.quarantine(ids, reason),
      found: () => this.#changed(true),
    });
    this.seek();
  }

  seek(): void {
    const before = this.#vendors.size;
    for (const probe of this.#options.find()) {
      if (this.#vendors.has(probe.vendor)) probe.close();
      else this.#watch(probe);
    }
    for (const { facts } of this.#states.all()) if (!this.#vendors.has(facts.vendor)) this.#miss(facts.vendor);
    if (this.#vendors.size > before) this.#listener();
  }

  /** Notes that there is no driver: it is gone, or not loaded yet. */
  #miss(vendor: Vendor): void {
    if (this.#isStarting()) this.#states.miss(vendor, gone(vendor));
    else this.#states.lose(vendor, () => false, gone(vendor));
  }

  #isStarting(): boolean {
    return this.#options.clock() - this.#started_ms < DRIVER_WITHIN_MS;
  }

  #watch(probe: DeviceProbe): void {
    const { vendor } = probe;
    const looks = openLooks(probe, {
      clock: this.#options.clock,
      took: (look, n, at_ms) => this.#took(vendor, look, n, at_ms),
      delay: () => lookDelay(this.#states.of(vendor), this.#vendors.get(vendor)?.unclean ?? 0),
    });
    this.#vendors.set(vendor, watchedVendor(looks, createOwners(this.#options.homes)));
    if (this.#states.knowsTasks()) looks.soon();
  }

  #took(vendor: Vendor, look: DeviceLook, n: number, at_ms: Ms): void {
    const watched = this.#vendors.get(vendor);
    if (watched === undefined) return;
    const { say } = this.#options;
    watched.looked = true;
    if (look.is === "failed") {
      if (watched.failing !== look.why) say(`${vendor} cards cannot be looked at: ${look.why}`);
      watched.failing = look.why;
      this.#states.miss(vendor, look.why);
    } else {
      if (watched.failing !== null) say(`${vendor} cards are seen again`);
      watched.failing = null;
      if (look.is === "seen") {
        this.#see(watched, look, n, at_ms);
        this.#states.lose(vendor, (id) => watched.shown.has(id), "its driver does not list it any more");
      } else {
        watched.shown = new Map();
        this.#miss(vendor);
      }
    }
    this.#health.answered(vendor, watched.failing === null);
    if (this.hasCards()) this.#health.begin();
    this.#changed(false);
    if (this.#isReady()) this.#readied();
  }

  #isOwn({ id, parent }: Pick<Device, "id" | "parent">): boolean {
    const { only } = this.#options;
    return only.length === 0 || only.some((start) => id.startsWith(start) || parent?.startsWith(start) === true);
  }

  #see(watched: WatchedVendor, look: Extract<DeviceLook, { is: "seen" }>, n: number, at_ms: Ms): void {
    const { shared_files, unknown } = look;
    const cards = look.cards.filter((card) => this.#isOwn(card)).map(sane);
    watched.others = look.cards.filter((card) => !this.#isOwn(card));
    const processes = cards.flatMap((card) => card.processes);
    const all = watched.owners.identify(processes, this.#states.tasks(), at_ms);
    let at = 0;
    const shown = cards.map((card): Shown => ({ card, at_ms, users: all.slice(at, (at += card.processes.length)) }));
    for (const { card, users } of shown) {
      const sight = { n, at_ms, used_bytes: card.memory_used_bytes, users };
      for (const user of this.#states.see(card, cards, sight, shared_files)) this.#reap(card.id, user);
    }
    watched.shown = new Map(shown.map((one) => [one.card.id, one]));
    watched.counted = unknown.length === 0 && look.cards.every(({ trouble }) => trouble === null);
    const unclean = cards.some(({ id }) => this.#states.get(id)?.card.gate.is === "closed");
    watched.unclean = unclean ? watched.unclean + 1 : 0;
    for (const card of cards) this.#health.looked(card.id, conditionOf(card));
    for (const { card, users } of shown) this.#holdToShares(watched, card.id, users);
  }

  #holdToShares(watched: WatchedVendor, id: string, users: readonly CardUser[]): void {
    const { strikes, over } = overdrawn(id, users, this.#states.holders(id), watched.strikes.get(id) ?? new Map());
    watched.strikes.set(id, strikes);
    this.#tells &&= users.every(({ memory_bytes }) => memory_bytes !== null);
    for (const [uid, why] of over) this.#health.condemn(uid, why);
    if (over.size > 0) this.#listener();
  }

  /** With `surely`, the listeners are called even if no card has changed. */
  #changed(surely: boolean): void {
    this.#states.keep(this.#health.memory());
    const now = JSON.stringify([this.devices(), this.#states.admission()]);
    if (now === this.#told && !surely) return;
    this.#told = now;
    this.#listener();
  }

  devices(): readonly Device[] {
    return [...this.#states.devices(), ...this.#options.fakes];
  }

  hasCards(): boolean {
    return this.#states.all().length > 0;
  }

  tellsMemory(): boolean {
    return this.#tells;
  }

  handles(): readonly Handle[] {
    const fakes = this.#options.fakes.map(({ id, vendor, parent, index }) => {
      return { id, vendor, parent, visible: String(index), files: [], shared_files: [], counted: true, missing: false };
    });
    // Cards that this agent must not give away are kept from its tasks like any other.
    const others = [...this.#vendors.values()].flatMap((watched) =>
      watched.others.map((card): Handle => ({ ...card, shared_files: [], counted: watched.counted, missing: false })),
    );
    return [...this.#states.handles((vendor) => this.#vendors.get(vendor)?.counted ?? false), ...others, ...fakes];
  }

  readings(): readonly Reading[] {
    const now_ms = this.#options.clock();
    return [...this.#vendors.values()].flatMap(({ shown, failing }) =>
      [...shown.values()].map((one) => readingOf(one, now_ms, failing !== null)),
    );
  }

  gate(living: () => readonly CardTask[]): readonly AdmissionDevice[] {
    if (this.hasCards() || this.#vendors.size > 0) this.#take(living());
    const fakes = this.#options.fakes.map(({ id, memory_bytes }) => ({ id, memory_bytes, blocked: null }));
    return [...this.#states.admission(), ...fakes];
  }

  #take(living: readonly CardTask[]): void {
    const first = !this.#states.knowsTasks();
    const { ended, freed } = this.#states.take(living, (vendor) => this.#vendors.get(vendor)?.looks.begun() ?? 0);
    for (const uid of ended) this.#health.ended(uid);
    for (const [vendor, watched] of this.#vendors) {
      if (freed.has(vendor)) watched.unclean = 0;
      if (first || freed.has(vendor)) watched.looks.soon();
    }
    this.#states.keep(this.#health.memory());
  }

  verdicts(): ReadonlyMap<string, string> {
    return this.#health.verdicts();
  }

  blames(): ReadonlyMap<string, Blame> {
    // The kernel's log is read before the task's end is judged, since a failed task is often named there.
    if (this.hasCards() && this.#states.knowsTasks()) this.#health.read();
    return this.#health.blames();
  }

  notices(): readonly Notice[] {
    return this.#health.notices();
  }

  noted(n: number): void {
    this.#health.noted(n);
  }

  override(overrides: FindingOverrides): void {
    this.#health.override(overrides);
    this.#states.keep(this.#health.memory());
  }

  async retest(): Promise<readonly Retest[]> {
    const from_ms = this.#options.clock();
    await Promise.all([...this.#vendors.values()].map(({ looks }) => looks.fresh()));
    this.#health.read();
    const results = retested(this.#states, from_ms, (id, vendor) => {
      const { failing = null, shown } = this.#vendors.get(vendor) ?? {};
      return { failing, shown: shown?.get(id) ?? null, objections: this.#health.objections(id, from_ms) };
    });
    this.#changed(false);
    return results;
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
    return [...this.#vendors.values()].every(({ looked }) => looked);
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#listener = () => undefined;
    for (const { looks } of this.#vendors.values()) looks.close();
    this.#health.close();
  }
}
