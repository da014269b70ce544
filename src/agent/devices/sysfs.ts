// What /sys, /proc and /dev report of cards of any vendor, below a root that tests choose. Texts and numbers are null
// where a file does not exist.

import { compareText } from "../../core/canonical";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { driverBytes, driverLink, driverNames, driverPath, driverText, isRefused } from "../../os/files/driver-files";
import { exists } from "../../os/files/files";

/** A machine's files below a root. No function throws. Reading a file of a broken driver may hang. */
export interface Tree {
  text(path: string): string | null;
  /** Reads a decimal number, or a hexadecimal one that begins with `0x`. */
  number(path: string): number | null;
  /** Lists the names in a directory, in the order of the numbers in them: `card2`, `card10`. */
  names(path: string): readonly string[];
  has(path: string): boolean;
  /** Returns whether the directory exists and may not be read. */
  refuses(path: string): boolean;
  link(path: string): string | null;
  /** Returns the names on the real path of `path`, with all links followed. */
  way(path: string): readonly string[];
  bytes(path: string, length: number): Uint8Array | null;
}

/** Made when it is used: a machine without cards never needs it, and the runtime takes 6 ms for the first one. */
let collator: Intl.Collator | null = null;
const byNumber = (a: string, b: string): number =>
  (collator ??= new Intl.Collator("en", { numeric: true })).compare(a, b);

export const treeAt = (root: string): Tree => ({
  text: (path) => driverText(join(root, path)),
  number: (path) => numberIn(driverText(join(root, path))),
  names: (path) => driverNames(join(root, path)).toSorted(byNumber),
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

/**
 * Returns an address as the kernel writes it: `0000:65:00.0` for `00000000:65:00.0`. Returns null for what is no
 * address.
 */
export function pciAddress(text: string): string | null {
  const [, domain, bus, device, part] = NUMBER.exec(text.trim()) ?? [];
  if (domain === undefined) return null;
  return `${domain.replace(/^0+(?=.{4})/, "")}:${bus}:${device}.${part}`.toLowerCase();
}

/** Compares two cards by their order on the bus. Cards without an address come last, by their ids. */
export function byBus(a: Located, b: Located): number {
  if (a.pci === b.pci) return compareText(a.id, b.id);
  if (a.pci === null || b.pci === null) return a.pci === null ? 1 : -1;
  return keyOf(a.pci) < keyOf(b.pci) ? -1 : 1;
}

interface Located {
  readonly id: string;
  readonly pci: string | null;
}

/** A domain may have more than four digits, and a longer domain is a higher one. */
const keyOf = (pci: string): string => pci.padStart(16, "0");

export function numaNode(tree: Tree, pci: string | null): number | null {
  const node = pci === null ? null : tree.number(`sys/bus/pci/devices/${pci}/numa_node`);
  return node === null || node < 0 ? null : node;
}

/** Returns the version of a driver. A driver that comes with the kernel has the kernel's version. */
export function driverVersion(tree: Tree, module: string): string | null {
  const own = tree.text(`sys/module/${module}/version`);
  const kernel = tree.text("proc/sys/kernel/osrelease");
  return own ?? (kernel === null ? null : `linux ${kernel}`);
}

/** Returns a short text that differs between machines, for ids of cards that have no number of their own. */
export function machineTag(tree: Tree): string {
  const id = tree.text("etc/machine-id") ?? tree.text("var/lib/dbus/machine-id");
  const name = id ?? tree.text("proc/sys/kernel/hostname") ?? "";
  return createHash("sha256").update(name).digest("hex").slice(0, 8);
}

/** Returns the files by which programs use a card through the kernel's graphics driver: `/dev/dri/renderD128`. */
export const drmFiles = (tree: Tree, pci: string | null): readonly string[] =>
  pci === null
    ? []
    : tree
        .names(`sys/bus/pci/devices/${pci}/drm`)
        .filter((name) => /^(?:card|renderD)\d+$/.test(name))
        .map((name) => `/dev/dri/${name}`);

const DISPLAY_CLASSES = /^0x03/;

/** Returns whether a card of this vendor is plugged in, whatever driver it has. */
export const isPlugged = (tree: Tree, vendor: string): boolean =>
  tree
    .names("sys/bus/pci/devices")
    .some(
      (name) =>
        tree.text(`sys/bus/pci/devices/${name}/vendor`) === vendor &&
        DISPLAY_CLASSES.test(tree.text(`sys/bus/pci/devices/${name}/class`) ?? ""),
    );
