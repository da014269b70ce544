// Finds the processes of a task among all that run: on machines without control groups, and where they have left their
// group.

import { readdirSync } from "node:fs";
import { beganWith, isLiving, statOf, type FoundProcess, type ProcessStat } from "../proc";
import { sendSignal } from "./signals";

const SIGKILL = 9;

/** By what the processes of a task are known. All that descend from these are the task's as well. */
export interface Sought {
  /** The main process, which leads, or led, a session of its own; null if it is not known. */
  readonly leader: FoundProcess | null;
  /** Whether the leader lived a moment ago. If not, its pid and its session may be a stranger's by now. */
  readonly recent: boolean;
  /** What the environment of its processes began with (`NAME=value`); null if no environment shall be read. */
  readonly marker: string | null;
  /** What else, by its name, has to be in an environment with the mark; missing if the mark says all. */
  readonly beside?: string;
  /** What was found of the task before. */
  readonly known?: readonly FoundProcess[];
}

interface Listed extends ProcessStat {
  readonly pid: number;
}

interface Listing {
  /** Also the dead that are not collected yet. */
  readonly all: ReadonlyMap<number, Listed>;
  readonly bySession: ReadonlyMap<number, readonly Listed[]>;
  readonly byParent: ReadonlyMap<number, readonly Listed[]>;
}

/**
 * All processes at one moment. They are read once, when those of the first task are asked for, since that takes long on
 * a large machine. Nothing is found on a system without /proc.
 */
export class Processes {
  #listing: Listing | null = null;
  readonly #carriers = new Map<string, Map<string, Listed[]>>();

  /** Returns the living processes of a task, and never this process itself. */
  find({ leader, recent, marker, beside, known = [] }: Sought): FoundProcess[] {
    if (process.platform !== "linux") return [];
    const listing = (this.#listing ??= listProcesses());
    const { all, byParent } = listing;
    const carriers = marker === null ? [] : this.#carriersOf(marker, listing);
    const marked = beside === undefined ? carriers : carriers.filter(({ pid }) => beganWith(pid).includes(beside));
    const noted = (leader === null ? known : [...known, leader]).flatMap((one) => {
      const now = all.get(one.pid);
      return now?.start === one.start ? [now] : [];
    });
    const session = leader === null ? [] : ownSession(leader, recent, marked, listing);
    const found = new Set([...noted, ...marked, ...session]);
    for (const one of found) {
      if (one.pid !== process.pid) for (const child of byParent.get(one.pid) ?? []) found.add(child);
    }
    return [...found].flatMap(({ pid, start, state }) =>
      pid !== process.pid && isLiving(state) ? [{ pid, start }] : [],
    );
  }

  #carriersOf(marker: string, { all }: Listing): readonly Listed[] {
    const name = marker.slice(0, marker.indexOf("=") + 1);
    let carriers = this.#carriers.get(name);
    if (carriers === undefined) {
      carriers = new Map<string, Listed[]>();
      for (const one of all.values()) {
        for (const entry of beganWith(one.pid)) {
          if (!entry.startsWith(name)) continue;
          const same = carriers.get(entry);
          if (same === undefined) carriers.set(entry, [one]);
          else same.push(one);
        }
      }
      this.#carriers.set(name, carriers);
    }
    return carriers.get(marker) ?? [];
  }
}

function listProcesses(): Listing {
  const listed = readdirSync("/proc").flatMap((name): Listed[] => {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : null;
    return stat === null ? [] : [{ pid, ...stat }];
  });
  return {
    all: new Map(listed.map((one) => [one.pid, one])),
    bySession: Map.groupBy(listed, ({ session }) => session),
    byParent: Map.groupBy(listed, ({ parent }) => parent),
  };
}

/**
 * Returns the processes of the session that a process leads or led, if that session is still its own. No pid is given
 * to a stranger while a session has its number, so any of them that is known as the task's vouches for the others.
 */
function ownSession(
  leader: FoundProcess,
  recent: boolean,
  marked: readonly Listed[],
  { all, bySession }: Listing,
): readonly Listed[] {
  const session = bySession.get(leader.pid) ?? [];
  const now = all.get(leader.pid);
  if (now !== undefined) return now.start === leader.start ? session : [];
  return recent || session.some((one) => marked.includes(one)) ? session : [];
}

/** Sends SIGKILL to processes, and returns their number. */
export function killAll(found: readonly FoundProcess[]): number {
  for (const one of found) sendSignal(one, SIGKILL, "one");
  return found.length;
}
