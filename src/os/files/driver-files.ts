// Files of drivers in /sys and /proc. They come and go with the hardware, so an error only means that a file has no
// value now. No function here throws for an error of a driver; every function may hang.

import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, readSync, realpathSync } from "node:fs";

/** Returns what `read` returns, or null where the system refuses with an error of its own. */
function orNull<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}

export const driverText = (path: string): string | null => orNull(() => readFileSync(path, "utf8").trim());

export const driverNames = (path: string): readonly string[] => orNull(() => readdirSync(path)) ?? [];

/** Returns whether a directory exists and may not be read. */
export function isRefused(path: string): boolean {
  try {
    readdirSync(path);
    return false;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return code === "EACCES" || code === "EPERM";
  }
}

/** Returns the target of a link as it is written in it. */
export const driverLink = (path: string): string | null => orNull(() => readlinkSync(path));

/** Returns the path with all links resolved. */
export const driverPath = (path: string): string | null => orNull(() => realpathSync(path));

export function driverBytes(path: string, length: number): Uint8Array | null {
  const fd = orNull(() => openSync(path, "r"));
  if (fd === null) return null;
  try {
    const bytes = new Uint8Array(length);
    const read = orNull(() => readSync(fd, bytes, 0, length, 0));
    return read === null ? null : bytes.subarray(0, read);
  } finally {
    closeSync(fd);
  }
}
