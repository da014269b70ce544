// The standard streams, without the runtime's own: their code takes 2 to 3 ms to load, a tenth of a short command.

import { constants, fstatSync, openSync, statSync, writeSync } from "node:fs";

/** Writes a short text to standard output. Throws the system's error. */
export function sayNow(text: string): void {
  writeSync(1, text);
}

/** Writes a short text to standard error, the last place where anything can be said: its own errors are dropped. */
export function complainNow(text: string): void {
  try {
    writeSync(2, text);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
  }
}

/** Whether a stream that this process was given may be a terminal: a device, and not the one that drops all. */
export function mayBeTerminal(fd: 0 | 1 | 2): boolean {
  const stats = statsOf(fd);
  return stats !== null && stats.isCharacterDevice() && stats.rdev !== statSync("/dev/null").rdev;
}

/** Returns what a descriptor of this process is, or null if it is not open. */
function statsOf(fd: number): ReturnType<typeof fstatSync> | null {
  try {
    return fstatSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EBADF") return null;
    throw error;
  }
}

/** Writes at once what is taken at once, and returns the rest, which is empty if all was. Throws the system's error. */
export type WriteNow = (bytes: Uint8Array) => Uint8Array;

/**
 * Returns how to write to a file or a pipe without ever waiting for a reader. Null for all else, such as terminals and
 * sockets, and pipes of others that cannot be opened anew.
 */
export function writeNow(fd: 1 | 2): WriteNow | null {
  const stats = statsOf(fd);
  if (stats === null) return null;
  if (stats.isFile()) return (bytes) => writeUntilFull(fd, bytes);
  const own = stats.isFIFO() ? openedAnew(fd) : null;
  return own === null ? null : (bytes) => writeUntilFull(own, bytes);
}

/** Opens a pipe once more. What is set there (never to wait) is not set for the others that have the pipe. */
function openedAnew(fd: number): number | null {
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK);
  } catch {
    return null;
  }
}

function writeUntilFull(fd: number, bytes: Uint8Array): Uint8Array {
  let rest = bytes;
  while (rest.length > 0) {
    try {
      rest = rest.subarray(writeSync(fd, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "EAGAIN") break;
      throw error;
    }
  }
  return rest;
}
