// How to start this program again: the keeper is the same program under another command.

import { join } from "node:path";

const isEmbedded = (): boolean => import.meta.dir.startsWith("/$bunfs/") || /^[A-Z]:[\\/]~BUN/.test(import.meta.dir);

/** Returns the path of the compiled binary, or null if the program runs from source. */
export const ownBinary = (): string | null => (isEmbedded() ? process.execPath : null);

/**
 * Returns the first words of a command line that starts this program: the compiled binary, or Bun and the source's
 * entry file.
 */
export function selfCommand(): string[] {
  return isEmbedded() ? [process.execPath] : [process.execPath, join(import.meta.dir, "..", "main.ts")];
}
