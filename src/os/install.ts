// Puts the files of an installation in place, whole and with their owner, and reports what was there before.

import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { copyDurably, replaceFileNow } from "./files/durable";

export interface FileOwner {
  readonly uid: number;
  readonly gid: number;
}

/** `same`: a file with the same content was there already. */
export type Put = "written" | "replaced" | "same";

/** Writes a text file. Missing directories above it are made. */
export function putFile(path: string, text: string, mode: number, owner: FileOwner | null): Put {
  mkdirSync(dirname(path), { recursive: true });
  // A link is replaced by a file. What it points to is neither read nor changed.
  const before = lstatSync(path, { throwIfNoEntry: false })?.isFile() === true ? readFileSync(path, "utf8") : null;
  if (before !== text) replaceFileNow(path, text, "durable", mode);
  else chmodSync(path, mode);
  if (owner !== null) lchownSync(path, owner.uid, owner.gid);
  return before === null ? "written" : before === text ? "same" : "replaced";
}

/** Copies a program to the path from which it is started. A program that already runs from there is not disturbed. */
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

/** Returns whether a directory is there and belongs to another account. */
export function isForeign(path: string, { uid }: FileOwner): boolean {
  const there = lstatSync(path, { throwIfNoEntry: false });
  return there?.isDirectory() === true && there.uid !== uid;
}

/**
 * Makes a directory that only its owner may enter, and gives the owner what lies in it. Anybody may pass through the
 * directories above it. Links are given, never followed.
 */
export function putDir(path: string, owner: FileOwner | null): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 });
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (owner !== null) giveTree(path, owner);
}

function giveTree(path: string, owner: FileOwner): void {
  lchownSync(path, owner.uid, owner.gid);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) giveTree(join(path, name), owner);
}
