// How to start this same program again: the keeper is it, under another command.

import { join } from "node:path";

const isEmbedded = (): boolean => import.meta.dir.startsWith("/$bunfs/") || /^[A-Z]:[\\/]~BUN/.test(import.meta.dir);

/** The compiled binary that runs; `null`: it runs from source. */
export const ownBinary = (): string | null => (isEmbedded() ? process.execPath : null);

/** The argv prefix of this program: the compiled binary, or Bun with the source's entry. */
export function selfCommand(): string[] {
  return isEmbedded() ? [process.execPath] : [process.execPath, join(import.meta.dir, "..", "main.ts")];
}
