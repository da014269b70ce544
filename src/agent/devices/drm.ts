// What the kernel's graphics drivers report in the same way for all vendors: where a card is on the bus, which cards it
// shares a switch or a socket with, its sensors, and which processes have it open and use memory of it.

import type { Link } from "../../core/model/device";
import type { CardProcess } from "./device";
import { numaNode, pciAddress, type Tree } from "./sysfs";

export interface DrmCard {
  /** `card0`. */
  readonly name: string;
  /** `sys/class/drm/card0/device`. */
  readonly dir: string;
  readonly pci: string;
  /** The vendor's number of the model: `0x744c`. */
  readonly device: string;
}

/** Returns the cards of a vendor (`0x1002`) that a graphics driver has taken, by their number. */
export const drmCards = (tree: Tree, vendor: string): readonly DrmCard[] =>
  tree
    .names("sys/class/drm")
    .filter((name) => /^card\d+$/.test(name))
    .flatMap((name) => {
      const dir = `sys/class/drm/${name}/device`;
      if (tree.text(`${dir}/vendor`) !== vendor) return [];
      const slot = /^PCI_SLOT_NAME=(.+)$/m.exec(tree.text(`${dir}/uevent`) ?? "")?.[1];
      const pci = pciAddress(slot ?? tree.way(dir).at(-1) ?? "");
      return pci === null ? [] : [{ name, dir, pci, device: tree.text(`${dir}/device`) ?? "" }];
    });

interface Placed {
  readonly id: string;
  readonly pci: string;
}

/** Returns how cards are connected by PCIe alone: below a common switch, or by a common socket. */
export function busLinks(tree: Tree, one: Placed, others: readonly Placed[]): readonly Link[] {
  const way = bridges(tree, one.pci);
  return others.flatMap(({ id, pci }) => {
    if (pci === one.pci) return [];
    const theirs = new Set(bridges(tree, pci));
    if (way.some((bridge) => theirs.has(bridge))) return { id, kind: "switch" as const };
    return isSameSocket(tree, one.pci, pci) ? { id, kind: "socket" as const } : [];
  });
}

/**
 * Returns the bridges above a card, from the root down. A bridge that two cards have in common is a switch, or a port
 * that leads to a switch.
 */
const bridges = (tree: Tree, pci: string): readonly string[] =>
  tree
    .way(`sys/bus/pci/devices/${pci}`)
    .slice(0, -1)
    .filter((name) => pciAddress(name) !== null);

function isSameSocket(tree: Tree, a: string, b: string): boolean {
  const [one, other] = [numaNode(tree, a), numaNode(tree, b)];
  if (one !== null || other !== null) return one === other;
  // The kernel does not list NUMA nodes where there is only one.
  return tree.names("sys/devices/system/node").filter((name) => /^node\d+$/.test(name)).length <= 1;
}

/** Returns the first sensor directory of a card (`…/hwmon/hwmon3`), or null. */
export function sensorsOf(tree: Tree, dir: string): string | null {
  const name = tree.names(`${dir}/hwmon`)[0];
  return name === undefined ? null : `${dir}/hwmon/${name}`;
}

export const scaled = (value: number | null, by: number): number | null =>
  value === null ? null : Math.round((value * 1000) / by) / 1000;

/**
 * The lines of `fdinfo` that count memory of a card: resident memory, or taken memory where the driver does not report
 * what is resident.
 */
const MEMORY = /^drm-(resident|memory|total)-(?:vram|local)\d*:\s*(\d+)(?: (KiB|MiB))?$/gm;
const UNITS: Readonly<Record<string, number>> = { KiB: 2 ** 10, MiB: 2 ** 20 };
const KINDS = ["resident", "memory", "total"];

/**
 * Returns the processes that have cards open, by the cards' addresses. The function reads the descriptors of every
 * process, so it is for drivers that have no list of their own. It leaves the agent itself out.
 */
export function drmProcesses(tree: Tree): DrmProcesses {
  const found = new Map<string, CardProcess[]>();
  let complete = true;
  for (const name of tree.names("proc")) {
    if (!/^\d+$/.test(name)) continue;
    complete &&= !tree.refuses(`proc/${name}/fd`);
    for (const [pci, memory_bytes] of cardsOpenBy(tree, `proc/${name}`)) {
      found.set(pci, [...(found.get(pci) ?? []), { pid: Number(name), memory_bytes }]);
    }
  }
  return { on: (pci) => found.get(pci) ?? [], complete };
}

export interface DrmProcesses {
  readonly on: (pci: string) => readonly CardProcess[];
  /** Whether every process could be read. If so, the sum of their memory is all memory in use. */
  readonly complete: boolean;
}

/** Returns how much memory of each card a process uses, for the cards that it has open. */
function cardsOpenBy(tree: Tree, process: string): ReadonlyMap<string, number> {
  const clients = new Map<string, { pci: string; memory_bytes: number }>();
  for (const fd of tree.names(`${process}/fd`)) {
    if (tree.link(`${process}/fd/${fd}`)?.startsWith("/dev/dri/") !== true) continue;
    const text = tree.text(`${process}/fdinfo/${fd}`) ?? "";
    const pci = pciAddress(/^drm-pdev:\s*(\S+)$/m.exec(text)?.[1] ?? "");
    if (pci === null) continue;
    // Copies of a descriptor belong to one client, and its memory counts once.
    const client = /^drm-client-id:\s*(\S+)$/m.exec(text)?.[1] ?? `fd ${fd}`;
    clients.set(`${pci} ${client}`, { pci, memory_bytes: memoryIn(text) });
  }
  const cards = new Map<string, number>();
  for (const { pci, memory_bytes } of clients.values()) cards.set(pci, (cards.get(pci) ?? 0) + memory_bytes);
  return cards;
}

function memoryIn(text: string): number {
  const told = [...text.matchAll(MEMORY)];
  const kind = KINDS.find((one) => told.some(([, of]) => of === one));
  return told
    .filter(([, of]) => of === kind)
    .reduce((sum, [, , count, unit]) => sum + Number(count) * (UNITS[unit ?? ""] ?? 1), 0);
}

/** Joins lists of processes: each process once, with the largest memory that any list reports for it. */
export function joinProcesses(...lists: readonly (readonly CardProcess[])[]): readonly CardProcess[] {
  const found = new Map<number, CardProcess>();
  for (const { pid, memory_bytes } of lists.flat()) {
    const before = found.get(pid)?.memory_bytes ?? null;
    const larger = before === null ? memory_bytes : Math.max(before, memory_bytes ?? 0);
    found.set(pid, { pid, memory_bytes: larger });
  }
  return [...found.values()].sort((a, b) => a.pid - b.pid);
}
