// Decides how long the output and record of an ended task stay on its node: a week, and at most a number of tasks and
// of bytes.

import { join } from "node:path";
import { DAY_MS, GIB, MIB, type Ms } from "../../core/units";
import { breathe } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { removeTreeSlowly } from "../../os/files/disk";
import { replaceFile } from "../../os/files/durable";
import { diskBytesOf, isWritable, lookAt, namesIn } from "../../os/files/files";
import { allBytes } from "../../os/files/filesystem";
import { fieldsOf, parsedJson } from "../../os/files/json";
import { isTaskFile, readTaskFile } from "../../os/files/task-files";
import { clocksNow, type Clocks } from "./moments";
import { userOf } from "./records";
import { FILES, isUid, places, readAttempt } from "./taskdir";

export const RETENTION_MS = 7 * DAY_MS;
const MOST_ENDED = 20_000;
const CHUNK = 100;

/** What is kept between sweeps: how long this data directory has been in use, and since when each uid is over. */
interface Tally {
  /** The boot time of all boots together in which agents were seen here. */
  readonly elapsed_ms: Ms;
  /** When each task was first seen as over, as `elapsed_ms` was then. */
  readonly seen: ReadonlyMap<string, Ms>;
}

const FILE = "retention.json";
const MOST_TALLY_BYTES = 16 * MIB;
const NOTHING: Tally = { elapsed_ms: 0, seen: new Map() };

/**
 * Reads the tally and counts on. A wall clock may be weeks ahead at one start and right at the next, so what is kept
 * for a week is counted on boot time. The time in which the machine was off is not known, and does not count.
 */
function readTally(data: string, now: Clocks): Tally {
  const read = readTaskFile(data, FILE, MOST_TALLY_BYTES);
  const { boot_id, boot_ms, elapsed_ms, seen } = fieldsOf(read.is === "there" ? parsedJson(read.text) : null);
  if (typeof boot_ms !== "number" || typeof elapsed_ms !== "number") return NOTHING;
  const passed_ms = boot_id === now.boot_id ? Math.max(0, now.boot_ms - boot_ms) : now.boot_ms;
  const known = Object.entries(fieldsOf(seen)).flatMap(([uid, at_ms]) =>
    typeof at_ms === "number" ? [[uid, at_ms] as const] : [],
  );
  return { elapsed_ms: elapsed_ms + passed_ms, seen: new Map(known) };
}

async function writeTally(data: string, { elapsed_ms, seen }: Tally, { boot_id, boot_ms }: Clocks): Promise<void> {
  const kept = { boot_id, boot_ms, elapsed_ms, seen: Object.fromEntries(seen) };
  await replaceFile(join(data, FILE), `${JSON.stringify(kept)}\n`);
}

/** What ended tasks may take of the disk: so many bytes, or this part of a file system that is small. */
const MOST_ENDED_BYTES = 2 * GIB;
const MOST_ENDED_PART = 10;

/** Returns how many bytes of the disk ended tasks may take. A file system without a size of its own says 0. */
export function mostEndedBytes(ended: string): number {
  const all = allBytes(ended);
  return all > 0 ? Math.min(MOST_ENDED_BYTES, all / MOST_ENDED_PART) : MOST_ENDED_BYTES;
}

/**
 * Returns the bytes of the disk that an ended task's files take, and those in the directories of its elements. Other
 * work gets its turn meanwhile.
 */
export async function endedBytes(dir: string): Promise<number> {
  let bytes = 0;
  for (const [at, name] of namesIn(dir).entries()) {
    if (at % CHUNK === CHUNK - 1) await breathe();
    const path = join(dir, name);
    bytes += diskBytesOf(path);
    if (lookAt(path)?.isDirectory() === true && isWritable(path) === null) bytes += bytesIn(path);
  }
  return bytes;
}

const bytesIn = (dir: string): number => namesIn(dir).reduce((sum, name) => sum + diskBytesOf(join(dir, name)), 0);

interface Aged {
  readonly uid: string;
  readonly dir: string;
  readonly since_ms: Ms;
  readonly at_ms: number;
  readonly bytes: number;
}

const bytesOf = (aged: readonly Aged[]): number => aged.reduce((sum, { bytes }) => sum + bytes, 0);

/**
 * Returns the tasks that go since all are too many, or take too much, and somewhat more, so that it lasts: the oldest
 * of the user whose tasks are the most, or take the most. So nobody's output makes that of others go that have less.
 */
async function beyond(aged: readonly Aged[], most_bytes: number): Promise<readonly Aged[]> {
  let bytes = bytesOf(aged);
  const wanted = bytes > most_bytes ? (most_bytes * 7) / 8 : bytes;
  let surplus = aged.length - MOST_ENDED;
  if (bytes <= wanted && surplus <= 0) return [];
  const users = await byUser(aged);
  const going: Aged[] = [];
  while (bytes > wanted || surplus > 0) {
    const weight = (one: UsersTasks): number => (bytes > wanted ? one.bytes : one.left.length);
    const most = users.reduce((a, b) => (weight(b) > weight(a) ? b : a));
    const oldest = most.left.pop();
    if (oldest === undefined) break;
    most.bytes -= oldest.bytes;
    bytes -= oldest.bytes;
    surplus -= 1;
    going.push(oldest);
  }
  return going;
}

/** What a user has left on this node, the oldest last. */
interface UsersTasks {
  readonly left: Aged[];
  bytes: number;
}

/** Returns ended tasks by their users. Other work gets its turn while the records are read. */
async function byUser(aged: readonly Aged[]): Promise<UsersTasks[]> {
  const users = new Map<string, UsersTasks>();
  const newestFirst = aged.toSorted((a, b) => b.since_ms - a.since_ms || b.at_ms - a.at_ms);
  for (const [at, one] of newestFirst.entries()) {
    if (at % CHUNK === CHUNK - 1) await breathe();
    const own = users.getOrInsertComputed(userOf(one.dir) ?? "", () => ({ left: [], bytes: 0 }));
    own.left.push(one);
    own.bytes += one.bytes;
  }
  return [...users.values()];
}

/**
 * Removes ended tasks that are old, too many or too large together, and old claims of stopped tasks that never arrived.
 * Returns the bytes of the disk that the rest takes.
 */
export async function sweepEnded(data: string, now: Clocks = clocksNow(), most_bytes?: number): Promise<number> {
  const { ended, tasks } = places(data);
  const { elapsed_ms, seen: before } = readTally(data, now);
  const seen = new Map<string, Ms>();
  const isOld = (uid: string): boolean => {
    const since_ms = before.get(uid) ?? elapsed_ms;
    seen.set(uid, since_ms);
    return elapsed_ms - since_ms > RETENTION_MS;
  };
  const aged: Aged[] = [];
  let at = 0;
  const failures: string[] = [];
  // One directory that cannot be removed, for whatever its task has put there, keeps no other from being removed.
  const remove = async (uid: string, dir: string): Promise<void> => {
    try {
      await removeTreeSlowly(dir);
      seen.delete(uid);
    } catch (error) {
      failures.push(messageOf(error));
    }
  };
  for (const uid of namesIn(ended).filter(isUid)) {
    if (++at % CHUNK === 0) await breathe();
    const dir = join(ended, uid);
    if (isOld(uid)) {
      await remove(uid, dir);
      continue;
    }
    const bytes = await endedBytes(dir);
    aged.push({ uid, dir, since_ms: seen.get(uid) ?? 0, at_ms: lookAt(dir)?.mtimeMs ?? 0, bytes });
  }
  const removed = new Set(await beyond(aged, most_bytes ?? mostEndedBytes(ended)));
  for (const { uid, dir } of removed) {
    if (++at % CHUNK === 0) await breathe();
    await remove(uid, dir);
  }
  for (const uid of namesIn(tasks).filter(isUid)) {
    if (++at % CHUNK === 0) await breathe();
    const dir = join(tasks, uid);
    if (isTaskFile(dir, FILES.record) || readAttempt(dir)?.claimed !== "stop") continue;
    if (isOld(uid)) await remove(uid, dir);
  }
  await writeTally(data, { elapsed_ms, seen }, now);
  if (failures.length > 0) throw new Error(failures[0]);
  return bytesOf(aged.filter((one) => !removed.has(one)));
}
