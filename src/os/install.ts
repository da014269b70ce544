// Puts files of an installation in their place, whole and with their owner, and says what it found there already.

import { chownSync, chmodSync, existsSync, mkdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { copyDurably, writeDurably } from "./files/durable";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** `same`: it lay there already, to the letter. */
export type Put = "written" | "replaced" | "same";

/** Writes a text file. The directories above it are made if they are missing. */
export function putFile(path: string, text: string, mode: number, owner: Owner | null): Put {
  mkdirSync(dirname(path), { recursive: true });
  const before = existsSync(path) ? readFileSync(path, "utf8") : null;
  if (before !== text) writeDurably(path, text, mode);
  chmodSync(path, mode);
  if (owner !== null) chownSync(path, owner.uid, owner.gid);
  return before === null ? "written" : before === text ? "same" : "replaced";
}

/** Copies a program to where it shall be started from, so that one that runs from there is not disturbed. */
export function putProgram(from: string, to: string): Put {
  mkdirSync(dirname(to), { recursive: true });
  if (existsSync(to)) {
    if (realpathSync(from) === realpathSync(to) || isEqual(from, to)) return "same";
    copyDurably(from, to, 0o755);
    return "replaced";
  }
  copyDurably(from, to, 0o755);
  return "written";
}

const isEqual = (a: string, b: string): boolean =>
  statSync(a).size === statSync(b).size && readFileSync(a).equals(readFileSync(b));

/** Makes a directory that its owner alone may enter; those above it may be passed through by anybody. */
export function putDir(path: string, owner: Owner | null): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (owner !== null) chownSync(path, owner.uid, owner.gid);
}
