// What /sys, /proc and /dev say of cards of any vendor, below a root that tests choose. Texts and numbers, `null` where
// there is none.

import { createHash } from "node:crypto";
import { join } from "node:path";
import { driverBytes, driverLink, driverNames, driverPath, driverText, isRefused } from "../../os/files/driver-files";
import { exists } from "../../os/files/files";

/** A machine's files below a root; nothing of it throws, and what lies behind a sick driver may hang. */
export interface Tree {
  text(path: string): string | null;
  /** Decimal, or hexadecimal behind `0x`. */
  number(path: string): number | null;
  /** In the order of their numbers where they have some: `card2`, `card10`. */
  names(path: string): readonly string[];
  has(path: string): boolean;
  /** Whether a directory is not ours to read. */
  refuses(path: string): boolean;
  link(path: string): string | null;
  /** The names on the way to where a path leads in the end. */
  way(path: string): readonly string[];
  bytes(path: string, length: number): Uint8Array | null;
}

const byNumber = new Intl.Collator("en", { numeric: true });

export const treeAt = (root: string): Tree => ({
  text: (path) => driverText(join(root, path)),
  number: (path) => numberIn(driverText(join(root, path))),
  names: (path) => driverNames(join(root, path)).toSorted(byNumber.compare),
  has: (path) => exists(join(root, path)),
  refuses: (path) => isRefused(join(root, path)),
  link: (path) => driverLink(join(root, path)),
  way: (path) => driverPath(join(root, path))?.split("/") ?? [],
  bytes: (path, length) => driverBytes(join(root, path), length),
});

export function numberIn(text: string | null): number | null {
  if (text === null || text === "") return null;
  const value = Number(text);
  return Number.isFinite(value) ? value : null;
}

const NUMBER = /^([0-9a-f]{4,8}):([0-9a-f]{2}):([0-9a-f]{2})\.([0-9a-f])$/i;

/** `00000000:65:00.0` and `0000:65:00.0` as the kernel writes it; `null` for what is no address. */
export function pciAddress(text: string): string | null {
  const [, domain, bus, device, part] = NUMBER.exec(text.trim()) ?? [];
  if (domain === undefined) return null;
  return `${domain.replace(/^0+(?=.{4})/, "")}:${bus}:${device}.${part}`.toLowerCase();
}

/** Cards in the order of the bus; what has no address comes last, by its id. */
export function byBus(a: Located, b: Located): number {
  if (a.pci === b.pci) return a.id < b.id ? -1 : 1;
  if (a.pci === null || b.pci === null) return a.pci === null ? 1 : -1;
  return keyOf(a.pci) < keyOf(b.pci) ? -1 : 1;
}

interface Located {
  readonly id: string;
  readonly pci: string | null;
}

/** Domains may have more than four digits: a longer one is a higher one. */
const keyOf = (pci: string): string => pci.padStart(16, "0");

export function numaNode(tree: Tree, pci: string | null): number | null {
  const node = pci === null ? null : tree.number(`sys/bus/pci/devices/${pci}/numa_node`);
  return node === null || node < 0 ? null : node;
}

/** The version of a driver; one that comes with the kernel has none but the kernel's. */
export function driverVersion(tree: Tree, module: string): string | null {
  const own = tree.text(`sys/module/${module}/version`);
  const kernel = tree.text("proc/sys/kernel/osrelease");
  return own ?? (kernel === null ? null : `linux ${kernel}`);
}

/** Tells machines apart in the names of cards that have no number of their own. */
export function machineTag(tree: Tree): string {
  const id = tree.text("etc/machine-id") ?? tree.text("var/lib/dbus/machine-id");
  const name = id ?? tree.text("proc/sys/kernel/hostname") ?? "";
  return createHash("sha256").update(name).digest("hex").slice(0, 8);
}

/** The files by which programs draw and compute on a card without its vendor's own: `/dev/dri/renderD128`. */
export const drmFiles = (tree: Tree, pci: string | null): readonly string[] =>
  pci === null
    ? []
    : tree
        .names(`sys/bus/pci/devices/${pci}/drm`)
        .filter((name) => /^(?:card|renderD)\d+$/.test(name))
        .map((name) => `/dev/dri/${name}`);

const DISPLAY_CLASSES = /^0x03/;

/** Whether a card of this vendor is plugged in, whatever driver it has. */
export const isPlugged = (tree: Tree, vendor: string): boolean =>
  tree
    .names("sys/bus/pci/devices")
    .some(
      (name) =>
        tree.text(`sys/bus/pci/devices/${name}/vendor`) === vendor &&
        DISPLAY_CLASSES.test(tree.text(`sys/bus/pci/devices/${name}/class`) ?? ""),
    );

/** The fields of what should be an object. */
export const fieldsOf = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
