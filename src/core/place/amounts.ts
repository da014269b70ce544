// The checks of amounts: cores, memory, disk, countables. Each compares with what a node has at all, and with what is
// free.

import { formatBytes, formatCpu } from "../format";
import { found, type Found, type Tell } from "./found";
import type { Look } from "./shape";
import { askForCountable, askForCpu, askForDisk, askForMemory, type RequestChange } from "./request-changes";
import { promisesOn } from "./company";
import type { NamedPromise, Room, Rooms } from "./room";
import { resolvedFor } from "./spare";
import { compareText } from "../canonical";
import type { Promised } from "../model/promised";
import type { Pass } from "../pass/pass";
import { GIB, MIB, type Bytes, type Milli } from "../units";

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
  readonly ask: (n: number) => RequestChange;
}

const bytesOf = (what: string, key: Amount["key"], ask: Amount["ask"]): Amount => ({
  key,
  asked: (n) => `${formatBytes(n)} of ${what}`,
  text: (n) => formatBytes(n < 64 * MIB ? floorSmall(n) : floorBytes(n)),
  down: floorBytes,
  less: "less than",
  none: `too little free ${what}`,
  ask,
});

const AMOUNTS = {
  cpu: {
    key: "cpu_milli",
    asked: formatCores,
    text: formatCpu,
    down: (n) => n,
    less: "fewer than",
    none: "too few free cores",
    ask: askForCpu,
  },
  memory: bytesOf("memory", "memory_bytes", askForMemory),
  disk: bytesOf("disk", "disk_bytes", askForDisk),
} satisfies Record<string, Amount>;

function floorBytes(bytes: Bytes): Bytes {
  if (bytes >= 10 * GIB) return Math.floor(bytes / GIB) * GIB;
  return Math.max(0, Math.floor(bytes / (64 * MIB)) * 64 * MIB);
}

/** Rounds down what is too little to ask for, and is there all the same. */
const floorSmall = (bytes: Bytes): Bytes => (bytes < MIB ? bytes : Math.floor(bytes / MIB) * MIB);

/** Makes the check whether a node has enough of one amount, at all and free now. */
export function checkAmounts(name: keyof typeof AMOUNTS): (look: Look, room: Room) => Tell | null {
  const { key, asked, text, down, less, none, ask }: Amount = AMOUNTS[name];
  const exact = name === "cpu" ? formatCpu : formatBytes;
  const tell = ({ pass, rooms, shape }: Look, room: Room, need: number): Found => {
    const free = room.free[key];
    const byDefault = ({ by_default }: NamedPromise): boolean =>
      name !== "disk" && by_default?.[name as "cpu" | "memory"] === true;
    const given = key !== "disk_bytes" && shape.spec.request[key] === null ? " (default)" : "";
    const capacity = room.node.capacity[key];
    const left = Math.max(0, free);
    if (need > capacity) {
      return found(name, `have ${less} ${asked(need)}`, {
        hopeless: true,
        best: { value: capacity, text: `largest ${text(capacity)}` },
        detail: `asks for ${asked(need)}${given}, the node has ${text(capacity)}`,
        change: lessOf(down(left), ask),
        ever: lessOf(down(capacity), ask),
      });
    }
    return found(name, `have ${none}`, {
      best: mostFree(left, text(left)),
      detail:
        `asks for ${asked(need)}${given}, ${text(left)} of ${text(capacity)} free` +
        heldBy(pass, rooms, room, (one) => one[key], exact, byDefault),
      change: lessOf(down(left), ask),
    });
  };
  return (look, room) => {
    const need = (look.shape.resolved ?? resolvedFor(look, room))[key];
    return need <= room.free[key] || need === 0 ? null : () => tell(look, room, need);
  };
}

/** How many holders are named. The others are counted. */
const NAMED_HOLDERS = 3;

/** Returns who holds an amount on a node, those with most of it first: `, held by lab/recs.api.0 (4)`. */
function heldBy(
  pass: Pass,
  rooms: Rooms,
  { node }: Room,
  amountOf: (promised: Promised) => number,
  text: (n: number) => string,
  byDefault: (held: NamedPromise) => boolean = () => false,
): string {
  const held = promisesOn(pass, rooms, node.id)
    .map((one) => ({ name: one.name, amount: amountOf(one.promised), given: byDefault(one) }))
    .filter(({ amount }) => amount > 0)
    .sort((a, b) => b.amount - a.amount || compareText(a.name, b.name));
  if (held.length === 0) return "";
  const named = held
    .slice(0, NAMED_HOLDERS)
    .map(({ name, amount, given }) => `${name} (${text(amount)}${given ? ", default" : ""})`);
  const more = held.length - named.length;
  return `, held by ${named.join(", ")}${more === 0 ? "" : ` and ${more} more`}`;
}

export const mostFree = (left: number, text: string): Found["best"] =>
  left > 0 ? { value: left, text: `most free ${text}` } : null;

/** Returns the change to an amount, unless nothing is left of it. */
const lessOf = (value: number, ask: (value: number) => RequestChange): RequestChange | null =>
  value > 0 ? ask(value) : null;

export function checkCountables(look: Look, room: Room): Tell | null {
  const asked = look.shape.spec.request.countables;
  for (const name in asked) {
    const need = asked[name] ?? 0;
    if (need > (room.free.countables?.get(name) ?? 0)) return () => tellCountable(look, room, name, need);
  }
  return null;
}

function tellCountable({ pass, rooms }: Look, room: Room, name: string, need: number): Found {
  const capacity = room.node.capacity.countables[name] ?? 0;
  const ask = (n: number): RequestChange => askForCountable(name, n);
  const left = Math.max(0, room.free.countables?.get(name) ?? 0);
  if (capacity === 0) return found("countable", `have no ${name}`, { hopeless: true });
  if (need > capacity) {
    return found("countable", `have fewer than ${need} ${name}`, {
      hopeless: true,
      best: { value: capacity, text: `most ${capacity}` },
      change: lessOf(left, ask),
      ever: lessOf(capacity, ask),
    });
  }
  return found("countable", `have too few free ${name}`, {
    best: mostFree(left, String(left)),
    detail:
      `asks for ${need} ${name}, ${left} of ${capacity} free` +
      heldBy(pass, rooms, room, ({ countables }) => countables[name] ?? 0, String),
    change: lessOf(left, ask),
  });
}
