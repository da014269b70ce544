// The checks of amounts: cores, memory, disk, countables. Each compares with what a node has at all, and with what is
// free.

import { formatBytes, formatCpu } from "../format";
import { found, type Found } from "./found";
import { fittingCards, needOn } from "../cards/node-cards";
import type { Look, Shape } from "./shape";
import { resolveRequest, type Resolved } from "../model/resources";
import { pickIn, promisesOn, type Room, type Rooms } from "./room";
import { compareText } from "../canonical";
import type { Promised } from "../model/promised";
import type { Pass } from "../pass/pass";
import { GIB, MIB, type Bytes, type Milli } from "../units";
import type { GpuRequest } from "../model/workload";

export function resolvedFor({ resolved, spec }: Shape, room: Room): Resolved {
  if (resolved !== null) return resolved;
  const { request, origin } = spec;
  return resolveRequest(request, origin, room.node, cardsFor(request.gpu, room), room.cards.list.length);
}

/** Returns how many of a node's cards a request takes. A share counts as its part of the card that it would be on. */
function cardsFor(gpu: GpuRequest | null, room: Room): number {
  if (gpu === null) return 0;
  if (gpu.share_bytes === undefined) return gpu.count;
  const cards = pickIn(room, gpu)?.cards.map(({ card }) => card) ?? fittingCards(room.cards, gpu).slice(0, gpu.count);
  return cards.reduce((sum, card) => sum + (needOn(gpu, card) ?? 0) / card.device.memory_bytes, 0);
}

const formatCores = (cpu_milli: Milli): string => `${formatCpu(cpu_milli)} ${cpu_milli === 1_000 ? "core" : "cores"}`;

/** How one amount is compared and worded. */
interface Amount {
  readonly key: "cpu_milli" | "memory_bytes" | "disk_bytes";
  /** Words an amount that is asked for: `4 cores`, `2GiB of memory`. */
  readonly asked: (n: number) => string;
  /** Words what a node has, in short. */
  readonly text: (n: number) => string;
  /** Rounds down, so that a request for the result fits and reads well. */
  readonly down: (n: number) => number;
  readonly less: string;
  readonly none: string;
}

const bytesOf = (what: string, key: Amount["key"]): Amount => ({
  key,
  asked: (n) => `${formatBytes(n)} of ${what}`,
  text: (n) => formatBytes(floorBytes(n)),
  down: floorBytes,
  less: "less than",
  none: `too little free ${what}`,
});

const AMOUNTS = {
  cpu: {
    key: "cpu_milli",
    asked: formatCores,
    text: formatCpu,
    down: (n) => n,
    less: "fewer than",
    none: "too few free cores",
  },
  memory: bytesOf("memory", "memory_bytes"),
  disk: bytesOf("disk", "disk_bytes"),
} satisfies Record<string, Amount>;

function floorBytes(bytes: Bytes): Bytes {
  if (bytes >= 10 * GIB) return Math.floor(bytes / GIB) * GIB;
  return Math.max(0, Math.floor(bytes / (64 * MIB)) * 64 * MIB);
}

/** Makes the check whether a node has enough of one amount, at all and free now. */
export function checkAmounts(name: keyof typeof AMOUNTS): (look: Look, room: Room) => Found | null {
  const { key, asked, text, down, less, none }: Amount = AMOUNTS[name];
  const exact = name === "cpu" ? formatCpu : formatBytes;
  const ask = (n: number): string => `ask for ${asked(n)}`;
  return ({ pass, rooms, shape }, room) => {
    const need = (shape.resolved ?? resolvedFor(shape, room))[key];
    const free = room.free[key];
    if (need <= free || need === 0) return null;
    const capacity = room.node.capacity[key];
    if (need > capacity) {
      return found(name, `have ${less} ${asked(need)}`, {
        hopeless: true,
        best: { value: capacity, text: `largest ${text(capacity)}` },
        detail: `asks for ${asked(need)}, the node has ${text(capacity)}`,
        change: changeTo(name, down(capacity), ask),
      });
    }
    const left = Math.max(0, free);
    return found(name, `have ${none}`, {
      best: mostFree(left, text(left)),
      detail:
        `asks for ${asked(need)}, ${text(left)} of ${text(capacity)} free` +
        heldBy(pass, rooms, room, (one) => one[key], exact),
      change: changeTo(name, down(left), ask),
    });
  };
}

/** How many holders are named. The others are counted. */
const NAMED_HOLDERS = 3;

/** Returns who holds an amount on a node, those with most of it first: `, held by recs.api.0 (4), run 12 (500m)`. */
function heldBy(
  pass: Pass,
  rooms: Rooms,
  { node }: Room,
  amountOf: (promised: Promised) => number,
  text: (n: number) => string,
): string {
  const held = promisesOn(pass, rooms, node.id)
    .map(({ name, promised }) => ({ name, amount: amountOf(promised) }))
    .filter(({ amount }) => amount > 0)
    .sort((a, b) => b.amount - a.amount || compareText(a.name, b.name));
  if (held.length === 0) return "";
  const named = held.slice(0, NAMED_HOLDERS).map(({ name, amount }) => `${name} (${text(amount)})`);
  const more = held.length - named.length;
  return `, held by ${named.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
}

export const mostFree = (left: number, text: string): Found["best"] =>
  left > 0 ? { value: left, text: `most free ${text}` } : null;

const changeTo = (key: string, value: number, ask: (n: number) => string): Found["change"] =>
  value > 0 ? { key, value, text: ask(value) } : null;

export function checkCountables({ pass, rooms, shape }: Look, room: Room): Found | null {
  const asked = shape.spec.request.countables;
  for (const name in asked) {
    const need = asked[name] ?? 0;
    const free = room.free.countables?.get(name) ?? 0;
    if (need <= free) continue;
    const capacity = room.node.capacity.countables[name] ?? 0;
    const ask = (n: number): string => `ask for ${n} ${name}`;
    if (capacity === 0) return found("countable", `have no ${name}`, { hopeless: true });
    if (need > capacity) {
      return found("countable", `have fewer than ${need} ${name}`, {
        hopeless: true,
        best: { value: capacity, text: `most ${capacity}` },
        change: changeTo(name, capacity, ask),
      });
    }
    const left = Math.max(0, free);
    return found("countable", `have too few free ${name}`, {
      best: mostFree(left, String(left)),
      detail:
        `asks for ${need} ${name}, ${left} of ${capacity} free` +
        heldBy(pass, rooms, room, ({ countables }) => countables[name] ?? 0, String),
      change: changeTo(name, left, ask),
    });
  }
  return null;
}
