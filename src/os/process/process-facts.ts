// The owner of a process, as far as the kernel reports it: its account, its name, its control groups, its parent, and
// the environment that it began with.

import { statSync } from "node:fs";
import { findAccountOf } from "./accounts";
import { bootMs } from "../clock";
import { nameIn } from "../machine";
import { kernelText, statOf } from "../proc";

export interface ProcessFacts {
  readonly pid: number;
  /** Clock ticks since boot. Together with the pid it identifies one process. */
  readonly start: string;
  readonly age_ms: number;
  readonly parent: number;
  readonly session: number;
  /** The name of the process's account, or `uid 1234` while the name is unknown. */
  readonly user: string;
  readonly command: string;
  /** Paths of the process's control groups, one per hierarchy. */
  readonly groups: readonly string[];
}

const TICK_MS = 10;

/** Returns the facts of a living process, or null if there is none. */
export function processFacts(pid: number): ProcessFacts | null {
  const stat = statOf(pid);
  if (stat === null || stat.state === "Z" || stat.state === "X") return null;
  const { start, parent, session } = stat;
  const groups = (kernelText(`/proc/${pid}/cgroup`) ?? "")
    .split("\n")
    .map((line) => line.split(":").slice(2).join(":"));
  return {
    pid,
    start,
    parent,
    session,
    groups,
    age_ms: Math.max(0, bootMs() - Number(start) * TICK_MS),
    user: accountName(uidOf(pid)),
    // A process chooses its own name. Control characters are replaced, since they could move a cursor or break a line
    // of a log.
    command: (kernelText(`/proc/${pid}/comm`) ?? "?").replaceAll(/\p{Cc}/gu, "?"),
  };
}

function uidOf(pid: number): number | null {
  try {
    return statSync(`/proc/${pid}`, { throwIfNoEntry: false })?.uid ?? null;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return null;
  }
}

const KNOWN_FOR_MS = 60_000;
let passwd = { text: "", at_ms: 0 };
const asked = new Map<number, string>();

/**
 * Returns the name of an account from the machine's own list. A directory service is asked in the background, for the
 * next call.
 */
function accountName(uid: number | null): string {
  if (uid === null) return "?";
  if (bootMs() - passwd.at_ms > KNOWN_FOR_MS) passwd = { text: kernelText("/etc/passwd") ?? "", at_ms: bootMs() };
  const known = nameIn(passwd.text, uid) ?? asked.get(uid);
  if (known !== undefined) return known;
  const number = `uid ${uid}`;
  asked.set(uid, number);
  findAccountOf(uid)
    .then((found) => {
      if (found.is === "there") asked.set(uid, found.account.name);
    })
    .catch(() => asked.delete(uid));
  return number;
}
