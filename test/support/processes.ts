// The processes of this machine, read from /proc: to end a whole "machine" (agent, keeper, tasks) at once, and to prove
// afterwards that nothing is left.

import { existsSync, readdirSync, readFileSync, readlinkSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import { waitUntil } from "./wait";

export interface Found {
  readonly pid: number;
  readonly ppid: number;
  /** Start time in ticks since boot. Pid and start time together identify one process. */
  readonly start: string;
  readonly state: string;
  readonly command: string;
}

const GONE = ["ENOENT", "ESRCH", "EACCES", "EPERM", "EINVAL"];

/** Returns null if what is read disappears meanwhile, or may not be read. */
function readOr<T>(read: () => T): T | null {
  try {
    return read();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== undefined && GONE.includes(code)) return null;
    throw error;
  }
}

export function processOf(pid: number): Found | null {
  const stat = readOr(() => readFileSync(`/proc/${pid}/stat`, "utf8"));
  if (stat === null) return null;
  // The name in parentheses may contain anything, so fields are counted from its end.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const command =
    readOr(() => readFileSync(`/proc/${pid}/cmdline`, "utf8"))
      ?.replaceAll("\0", " ")
      .trim() ?? "";
  return { pid, ppid: Number(fields[1]), start: fields[19] ?? "", state: fields[0] ?? "", command };
}

/** Returns every living process. Zombies are not alive, and are returned only where they are asked for. */
export function processes({ zombies = false } = {}): Found[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name) => processOf(Number(name)))
    .filter((found) => found !== null)
    .filter(({ state }) => (zombies || state !== "Z") && state !== "X");
}

export function isAlive(pid: number): boolean {
  const found = processOf(pid);
  return found !== null && found.state !== "Z" && found.state !== "X";
}

/** Returns processes and everything that descends from them. */
export function treeOf(roots: readonly number[], all: readonly Found[]): Found[] {
  const tree = new Map(all.filter(({ pid }) => roots.includes(pid)).map((found) => [found.pid, found]));
  for (let grown = true; grown;) {
    grown = false;
    for (const found of all) {
      if (tree.has(found.pid) || !tree.has(found.ppid)) continue;
      tree.set(found.pid, found);
      grown = true;
    }
  }
  return [...tree.values()];
}

/**
 * Returns whether a process belongs to a directory: by its arguments, environment, working directory or open output.
 */
function touches(found: Found, dir: string): boolean {
  if (found.command.includes(dir)) return true;
  const links = ["cwd", "fd/1", "fd/2"].map((name) => readOr(() => readlinkSync(`/proc/${found.pid}/${name}`)));
  if (links.some((link) => link?.startsWith(dir) === true)) return true;
  return readOr(() => readFileSync(`/proc/${found.pid}/environ`, "utf8"))?.includes(dir) === true;
}

/** Returns everything that runs for a directory, with descendants, and never this process itself. */
export function processesOf(dir: string): Found[] {
  const all = processes();
  const roots = all.filter((found) => found.pid !== process.pid && touches(found, dir)).map(({ pid }) => pid);
  return treeOf(roots, all).filter(({ pid }) => pid !== process.pid);
}

/** Sends a signal to a process if it still is the one that was found. */
export function signal(found: Found, name: NodeJS.Signals): void {
  if (processOf(found.pid)?.start !== found.start) return;
  readOr(() => process.kill(found.pid, name));
}

/**
 * Kills everything of a directory, and again until nothing is found, since a dying process may have been about to start
 * another.
 */
export async function killAllOf(dir: string): Promise<number> {
  let killed = 0;
  for (let round = 0; round < 200; round++) {
    const found = processesOf(dir);
    if (found.length === 0) return killed;
    // A machine dies at once: no keeper of it lives on to see that its task was killed.
    for (const one of found) signal(one, "SIGSTOP");
    for (const one of found) signal(one, "SIGKILL");
    killed = Math.max(killed, found.length);
    await new Promise((resolve) => setImmediate(resolve));
  }
  throw new Error(`processes of ${dir} do not end: ${JSON.stringify(processesOf(dir))}`);
}

/** Returns the control groups whose path contains this text. */
export function cgroupsOf(text: string): string[] {
  const found: string[] = [];
  const look = (dir: string, depth: number): void => {
    const names = readOr(() => readdirSync(dir, { withFileTypes: true })) ?? [];
    for (const entry of names) {
      if (!entry.isDirectory()) continue;
      const path = `${dir}/${entry.name}`;
      if (entry.name.includes(text)) found.push(path);
      else if (depth < 5) look(path, depth + 1);
    }
  };
  if (existsSync("/sys/fs/cgroup")) look("/sys/fs/cgroup", 0);
  return found;
}

/** Removes a control group and those below it. The kernel releases a killed process a little later. */
export async function removeGroups(path: string): Promise<void> {
  for (const entry of readOr(() => readdirSync(path, { withFileTypes: true })) ?? []) {
    if (entry.isDirectory()) await removeGroups(join(path, entry.name));
  }
  await waitUntil(`the control group ${path} to be empty`, () => {
    readOr(() => rmdirSync(path));
    return !existsSync(path);
  });
}

export const mountsOf = (dir: string): string[] =>
  (readOr(() => readFileSync("/proc/self/mounts", "utf8")) ?? "").split("\n").filter((line) => line.includes(dir));

const TICK_MS = 10;

/** Returns the CPU time that a process itself has used so far, without its children's. */
export function cpuMs(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** Returns the memory of a process in bytes, from smaps_rollup: resident, and its proportional share. */
export function memoryOf(pid: number): { rss_bytes: number; pss_bytes: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text)?.[1] ?? 0) * 1024;
  return { rss_bytes: field("Rss"), pss_bytes: field("Pss") };
}
