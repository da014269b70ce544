// Notes of living tasks and agents outside of any data directory: in the system's run directory, which a reboot
// empties. They show the tasks of a lost data directory, and the other agents of this machine.

import { join } from "node:path";
import { namesIn, readJson, removeFile, writeShort } from "../../os/files/files";
import { takeOwnDir } from "../../os/files/own-dir";
import { accountOfProcess, shortHash } from "../../os/machine";
import { bootId, isAlive } from "../../os/proc";

/** Returns the directory with the notes of all agents of an account. */
export function runRoot(): string {
  const { uid } = accountOfProcess();
  if (uid === 0) return "/run/orch";
  const given = process.env["XDG_RUNTIME_DIR"];
  return given !== undefined && given !== "" ? join(given, "orch") : join("/tmp", `orch-${uid}`);
}

/**
 * Returns the directory of the agent with this data directory. Its name is also used for the agent's control groups.
 */
export const runDirOf = (data: string, root = runRoot()): string => join(root, runName(data));
export const runName = (data: string): string => shortHash(data);

/** Makes the directory of notes. Returns why it cannot be used, as when another account has made it, or null. */
export function takeRunDir(dir: string): string | null {
  for (const one of [join(dir, ".."), dir]) {
    const own = takeOwnDir(one);
    if (own.is === "refused") return own.why;
  }
  return null;
}

/** Makes the directory for processes that an agent has started, after the agent has checked it. */
export function makeRunDir(dir: string): void {
  const why = takeRunDir(dir);
  if (why !== null) throw new Error(`${dir} cannot be used: ${why}`);
}

export interface AgentNote {
  readonly pid: number;
  readonly start: string;
  readonly boot_id: string;
  readonly data: string;
  /** Whether the agent was given a share of the machine, or uses all of it. */
  readonly share: boolean;
}

const AGENT = "agent";

export const noteAgent = (dir: string, note: AgentNote): void => writeShort(join(dir, AGENT), JSON.stringify(note));
export const forgetAgent = (dir: string): void => removeFile(join(dir, AGENT));

/** Returns the agent that lives in this run directory, or null. */
export function ownAgent(dir: string): AgentNote | null {
  const note = noteIn(dir);
  return note !== null && note.pid !== process.pid ? note : null;
}

function noteIn(dir: string): AgentNote | null {
  const read = readJson(join(dir, AGENT));
  const note = read.is === "there" ? (read.value as AgentNote) : null;
  return note !== null && note.boot_id === bootId() && isAlive(note.pid, note.start) ? note : null;
}

/** Returns the other agents that live on this machine, as far as this account may see them. */
export function otherAgents(own: string): AgentNote[] {
  const roots = [...new Set([runRoot(), "/run/orch"])];
  return roots
    .flatMap((root) => readable(root).map((name) => join(root, name)))
    .filter((dir) => dir !== own)
    .flatMap((dir) => noteIn(dir) ?? []);
}

/** Returns the names in a directory; none if it belongs to another account and is closed. */
function readable(root: string): string[] {
  try {
    return namesIn(root);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return [];
    throw error;
  }
}
