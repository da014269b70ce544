// The store of everything that is kept on disk of tasks, whatever runs them: records, claims, the last output of ended
// tasks, and ended tasks for a while. A claim decides whether an attempt executes, and is made once.

import { join } from "node:path";
import type { Tail } from "../../core/model/end";
import type { TaskRecord } from "../../core/model/record";
import { breathe } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { answerOf, createDisk, DISK_HANGS, removeTreeSlowly, renameSlowly, type Disk } from "../../os/files/disk";
import { exists, makePrivateDir, namesIn, renameTo } from "../../os/files/files";
import { isTaskFile } from "../../os/files/task-files";
import { claimOwed, createClaims, type Claims } from "./claims";
import { createInputFiles, removeInput, type InputFiles } from "./input-files";
import { openOwed, type Owed, type OwedRecord } from "./owed";
import { badPath, createRecordWriter, readRecord } from "./records";
import { endedBytes, mostEndedBytes, sweepEnded } from "./retention";
import { keepWriting } from "./rewriting";
import { createTails } from "./tails";
import { dirOfTask, FILES, isUid, places, readAttempt } from "./taskdir";

/** The content of the store when an agent starts. */
export interface StoredTasks {
  /** Records of tasks whose end the server has not acknowledged. */
  readonly records: Map<string, TaskRecord>;
  /** Every task that has a directory, with a record or without. */
  readonly uids: readonly string[];
  /** Those of `uids` whose record could not be read and was set aside. */
  readonly unreadable: ReadonlySet<string>;
  /** Those of `uids` that were stopped before they came: they have a claim that says so and no record. */
  readonly stopped: ReadonlySet<string>;
}

/** The part of the store that the agent's loop uses. Every call may be repeated. */
export interface TaskStore extends Pick<Claims, "wasClaimed" | "claimStopped"> {
  /** Reads the tasks on disk. A record that cannot be read is set aside, with a line in the log. */
  read(): Promise<StoredTasks>;
  /** Moves ended tasks that another timeline acknowledged back among the living ones, and returns their records. */
  kept(): Promise<readonly TaskRecord[]>;
  /**
   * Resolves when the record is durable, or when the disk owes it. If several writes of one task wait, only the last
   * one is made.
   */
  write(record: TaskRecord): Promise<void>;
  /** Returns the records that the disk did not take, or not in time. They outlive this process, but not this boot. */
  owed(): ReadonlyMap<string, { readonly why: string }>;
  /** Returns why the disk takes nothing now, or null. */
  trouble(): string | null;
  /** Returns the last 4 KiB of each stream of an ended task. */
  tail(uid: string): Tail | null;
  /** Notes that the server has this end on disk. The task is kept for a while and no longer loaded. Never rejects. */
  acknowledge(uid: string): Promise<void>;
  /** Deletes everything about a task. */
  forget(uid: string): Promise<void>;
}

/** The store over the files of a data directory, with the calls that drivers use too. */
export interface TaskFiles extends TaskStore, Claims, InputFiles {
  close(): void;
}

const SWEEP_EVERY_MS = 3_600_000;
/** How many directories are read before other work gets its turn. */
const CHUNK = 200;

/**
 * Opens the store of a data directory (`<data>/agent`), and removes what has been kept for long enough. `run` is the
 * directory where it notes what the disk did not take; null: such a write is an error of its caller.
 */
export function openTaskStore(data: string, say: (line: string) => void, run: string | null = null): TaskFiles {
  const { tasks, ended } = places(data);
  for (const dir of [tasks, ended]) if (!exists(dir)) makePrivateDir(dir);
  const disk = createDisk();
  const owed = run === null ? null : openOwed(run, say);
  const writer = createRecordWriter(tasks, disk);
  const claims = createClaims({ tasks, ended, disk, owed });
  const tails = createTails((uid) => dirOfTask(data, uid) ?? dirOf(uid));
  const dirOf = (uid: string): string => join(tasks, uid);
  const sweeping = keepSweeping(data, disk, say);
  const keepEnded = async (uid: string): Promise<void> => {
    await removeInput(dirOf(uid));
    await moveAway(dirOf(uid), join(ended, uid));
    sweeping.added(join(ended, uid));
  };
  const moveEnded = (uid: string): Promise<void> => disk.run(() => keepEnded(uid));
  const writing = keepWriting({ disk, writer, owed, claim: (uid) => claimOwed(tasks, uid), moveEnded });

  /** Returns what an operation gives, or throws why the disk did not do it in time. */
  const required = async <T>(operation: () => Promise<T>): Promise<T> => {
    const answer = await disk.answer(operation);
    if (answer.is !== "done") throw new Error(answer.why);
    return answer.value;
  };

  return {
    read: () => readAll(tasks, owed, say),
    kept: () => bringBack(tasks, ended, say),
    async write(record) {
      const answer = await answerOf(writer.write(record));
      if (answer.is === "done") return owed?.written(record.assignment.uid);
      if (owed === null) throw new Error(answer.why);
      owed.put({ record, why: answer.why, late: answer.is === "late" });
    },
    ...claims,
    ...createInputFiles(dirOf, disk),
    owed: () => owed?.records ?? NOTHING_OWED,
    trouble: () => troubleOf(disk, owed),
    tail: (uid) => tails.of(uid),
    async acknowledge(uid) {
      tails.forget(uid);
      // A record whose end is not on disk would be taken for one that may still begin, should a restored server ask.
      const unbegun = owed?.records.has(uid) === true && !isTaskFile(dirOf(uid), FILES.claim);
      const answer = await disk.answer(() => (unbegun ? removeTreeSlowly(dirOf(uid)) : keepEnded(uid)));
      // What the disk still owes of the task stays, so that a task that never began is not begun by a later agent.
      if (answer.is === "done") owed?.drop(uid);
      else writing.acknowledged(uid);
    },
    async forget(uid) {
      await required(async () => {
        await removeTreeSlowly(dirOf(uid));
        await removeTreeSlowly(join(ended, uid));
      });
      owed?.drop(uid);
      tails.forget(uid);
    },
    close: () => {
      sweeping.stop();
      writing.stop();
    },
  };
}

function troubleOf(disk: Disk, owed: Owed | null): string | null {
  if (disk.hangs()) return DISK_HANGS;
  const first = owed?.records.values().next().value;
  return first?.why ?? (owed !== null && owed.claims.size > 0 ? "its disk owes claims of stopped tasks" : null);
}

const NOTHING_OWED: ReadonlyMap<string, OwedRecord> = new Map();

async function moveAway(from: string, to: string): Promise<void> {
  if (!exists(from)) return;
  if (exists(to)) await removeTreeSlowly(to);
  await renameSlowly(from, to);
}

interface Sweeping {
  /** Counts what an ended task takes of the disk. The oldest ones go at once when all take too much. */
  readonly added: (dir: string) => void;
  readonly stop: () => void;
}

function keepSweeping(data: string, disk: Disk, say: (line: string) => void): Sweeping {
  const most_bytes = mostEndedBytes(places(data).ended);
  let bytes = 0;
  let [running, again] = [false, false];
  const sweep = (): void => {
    if (running) again = true;
    if (running || disk.hangs()) return;
    [running, again] = [true, false];
    const added = bytes;
    sweepEnded(data)
      .then((found) => {
        bytes = found + bytes - added;
      })
      .catch((error: unknown) => say(`old tasks could not be removed: ${messageOf(error)}`))
      .finally(() => {
        running = false;
        if (again) sweep();
      });
  };
  sweep();
  const timer = setInterval(sweep, SWEEP_EVERY_MS);
  return {
    added(dir) {
      bytes += endedBytes(dir);
      if (bytes > most_bytes) sweep();
    },
    stop: () => clearInterval(timer),
  };
}

async function readAll(tasks: string, owed: Owed | null, say: (line: string) => void): Promise<StoredTasks> {
  const records = new Map<string, TaskRecord>();
  const [unreadable, stopped] = [new Set<string>(), new Set<string>()];
  const uids = namesIn(tasks).filter(isUid);
  for (const [at, uid] of uids.entries()) {
    if (at % CHUNK === CHUNK - 1) await breathe();
    const found = readRecord(tasks, uid);
    if (found.is === "there") records.set(uid, found.record);
    else if (found.is === "bad" || exists(badPath(tasks, uid))) unreadable.add(uid);
    else if (readAttempt(join(tasks, uid))?.claimed === "stop") stopped.add(uid);
    if (found.is === "bad") say(`the record of task ${uid} is unreadable, and set aside: ${found.why}`);
  }
  // What an earlier agent could not write is newer than what is on the disk.
  for (const [uid, { record }] of owed?.records ?? []) records.set(uid, record);
  return { records, uids, unreadable, stopped };
}

/**
 * Moves ended tasks back among the living ones and returns their records. A task that has a living directory is left.
 * One that the disk does not let move is told from its record all the same.
 */
async function bringBack(tasks: string, ended: string, say: (line: string) => void): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  let stuck = 0;
  let why = "";
  for (const [at, uid] of namesIn(ended).filter(isUid).entries()) {
    if (at % CHUNK === CHUNK - 1) await breathe();
    const found = readRecord(ended, uid);
    if (found.is !== "there" || exists(join(tasks, uid))) continue;
    records.push(found.record);
    try {
      renameTo(join(ended, uid), join(tasks, uid));
    } catch (error) {
      stuck += 1;
      why = messageOf(error);
    }
  }
  if (stuck > 0) say(`${stuck} ended tasks could not be moved back, and are told as they are: ${why}`);
  return records;
}
