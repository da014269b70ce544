// Who listens on a TCP port of this machine, from /proc/net/tcp and what processes have open.

import { readdirSync, readlinkSync } from "node:fs";
import { kernelText } from "../proc";

/** Where a port is to be free: on the loopback only, or on every address. */
export type Reach = "loopback" | "everywhere";

export interface Listener {
  /** Null if this process may not see whose it is. */
  readonly process: { readonly pid: number; readonly name: string } | null;
}

const LISTENING = "0A";

/** Returns who holds a port, or null if it is free. Nobody is found on a system without /proc. */
export function listenerOn(port: number, reach: Reach): Listener | null {
  const inodes = new Set(["tcp", "tcp6"].flatMap((family) => inodesIn(kernelText(`/proc/net/${family}`), port, reach)));
  return inodes.size === 0 ? null : { process: ownerOf(inodes) };
}

/** Returns the inodes of sockets that listen on a port, from the text of /proc/net/tcp or tcp6. */
export function inodesIn(text: string | null, port: number, reach: Reach): string[] {
  const lines = (text ?? "").split("\n").slice(1);
  return lines.flatMap((line) => {
    const [, local = "", , state, , , , , , inode] = line.trim().split(/\s+/);
    const [address = "", at = ""] = local.split(":");
    const isThere = state === LISTENING && Number.parseInt(at, 16) === port && inode !== undefined;
    return isThere && (reach === "everywhere" || coversLoopback(address)) ? [inode] : [];
  });
}

/** Each group of 4 bytes is written in the order of the processor: 127.0.0.1 is 0100007F on most machines. */
function coversLoopback(address: string): boolean {
  const last = address.slice(-8);
  if (/^0+$/.test(address) || /^7F|7F$/i.test(last)) return true;
  return address.length === 32 && /^0{24}(?:01000000|00000001)$/.test(address);
}

function ownerOf(inodes: ReadonlySet<string>): Listener["process"] {
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name) || !namesIn(`/proc/${name}/fd`).some((fd) => inodes.has(socketOf(name, fd)))) continue;
    return { pid: Number(name), name: kernelText(`/proc/${name}/comm`) ?? "" };
  }
  return null;
}

/** Returns the names in a directory of a process; none if the process is gone or somebody else's. */
const namesIn = (dir: string): string[] => unlessHidden(() => readdirSync(dir), []);

const socketOf = (pid: string, fd: string): string => {
  const target = unlessHidden(() => readlinkSync(`/proc/${pid}/fd/${fd}`), "");
  return /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? "";
};

const HIDDEN = new Set(["ENOENT", "ESRCH", "EACCES", "EPERM", "ENOTDIR"]);

function unlessHidden<T>(read: () => T, hidden: T): T {
  try {
    return read();
  } catch (error) {
    if (HIDDEN.has((error as NodeJS.ErrnoException).code ?? "")) return hidden;
    throw error;
  }
}
