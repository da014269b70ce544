// What names this machine and the account of this process; and the one hash that short names are made with.

import { createHash } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { realpathSync } from "node:fs";
import { kernelText } from "./proc";

export interface ProcessAccount {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

let account: ProcessAccount | null = null;

/** The account of this process; a uid without a name is named by its number. */
export function accountOfProcess(): ProcessAccount {
  account ??= findAccount();
  return account;
}

function findAccount(): ProcessAccount {
  const [uid, gid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
  // The runtime believes the environment, which services do not set and `su` leaves wrong: the list comes first.
  return { name: nameIn(kernelText("/etc/passwd") ?? "", uid) ?? nameByEnvironment() ?? String(uid), uid, gid };
}

/** The name of a uid in the text of passwd(5). */
export const nameIn = (passwd: string, uid: number): string | null =>
  passwd
    .split("\n")
    .map((line) => line.split(":"))
    .find((fields) => fields[2] === String(uid))?.[0] ?? null;

/** For accounts that a directory service keeps. */
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

/** 12 hex digits for a directory: the same for every path that leads to it. */
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
 * The same for a machine as long as its system and board live, whatever becomes of data directories. `share` tells
 * apart the agents of one machine, each of which is a node.
 */
export function machineFingerprint(board: string, share: string): string {
  const id = kernelText("/etc/machine-id") ?? kernelText("/var/lib/dbus/machine-id") ?? `host:${hostname()}`;
  return sha256(["orch-machine-v1", id, board, share].join("\n"));
}
