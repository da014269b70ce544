// The cards of a node as the planner counts them: which can be promised at all, what each can still give, and how
// closely they are connected. What depends on the node's devices alone is computed once.

import type { Device, DeviceState, LinkKind } from "../model/device";
import { classGb, matches, promisable, shareOn, shortDevice } from "./gpu";
import type { Free, CardLoad } from "../model/resources";
import { MIB, type Bytes } from "../units";
import type { GpuRequest } from "../model/workload";

/**
 * A card counts as free for a whole task although foreign processes hold this much of it: an X server and its like hold
 * a little for ever.
 */
export const FOREIGN_TOLERANCE_BYTES = 512 * MIB;

/** How closely cards are connected, the tightest first. At each step the looser links count as well. */
export const TIGHTNESS = { nvlink: 0, xgmi: 0, xelink: 0, switch: 1, socket: 2 } as const satisfies Record<
  LinkKind,
  number
>;
/** The number of steps. As a tightness it means: not connected. */
export const APART = 3;
export const TIGHTNESS_WORDS = ["directly linked", "on one switch", "on one socket", "not connected"] as const;

/** A card that can be promised. */
export interface Promisable {
  readonly device: Device;
  /** The card's id as people tell it from others. */
  readonly name: string;
  /** The card's index in the node's list of cards. */
  readonly at: number;
  readonly class_gb: number;
  /**
   * Why the card is never given, whatever is free; null if nothing is wrong. A part of a card shares the trouble of its
   * card.
   */
  readonly trouble: Trouble | null;
  /** The device that is in trouble: the card itself, or the card that it is a part of. */
  readonly troubled: Device;
  /** Ids of the card that this one is a part of, and of its own parts. A promise of one of them blocks this one. */
  readonly kin: readonly string[];
  /** For each step of tightness, the group of connected cards that this card belongs to. */
  readonly groups: readonly number[];
}

export type Trouble = Exclude<DeviceState, "ok"> | "prohibited";

export interface Cards {
  readonly list: readonly Promisable[];
  readonly byId: ReadonlyMap<string, Promisable>;
  /** Whether every card is sound, so that services can stay. */
  readonly sound: boolean;
  /** For each step of tightness, how many cards each group has. */
  readonly sizes: readonly (readonly number[])[];
  /** Whether any two cards are connected. */
  readonly linked: boolean;
  /** How closely the cards at two indices are connected. */
  tightness(a: number, b: number): number;
  /** For each request, the cards of its kind. The results are kept, since requests and devices are immutable. */
  readonly fitting: WeakMap<GpuRequest, readonly Promisable[]>;
}

const known = new WeakMap<readonly Device[], Cards>();

/** Returns the cards among a node's devices. */
export function cardsOf(devices: readonly Device[]): Cards {
  let cards = known.get(devices);
  if (cards === undefined) known.set(devices, (cards = work(devices)));
  return cards;
}

function work(devices: readonly Device[]): Cards {
  const whole = promisable(devices);
  const table = tightnessTable(whole);
  const n = whole.length;
  const steps = Array.from({ length: APART }, (_, step) => groupsAt(table, n, step));
  const byDevice = new Map(devices.map((device) => [device.id, device]));
  const list = whole.map((device, at): Promisable => {
    const parent = device.parent === null ? undefined : byDevice.get(device.parent);
    return {
      device,
      name: shortDevice(device.id),
      at,
      class_gb: classGb(device.memory_bytes),
      ...troubleOf(device, parent),
      kin: kinOf(device, devices),
      groups: steps.map((groups) => groups[at] ?? 0),
    };
  });
  return {
    list,
    byId: new Map(list.map((card) => [card.device.id, card])),
    sound: !list.some(isBad),
    sizes: steps.map(sizesOf),
    linked: table.some((each) => each < APART),
    tightness: (a, b) => table[a * n + b] ?? APART,
    fitting: new WeakMap(),
  };
}

/** Returns whether services leave a card: it is missing, or its health is in doubt. */
export const isBad = (card: Promisable): card is Promisable & { readonly trouble: "missing" | "quarantined" } =>
  card.trouble === "quarantined" || card.trouble === "missing";

/**
 * Returns the trouble of a device. A card that is missing or quarantined takes its parts along; a dirty part does not
 * affect the others.
 */
function troubleOf(device: Device, parent: Device | undefined): Pick<Promisable, "trouble" | "troubled"> {
  if (parent !== undefined && (parent.state === "missing" || parent.state === "quarantined"))
    return { trouble: parent.state, troubled: parent };
  if (device.state !== "ok") return { trouble: device.state, troubled: device };
  const barred = [device, parent].find((each) => each?.compute_mode === "prohibited");
  return { trouble: barred === undefined ? null : "prohibited", troubled: barred ?? device };
}

function kinOf(device: Device, devices: readonly Device[]): readonly string[] {
  const parts = devices.filter((other) => other.parent === device.id).map(({ id }) => id);
  return device.parent === null ? parts : [device.parent, ...parts];
}

/** Returns a table of how closely each pair of devices is connected. A link counts if either device reports it. */
function tightnessTable(devices: readonly Device[]): Uint8Array {
  const n = devices.length;
  const table = new Uint8Array(n * n).fill(APART);
  const places = new Map(devices.map((device, at) => [device.id, at]));
  for (const [a, { links }] of devices.entries()) {
    for (const { id, kind } of links) {
      const b = places.get(id);
      if (b === undefined || b === a) continue;
      const tightness = Math.min(TIGHTNESS[kind], table[a * n + b] ?? APART);
      table[a * n + b] = tightness;
      table[b * n + a] = tightness;
    }
  }
  return table;
}

/** Returns the groups of cards that are connected at this tightness or closer, directly or through others. */
function groupsAt(table: Uint8Array, n: number, tightness: number): number[] {
  const groups = Array.from({ length: n }, () => -1);
  let next = 0;
  for (let first = 0; first < n; first++) {
    if (groups[first] !== -1) continue;
    const reached = [first];
    groups[first] = next;
    for (let at = reached.pop(); at !== undefined; at = reached.pop()) {
      for (let other = 0; other < n; other++) {
        if (groups[other] !== -1 || (table[at * n + other] ?? APART) > tightness) continue;
        groups[other] = next;
        reached.push(other);
      }
    }
    next++;
  }
  return groups;
}

function sizesOf(groups: readonly number[]): number[] {
  const sizes: number[] = [];
  for (const group of groups) sizes[group] = (sizes[group] ?? 0) + 1;
  return sizes;
}

/** Returns the cards of the kind that a request asks for, in whatever state they are. */
export function fittingCards(cards: Cards, request: GpuRequest): readonly Promisable[] {
  let fitting = cards.fitting.get(request);
  if (fitting === undefined) {
    fitting = cards.list.filter(({ device }) => matches(request, device));
    cards.fitting.set(request, fitting);
  }
  return fitting;
}

// ---- what is left of a card

/** What a request takes of a card; `null` is the whole. */
export const needOn = (request: GpuRequest, card: Promisable): Bytes | null =>
  request.share_bytes === undefined ? null : shareOn(request.share_bytes, card.device);

const NOTHING: CardLoad = { whole: 0, shares: 0, bytes: 0 };

export const heldOf = (card: Promisable, free: Free): CardLoad => free.held?.get(card.device.id) ?? NOTHING;

const isBusy = ({ whole, shares }: CardLoad): boolean => whole > 0 || shares > 0;

/** Returns whether a part of the card, or the card that it is a part of, is promised to somebody. */
function isKinBusy({ kin }: Promisable, { held }: Free): boolean {
  if (kin.length === 0 || held === null) return false;
  return kin.some((id) => isBusy(held.get(id) ?? NOTHING));
}

/** Returns how many bytes of a card are neither promised nor used by foreign processes. */
export const leftOf = (card: Promisable, free: Free): Bytes =>
  Math.max(0, card.device.memory_bytes - card.device.foreign_bytes - heldOf(card, free).bytes);

/**
 * Why a card of the right kind is not given. `exclusive`: the card is set to one process, so no share is given.
 * `foreign`: foreign processes use too much of it.
 */
export type CardRefusal = Trouble | "exclusive" | "held" | "foreign";

/** Returns what keeps `need` of a card from being promised now, or null. */
export function refusalOf(card: Promisable, need: Bytes | null, free: Free): CardRefusal | null {
  if (card.trouble !== null) return card.trouble;
  if (need !== null && card.device.compute_mode === "exclusive") return "exclusive";
  const held = heldOf(card, free);
  if (held.whole > 0 || isKinBusy(card, free)) return "held";
  if (need === null) {
    if (held.shares > 0) return "held";
    return card.device.foreign_bytes > FOREIGN_TOLERANCE_BYTES ? "foreign" : null;
  }
  if (held.bytes + need > card.device.memory_bytes) return "held";
  return held.bytes + need + card.device.foreign_bytes > card.device.memory_bytes ? "foreign" : null;
}

/**
 * Returns whether time or the end of another task can undo a refusal. Other refusals stand until the card is set up
 * anew.
 */
export const mayPass = (refusal: CardRefusal): boolean => refusal !== "prohibited" && refusal !== "exclusive";
