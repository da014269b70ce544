// Groups of version 1 are entered before a program executes, so that nothing of it is outside. A thread that enters by
// itself is moved at once; a process that is moved, also by itself, first waits for the whole machine (an RCU grace
// period of 5 to 20 ms where no other was moved a moment ago). On version 2 a process is born in its group.

import { symlinkSync } from "node:fs";
import { join } from "node:path";
import { exists, makePrivateDir, removeFile } from "../files/files";
import { kernelText } from "../proc";
import { tryWrite } from "./dirs";
import type { Cgroups, Group } from "./hierarchy";

/** The file by which a thread enters a directory of version 1, and the one by which a process does. */
const [THREADS, PROCESSES] = ["tasks", "cgroup.procs"] as const;
const SELF = "0";

/** What this thread has entered. */
export interface Entered {
  /** The directories that could not be entered, which a process may join late. */
  readonly missed: readonly string[];
  /** Why the directory that keeps devices away could not be entered, which no process may join late; or null. */
  readonly unkept: string | null;
  /** Brings this thread back to where it was. */
  leave(): void;
}

const NOTHING: Entered = { missed: [], unkept: null, leave: () => undefined };

interface Hierarchy {
  readonly base: string;
  /** Where the threads of this process are, and where they can be at least. */
  readonly home: string;
  readonly mount: string;
  /** The file by which something enters one of its directories. */
  readonly file: typeof THREADS | typeof PROCESSES;
}

const known = new WeakMap<Cgroups, readonly Hierarchy[]>();

/** Returns the hierarchies of version 1 whose directories are not joined first, with where this process began. */
function hierarchiesOf(cgroups: Cgroups): readonly Hierarchy[] {
  const found = known.get(cgroups) ?? hierarchies(cgroups);
  known.set(cgroups, found);
  return found;
}

function hierarchies(cgroups: Cgroups): Hierarchy[] {
  if (cgroups.is !== "v1") return [];
  const lines = (kernelText("/proc/self/cgroup") ?? "").split("\n").map((line) => line.split(":"));
  const homeOf = (mount: string, controller: string): string =>
    join(
      mount,
      lines
        .find(([, names = ""]) => names.split(",").includes(controller))
        ?.slice(2)
        .join(":") ?? "/",
    );
  const { devices } = cgroups;
  return [
    ...cgroups.bases.slice(1).map(({ controller, mount, base }) => {
      return { base, mount, home: homeOf(mount, controller), file: THREADS };
    }),
    ...(devices === null
      ? []
      : [
          devices.by === "list"
            ? { ...devices, home: homeOf(devices.mount, "devices"), file: THREADS }
            : { ...devices, home: homeOf(devices.mount, ""), file: PROCESSES },
        ]),
  ];
}

/**
 * Puts this thread into the directories of a group that the processes it starts do not join by themselves: they begin
 * where it is. For the moment of a start only, and never for memory, which is counted where this process's first thread
 * is.
 */
export function enterRest(cgroups: Cgroups, group: Group): Entered {
  if (cgroups.is !== "v1") return NOTHING;
  const missed: string[] = [];
  const entered: Hierarchy[] = [];
  let unkept: string | null = null;
  const all = hierarchiesOf(cgroups);
  for (const dir of group.slice(1)) {
    const hierarchy = all.find(({ base }) => dir.startsWith(`${base}/`));
    const why = hierarchy === undefined ? `${dir} is in no hierarchy` : tryWrite(join(dir, hierarchy.file), SELF);
    if (why !== null && hierarchy?.base === cgroups.devices?.base) unkept = why;
    else if (why !== null) missed.push(dir);
    else if (hierarchy !== undefined) entered.push(hierarchy);
  }
  return {
    missed,
    unkept,
    leave() {
      for (const { home, mount, file } of entered)
        if (tryWrite(join(home, file), SELF) !== null) tryWrite(join(mount, file), SELF);
    },
  };
}

/** Brings all threads of this process to where its first one is: one that began inside a group has stayed there. */
export function gatherThreads(cgroups: Cgroups): void {
  for (const { home } of hierarchiesOf(cgroups)) tryWrite(join(home, PROCESSES), SELF);
}

/** Says which directory a process joins by itself before it executes. */
export interface GroupJoining {
  /** Returns the directory, or null if the group has none. It counts until the next call. */
  dirFor(group: Group): string | null;
}

/**
 * On version 1 the runtime has a process join as a process. What it opens for that in the directory of the result is a
 * link to the threads of the group: the process has only one then. `dir` is made for the link.
 */
export function createGroupJoining(cgroups: Cgroups, dir: string): GroupJoining {
  const first = (group: Group): string | null => group[0] ?? null;
  if (cgroups.is !== "v1") return { dirFor: first };
  const link = join(dir, PROCESSES);
  return {
    dirFor(group) {
      const to = first(group);
      if (to === null) return null;
      try {
        if (!exists(dir)) makePrivateDir(dir);
        removeFile(link);
        symlinkSync(join(to, THREADS), link);
        return dir;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === undefined) throw error;
        return to;
      }
    },
  };
}
