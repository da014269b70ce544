// The checks that count: cards, countables, cores, memory, disk; what a node has at all, and what is free of it.

import { formatBytes, formatCpu } from "./format";
import { found, type Found } from "./found";
import { formatCard, hasMemory, isKind, wholeDevices } from "./gpu";
import type { Device } from "./device";
import type { Look } from "./checks";
import { resolveRequest, type Resolved } from "./resources";
import type { Room } from "./room";
import type { Shape } from "./shape";
import { GIB, MIB, type Bytes, type Milli } from "./units";
import type { GpuRequest } from "./workload";

export const resolvedFor = (shape: Shape, room: Room): Resolved =>
  shape.resolved ?? resolveRequest(shape.spec.request, shape.spec.origin, room.node);

const formatCores = (cpu_milli: Milli): string => `${formatCpu(cpu_milli)} ${cpu_milli === 1_000 ? "core" : "cores"}`;

/** How one amount is compared and said. */
interface Amount {
  readonly key: "cpu_milli" | "memory_bytes" | "disk_bytes";
  /** The whole of an ask: `4 cores`, `2GiB of memory`. */
  readonly asked: (n: number) => string;
  /** What a node has, short. */
  readonly text: (n: number) => string;
  /** Rounded down, so that asking for it fits and reads well. */
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

/** Whether the node has so much of one amount, at all and free now. */
export function checkAmounts(name: keyof typeof AMOUNTS): (look: Look, room: Room) => Found | null {
  const { key, asked, text, down, less, none }: Amount = AMOUNTS[name];
  const ask = (n: number): string => `ask for ${asked(n)}`;
  return ({ shape }, room) => {
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
      detail: `asks for ${asked(need)}, ${text(left)} of ${text(capacity)} free`,
      change: changeTo(name, down(left), ask),
    });
  };
}

const mostFree = (left: number, text: string): Found["best"] =>
  left > 0 ? { value: left, text: `most free ${text}` } : null;

const changeTo = (key: string, value: number, ask: (n: number) => string): Found["change"] =>
  value > 0 ? { key, value, text: ask(value) } : null;

export function checkCountables({ shape }: Look, room: Room): Found | null {
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
      detail: `asks for ${need} ${name}, ${left} of ${capacity} free`,
      change: changeTo(name, left, ask),
    });
  }
  return null;
}

export function checkGpu({ shape }: Look, room: Room): Found | null {
  const { gpu } = shape.spec.request;
  if (gpu === null) return null;
  const isFree = (device: Device): boolean => room.free.taken === null || !room.free.taken.has(device.id);
  let free = 0;
  for (const device of room.cards) if (isFree(device) && isKind(gpu, device) && hasMemory(gpu, device)) free++;
  if (free >= gpu.count) return null;
  const kind = wholeDevices(room.node.devices).filter((device) => isKind(gpu, device));
  if (kind.length === 0) return noKind(gpu, room);
  const fitting = kind.filter((device) => hasMemory(gpu, device));
  if (fitting.length === 0) return noMemory(gpu, kind);
  const such = gpu.models.length > 0 || gpu.memory_min_bytes !== null || gpu.memory_max_bytes !== null ? "such " : "";
  if (fitting.length < gpu.count) {
    return found("gpu", `have fewer than ${gpu.count} ${such}cards`, {
      hopeless: true,
      best: { value: fitting.length, text: `most ${fitting.length}` },
      change: fewerCards(fitting.length),
    });
  }
  const broken = fitting.filter((device) => device.state !== "ok");
  if (fitting.length - broken.length < gpu.count) {
    return found("gpu", `have ${such}cards that are out of order`, {
      detail: broken.map((device) => `${device.id} is ${device.state}`).join(", "),
      change: fewerCards(free),
    });
  }
  return found("gpu", `have too few free ${such}cards`, {
    best: mostFree(free, String(free)),
    detail: `asks for ${gpu.count} ${such}card${gpu.count === 1 ? "" : "s"}, ${free} of ${fitting.length} free`,
    change: fewerCards(free),
  });
}

const fewerCards = (count: number): Found["change"] =>
  count === 0 ? null : { key: "cards", value: count, text: `ask for ${count} card${count === 1 ? "" : "s"}` };

function noKind(gpu: GpuRequest, room: Room): Found {
  const vendor = gpu.vendor ?? "nvidia";
  const of = gpu.models.length > 0 ? gpu.models.join(" or ") : vendor;
  const others = wholeDevices(room.node.devices).filter((device) => device.vendor === vendor && hasMemory(gpu, device));
  const detail =
    room.node.devices.length === 0
      ? "has no card"
      : `has no ${of} card, but ${[...new Set(room.node.devices.map((device) => device.model))].join(", ")}`;
  return found("gpu", `have no ${of} card`, {
    hopeless: true,
    detail,
    change:
      others.length < gpu.count ? null : { key: "model", value: 0, text: `drop the model ${gpu.models.join(", ")}` },
  });
}

function noMemory(gpu: GpuRequest, kind: readonly Device[]): Found {
  const sizes = kind.map((device) => device.memory_bytes);
  const { memory_min_bytes: min, memory_max_bytes: max } = gpu;
  if (min !== null && sizes.every((size) => size < min)) {
    const value = Math.max(...sizes);
    const enough = kind.filter((device) => device.memory_bytes === value).length >= gpu.count;
    return found("gpu", `have no card with ${formatCard(min)}`, {
      hopeless: true,
      best: { value, text: `largest ${formatCard(value)}` },
      change: enough ? { key: "card memory", value, text: `ask for ${formatCard(value)}` } : null,
    });
  }
  const bound = min === null ? `at most ${formatCard(max ?? 0)}` : `${formatCard(min)} to ${formatCard(max ?? 0)}`;
  const value = Math.min(...sizes);
  return found("gpu", `have no card with ${bound}`, {
    hopeless: true,
    best: { value: -value, text: `smallest ${formatCard(value)}` },
    change: { key: "card memory at most", value: -value, text: `take cards of ${formatCard(value)}` },
  });
}
