// Notes of what lives, outside of any data directory: under the system's run directory, which a reboot empties. They
// show what a lost data directory would hide, and which other agents share this machine.

import { join } from "node:path";
import {
  exists, lookAt, makePrivateDir, namesIn, readJson, removeFile, removeTree, writeShort,
} from "../os/files";
import { nowMs } from "../os/clock";
import { accountOfProcess, shortHash } from "../os/machine";
import { bootId, isAlive } from "../os/proc";
import { isUid } from "./taskdir";

/** Where notes lie: one directory for all agents of an account. */
export function runRoot(): string {
  const { uid } = accountOfProcess();
  if (uid === 0) return "/run/orch";
  const given = process.env["XDG_RUNTIME_DIR"];
  return given !== undefined && given !== "" ? join(given, "orch") : join("/tmp", `orch-${uid}`);
}

/** The directory of the agent with this data directory; its name also names the agent's control groups. */
export const runDirOf = (data: string, root = runRoot()): string => join(root, runName(data));
export const runName = (data: string): string => shortHash(data);

export interface LivingNote {
  readonly uid: string;
  readonly name: string;
  readonly pid: number;
  readonly start: string;
  readonly boot_id: string;
  /** The task's directory. */
  readonly dir: string;
  readonly group: readonly string[];
  /** What it was promised, as its agent told the keeper. */
  readonly held: unknown;
}

/** Makes the directory of notes; refuses one that another account has put there. */
export function makeRunDir(dir: string): void {
  makePrivateDir(dir);
  for (const one of [join(dir, ".."), dir]) {
    const there = lookAt(one);
    if (there === null || !there.isDirectory() || there.uid !== accountOfProcess().uid) {
      throw new Error(`${one} is not a directory of this account: remove it, or set XDG_RUNTIME_DIR`);
    }
  }
}

export const noteTask = (dir: string, note: LivingNote): void => writeShort(join(dir, note.uid), JSON.stringify(note));
export const forgetNote = (dir: string, uid: string): void => removeFile(join(dir, uid));
export const hasNote = (dir: string, uid: string): boolean => exists(join(dir, uid));

function noteIn(dir: string, uid: string): LivingNote | null {
  const read = readJson(join(dir, uid));
  if (read.is !== "there" || typeof read.value !== "object" || read.value === null) return null;
  const note = read.value as LivingNote;
  return note.uid === uid && typeof note.dir === "string" && typeof note.pid === "number" && Array.isArray(note.group)
    ? note : null;
}

export const readNote = (dir: string, uid: string): LivingNote | null => noteIn(dir, uid);

/**
 * Tasks that live and whose directory is gone, of any agent of this account. Notes without either are removed on the
 * way; notes of this boot below `own` stay, since each is a claim.
 */
export function survivors(root: string, own: string): LivingNote[] {
  const found: LivingNote[] = [];
  for (const name of namesIn(root)) {
    const dir = join(root, name);
    for (const uid of namesIn(dir).filter(isUid)) {
      const note = noteIn(dir, uid);
      const alive = note !== null && note.boot_id === bootId() && isAlive(note.pid, note.start);
      const lost = note === null || !exists(note.dir);
      if (alive && lost) found.push(note);
      else if (!alive && (note?.boot_id !== bootId() || (lost && dir !== own))) forgetNote(dir, uid);
    }
    if (dir !== own && namesIn(dir).length === 0 && isOld(dir)) removeTree(dir);
  }
  return found;
}

/** An agent that is just starting has made its directory and not yet put its note there. */
const isOld = (dir: string): boolean => nowMs() - (lookAt(dir)?.mtimeMs ?? 0) > OLD_MS;
const OLD_MS = 3_600_000;

export interface AgentNote {
  readonly pid: number;
  readonly start: string;
  readonly boot_id: string;
  readonly data: string;
  /** Whether it was given a share of the machine, or takes all of it. */
  readonly share: boolean;
}

const AGENT = "agent";

export const noteAgent = (dir: string, note: AgentNote): void => writeShort(join(dir, AGENT), JSON.stringify(note));
export const forgetAgent = (dir: string): void => removeFile(join(dir, AGENT));

/** Other agents that live on this machine, as far as this account may see them. */
export function otherAgents(own: string): AgentNote[] {
  const roots = [...new Set([runRoot(), "/run/orch"])];
  return roots.flatMap((root) => readable(root).map((name) => join(root, name))).filter((dir) => dir !== own)
    .flatMap((dir) => {
      const read = readJson(join(dir, AGENT));
      const note = read.is === "there" ? (read.value as AgentNote) : null;
      return note !== null && note.boot_id === bootId() && isAlive(note.pid, note.start) ? [note] : [];
    });
}

/** Names in a directory of another account are none of ours when it is closed. */
function readable(root: string): string[] {
  try {
    return namesIn(root);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return [];
    throw error;
  }
}
