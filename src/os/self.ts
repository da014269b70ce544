// How to start this same program again: the keeper is it, under another command.

import { join } from "node:path";

/** The argv prefix of this program: the compiled binary, or Bun with the source's entry. */
export function selfCommand(): string[] {
  const embedded = import.meta.dir.startsWith("/$bunfs/") || /^[A-Z]:[\\/]~BUN/.test(import.meta.dir);
  return embedded ? [process.execPath] : [process.execPath, join(import.meta.dir, "..", "main.ts")];
}
