// One owner per directory. The kernel holds the lock (a record lock of SQLite on an empty file), so the lock always
// ends with its process. A note beside it names the holder for people.

import { Database } from "bun:sqlite";
import { closeSync, constants, existsSync, openSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { replaceFile } from "./durable";
import { replaceFileNow } from "./durable";
import { fieldsOf, parsedJson } from "./json";

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;

export interface LockHolder {
  readonly pid: number;
  readonly host: string;
  readonly since_ms: number;
}

export type Locked =
  | { readonly is: "taken"; readonly release: () => void }
  /** `holder` is null if the note about the holder is missing or unreadable. */
  | { readonly is: "held"; readonly holder: LockHolder | null };

/**
 * Takes the lock `file` for the life of this process. It never waits and needs no disk space. Local file systems only.
 */
export function takeLock(file: string): Locked {
  // The file is created only if it is missing: closing any descriptor of it would drop a lock that this process holds.
  if (!existsSync(file)) closeSync(openSync(file, O_CREAT | O_APPEND | O_WRONLY | O_NOFOLLOW, 0o600));
  const db = new Database(file, { readwrite: true });
  try {
    // An empty transaction stays open. Nothing is ever written, so a full disk does no harm; other journal modes would
    // write.
    db.run("pragma journal_mode = memory");
    db.run("pragma busy_timeout = 0");
    db.run("begin exclusive");
  } catch (error) {
    db.close();
    if (error instanceof Error && "code" in error && String(error.code).startsWith("SQLITE_BUSY")) {
      return { is: "held", holder: readHolder(noteOf(file)) };
    }
    throw error;
  }
  return { is: "taken", release: () => db.close() };
}

/** Writes the note about the holder, for processes that find the lock taken. Only the holder may call this function. */
export function noteHolder(file: string, now_ms: number): void {
  replaceFileNow(noteOf(file), holderText(now_ms), "durable");
}

/** Writes the same note, while the process does other things. The lock holds without it. */
export const noteHolderSlowly = (file: string, now_ms: number): Promise<void> =>
  replaceFile(noteOf(file), holderText(now_ms));

function holderText(now_ms: number): string {
  const holder: LockHolder = { pid: process.pid, host: hostname(), since_ms: now_ms };
  return `${JSON.stringify(holder)}\n`;
}

const noteOf = (file: string): string => `${file}.json`;

function readHolder(file: string): LockHolder | null {
  if (!existsSync(file)) return null;
  const { pid, host, since_ms } = fieldsOf(parsedJson(readFileSync(file, "utf8")));
  if (typeof pid !== "number" || typeof since_ms !== "number") return null;
  return { pid, host: String(host), since_ms };
}
