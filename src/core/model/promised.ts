// What a task is promised on its node, as amounts that can be added up.

import type { Milli, Bytes } from "../units";

/** Countable resources of a node, or a sum of promises. */
export interface Amounts {
  readonly cpu_milli: Milli;
  readonly memory_bytes: Bytes;
  readonly disk_bytes: Bytes;
  readonly countables: Readonly<Record<string, number>>;
}

export interface PortPromise {
  readonly name: string;
  readonly target: number;
  readonly published: number;
  readonly bind: "cluster" | "loopback";
}

/** What a task was promised on its node. The promise holds until the task's end is proven. */
export interface Promised extends Amounts {
  /** Whether memory is a hard limit (it was asked for) or only counted. */
  readonly memory_limited: boolean;
  /** The promised devices. `bytes: null` means the whole device. */
  readonly devices: readonly { readonly id: string; readonly bytes: Bytes | null }[];
  readonly ports: readonly PortPromise[];
}

/**
 * Returns what is left of a promise for a number of equal places when only some of them are in use. Cards and ports
 * stay whole.
 */
export function shareOf(promised: Promised, places: number, all: number): Promised {
  const part = (amount: number): number => Math.ceil((amount / all) * places);
  return {
    ...promised,
    cpu_milli: part(promised.cpu_milli),
    memory_bytes: part(promised.memory_bytes),
    disk_bytes: part(promised.disk_bytes),
    countables: Object.fromEntries(Object.entries(promised.countables).map(([name, count]) => [name, part(count)])),
  };
}

/** The promise of nothing at all. */
export const NO_PROMISE: Promised = {
  cpu_milli: 0,
  memory_bytes: 0,
  disk_bytes: 0,
  countables: {},
  memory_limited: false,
  devices: [],
  ports: [],
};
