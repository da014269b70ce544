// Which paths can be touched without waiting for another machine or for a program. A network mount whose server is gone
// holds whoever looks at it, and so does a FUSE mount whose program hangs. The kernel's own list of mounts tells before
// such a look.

import { lstatSync, openSync, readlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { hasTold } from "../libc";
import { kernelText } from "../proc";
import { mountsIn } from "./filesystem";

/** File systems that answer from the memory and the disks of this machine. Any other kind counts as far. */
const DISKS = "ext2 ext3 ext4 xfs btrfs zfs f2fs jfs bcachefs vfat exfat ntfs3 iso9660 overlay squashfs erofs";
const MEMORY = "tmpfs ramfs rootfs devtmpfs devpts hugetlbfs mqueue";
const KERNEL =
  "proc sysfs cgroup cgroup2 bpf debugfs tracefs securityfs configfs pstore efivarfs nsfs binfmt_misc fusectl";
const NEAR: ReadonlySet<string> = new Set([DISKS, MEMORY, KERNEL].flatMap((names) => names.split(" ")));
const MOST_LINKS = 40;

const MOUNTS = "/proc/self/mountinfo";

/** The mounts as they were read last, and the descriptor on which the kernel tells that they have changed since. */
let known: { readonly told: number; readonly far: readonly string[] } | null = null;

/** Returns the points of the mounts that are not of this machine alone. Most machines mount something once a day. */
function farPoints(): readonly string[] {
  if (process.platform !== "linux") return [];
  if (known !== null && !hasTold(known.told)) return known.far;
  // Opened before it is read: what is mounted in between is told at the next look.
  const told = known?.told ?? openSync(MOUNTS, "r");
  const text = kernelText(MOUNTS) ?? "";
  known = { told, far: mountsIn(text).flatMap(({ point, type }) => (NEAR.has(type) ? [] : [point])) };
  return known.far;
}

/** Returns whether a look at a path may have to wait for more than this machine. */
export const isFar = (path: string): boolean => leadsTo(path, farPoints());

/** Returns whether a look at one of several paths may, by one look at the mounts. */
export function isAnyFar(paths: readonly string[]): boolean {
  const far = farPoints();
  return paths.some((path) => leadsTo(path, far));
}

/**
 * Returns whether a path leads into one of the mounts `far`. Every directory and link on the way is looked at, and
 * nothing in those mounts.
 */
export function leadsTo(path: string, far: readonly string[]): boolean {
  if (far.length === 0) return false;
  let at = "/";
  let links = 0;
  const parts = path.split("/");
  while (parts.length > 0) {
    const part = parts.shift() ?? "";
    if (part === "" || part === ".") continue;
    if (part === "..") {
      at = dirname(at);
      continue;
    }
    const next = join(at, part);
    if (far.some((point) => next === point || next.startsWith(`${point}/`))) return true;
    const target = linkAt(next);
    if (target === null) at = next;
    else if (++links > MOST_LINKS) return false;
    else {
      parts.unshift(...target.split("/"));
      if (target.startsWith("/")) at = "/";
    }
  }
  return false;
}

/** Returns where a link leads, or null if there is none. */
function linkAt(path: string): string | null {
  try {
    return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(path) : null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}
