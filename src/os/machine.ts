// The identity of this machine and the account of this process, and the one hash from which short names are made.

import { createHash } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { existsSync, readFileSync, realpathSync } from "node:fs";
import { kernelText } from "./proc";

export interface ProcessAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

let account: ProcessAccount | null = null;

/** Returns the account of this process. A uid without a name is named by its number. */
export function accountOfProcess(): ProcessAccount {
  account ??= findAccount();
  return account;
}

function findAccount(): ProcessAccount {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  // The list of accounts comes first. The runtime believes environment variables, which services do not set and `su`
  // leaves wrong.
  return { name: nameIn(kernelText("/etc/passwd") ?? "", uid) ?? nameByEnvironment() ?? String(uid), uid, gid };
}

/** Returns the name of a uid in a text in the format of passwd(5), or null. */
export const nameIn = (passwd: string, uid: number): string | null =>
  passwd
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(uid))?.[0] ?? null;

/** Returns the name from the environment, for accounts that a directory service keeps. */
function nameByEnvironment(): string | null {
  try {
    const { username } = userInfo();
    return username === "unknown" ? null : username;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}

export const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

/** Returns 12 hex digits for a directory. Every path to the same directory gives the same digits. */
export function shortHash(dir: string): string {
  return sha256(realPath(dir)).slice(0, 12);
}

export function realPath(dir: string): string {
  try {
    return realpathSync(dir);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return dir;
    throw error;
  }
}

/**
 * Returns an identity that stays the same as long as the machine's system and board do, whatever happens to data
 * directories. `share` distinguishes several agents on one machine, each of which is a node.
 */
export function machineFingerprint(board: string, share: string): string {
  const id = kernelText("/etc/machine-id") ?? kernelText("/var/lib/dbus/machine-id") ?? `host:${hostname()}`;
  return sha256(["orch-machine-v1", id, board, share].join("\n"));
}

/**
 * Returns the installation's id, or null where there is none (in some containers). Without an id nothing is concluded.
 */
export function machineId(): string | null {
  for (const file of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    const id = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    if (/^[0-9a-f]{32}$/.test(id)) return id;
  }
  return null;
}
