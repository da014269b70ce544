// Whose a process is, as far as the kernel tells: its account, its name, its control groups, its parent, and a mark in
// the environment that it began with.

import { statSync } from "node:fs";
import { findAccountOf } from "./accounts";
import { bootMs, nowMs } from "../clock";
import { nameIn } from "../machine";
import { kernelText, statOf } from "../proc";

export interface ProcessFacts {
  readonly pid: number;
  /** Ticks since boot: with the pid it names one process. */
  readonly start: string;
  readonly age_ms: number;
  readonly parent: number;
  readonly session: number;
  /** The name of its account; `uid 1234` until that is known. */
  readonly user: string;
  readonly command: string;
  /** Paths of its groups, one a hierarchy. */
  readonly groups: readonly string[];
}

const TICK_MS = 10;

/** What is known of a living process; `null` when there is none. */
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
    // A process names itself as it likes: nothing of it may move a cursor or begin a line of a log.
    command: (kernelText(`/proc/${pid}/comm`) ?? "?").replaceAll(/\p{Cc}/gu, "?"),
  };
}

/** Entries `NAME=value` of the environment that a process began with; none when it is not ours to read. */
export const environmentOf = (pid: number): readonly string[] =>
  (kernelText(`/proc/${pid}/environ`) ?? "").split("\0").filter((entry) => entry !== "");

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

/** From the machine's own list at once; a directory service is asked in the background, for the next time. */
function accountName(uid: number | null): string {
  if (uid === null) return "?";
  if (nowMs() - passwd.at_ms > KNOWN_FOR_MS) passwd = { text: kernelText("/etc/passwd") ?? "", at_ms: nowMs() };
  const known = nameIn(passwd.text, uid) ?? asked.get(uid);
  if (known !== undefined) return known;
  const number = `uid ${uid}`;
  asked.set(uid, number);
  void findAccountOf(uid).then((found) => {
    if (found.is === "there") asked.set(uid, found.account.name);
  });
  return number;
}
