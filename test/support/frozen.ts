// A disk that can hang: an ext4 file system in a file, frozen by the kernel. Whoever writes to it waits, with a frozen
// disk as with one whose cable is pulled.

import { existsSync, mkdirSync, rmSync } from "node:fs";

/** Returns why this machine cannot make such a disk, or null. */
export function noDisk(): string | null {
  if (process.getuid?.() !== 0) return "not root";
  if (!existsSync("/dev/loop-control")) return "no loop devices";
  const missing = ["mkfs.ext4", "fsfreeze", "mount"].filter((name) => Bun.which(name) === null);
  return missing.length === 0 ? null : `no ${missing.join(", ")}`;
}

export interface Disk {
  freeze(): void;
  thaw(): void;
  /** Thaws and unmounts it, if that was not done. */
  remove(): void;
}

function run(...argv: string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(argv, { stdout: "ignore", stderr: "pipe" });
  if (exitCode !== 0) throw new Error(`${argv.join(" ")}: ${stderr.toString()}`);
}

/** Makes a disk and mounts it at a directory. `image` is the file that holds it. */
export function makeDisk(image: string, at: string): Disk {
  mkdirSync(at, { recursive: true, mode: 0o700 });
  run("truncate", "-s", "2G", image);
  run("mkfs.ext4", "-q", "-F", image);
  run("mount", "-o", "loop", image, at);
  let [frozen, mounted] = [false, true];
  const disk: Disk = {
    freeze: () => {
      run("fsfreeze", "--freeze", at);
      frozen = true;
    },
    thaw: () => {
      if (frozen) run("fsfreeze", "--unfreeze", at);
      frozen = false;
    },
    remove: () => {
      disk.thaw();
      if (mounted) run("umount", "--lazy", at);
      mounted = false;
      rmSync(image, { force: true });
    },
  };
  return disk;
}
