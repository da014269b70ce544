// The store of everything that is kept on disk of tasks, whatever runs them: records, claims, the last output of ended
// tasks, and ended tasks for a while. A claim decides whether an attempt executes, and is made once.

import { join } from "node:path";
import type { Tail } from "../../core/model/end";
import type { TaskRecord } from "../../core/model/record";
import { breathe } from "../../os/clock";
import { messageOf } from "../../os/errors";
import {
  answerOf,
  createDisk,
  createSlowly,
  DISK_HANGS,
  removeSlowly,
  removeTreeSlowly,
  renameSlowly,
  type Disk,
} from "../../os/files/disk";
import { exists, makePrivateDir, namesIn, renameTo } from "../../os/files/files";
import { appendTaskLinesSlowly, isTaskFile } from "../../os/files/task-files";
import { claimOwed, createClaims, type Claims } from "./claims";
import { createInputFiles, removeInput, type InputFiles } from "./input-files";
import { openOwed, type Owed, type OwedRecord } from "./owed";
import { openBook, type Book } from "./book";
import { createRecordWriter, makeAgain } from "./record-writer";
import { badPath, readRecord } from "./records";
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
   * Resolves when the record is in the book, or when the disk owes it. The writes of one task are made in the order of
   * the calls.
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
  const book = openBook(data, disk, say);
  const writer = createRecordWriter(tasks, disk, book);
  const claims = createClaims({ tasks, ended, disk, owed, hasRecord: book.has });
  const tails = createTails((uid) => dirOfTask(data, uid) ?? dirOf(uid));
  const dirOf = (uid: string): string => join(tasks, uid);
  const sweeping = keepSweeping(data, disk, say);
  const keepEnded = async (uid: string): Promise<void> => {
    await removeInput(dirOf(uid));
    const text = book.textOf(uid);
    // With it an earlier release, and an agent of another timeline, finds the end.
    if (text !== null && exists(dirOf(uid))) await appendTaskLinesSlowly(dirOf(uid), FILES.record, text);
    await moveAway(dirOf(uid), join(ended, uid));
    await sweeping.added(join(ended, uid));
  };
  const moveEnded = async (uid: string): Promise<void> => {
    await disk.run(() => keepEnded(uid));
    await book.forget(uid);
  };
  const writing = keepWriting({ disk, writer, owed, book, claim: (uid) => claimOwed(tasks, uid), moveEnded });

  /** Returns what an operation gives, or throws why the disk did not do it in time. */
  const required = async <T>(operation: () => Promise<T>): Promise<T> => {
    const answer = await disk.answer(operation);
    if (answer.is !== "done") throw new Error(answer.why);
    return answer.value;
  };

  return {
    read: () => readAll({ tasks, ended, disk, book, owed, say }),
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
    trouble: () => troubleOf(disk, owed) ?? book.trouble(),
    tail: (uid) => tails.of(uid),
    async acknowledge(uid) {
      tails.forget(uid);
      // A record whose end is not on disk would be taken for one that may still begin, should a restored server ask.
      const unbegun = owed?.records.has(uid) === true && !isTaskFile(dirOf(uid), FILES.claim);
      const answer = await disk.answer(() => (unbegun ? removeTreeSlowly(dirOf(uid)) : keepEnded(uid)));
      // What the disk still owes of the task stays, so that a task that never began is not begun by a later agent.
      if (answer.is !== "done") return writing.acknowledged(uid);
      await answerOf(book.forget(uid));
      await answerOf(removeSlowly(badPath(tasks, uid)));
      owed?.drop(uid);
    },
    async forget(uid) {
      await required(async () => {
        await removeTreeSlowly(dirOf(uid));
        await removeTreeSlowly(join(ended, uid));
      });
      await book.forget(uid);
      owed?.drop(uid);
      tails.forget(uid);
    },
    close: () => [sweeping.stop, writing.stop, book.close].forEach((end) => end()),
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
  readonly added: (dir: string) => Promise<void>;
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
    async added(dir) {
      const added = await endedBytes(dir);
      bytes += added;
      if (bytes > most_bytes) sweep();
    },
    stop: () => clearInterval(timer),
  };
}

interface Reading {
  readonly tasks: string;
  readonly ended: string;
  readonly disk: Disk;
  readonly book: Book;
  readonly owed: Owed | null;
  readonly say: (line: string) => void;
}

async function readAll({ tasks, ended, disk, book, owed, say }: Reading): Promise<StoredTasks> {
  const records = new Map<string, TaskRecord>();
  const [unreadable, stopped] = [new Set<string>(), new Set<string>()];
  const { found, damaged } = book.read();
  for (const [uid, { record }] of found) records.set(uid, record);
  const uids = namesIn(tasks).filter(isUid);
  const older: TaskRecord[] = [];
  for (const [at, uid] of uids.entries()) {
    if (at % CHUNK === CHUNK - 1) await breathe();
    if (records.has(uid)) continue;
    const alone = readRecord(tasks, uid);
    if (alone.is === "there") older.push(alone.record);
    else if (alone.is === "bad" || exists(badPath(tasks, uid))) unreadable.add(uid);
    else if (readAttempt(join(tasks, uid))?.claimed === "stop") stopped.add(uid);
    else if (damaged > 0 || isTaskFile(join(tasks, uid), FILES.claim)) {
      // Its record is what is damaged or lost: no task is claimed without one. It counts as unreadable from now on.
      await noteUnreadable(disk, badPath(tasks, uid));
      unreadable.add(uid);
    }
    if (alone.is === "bad") say(`the record of task ${uid} is unreadable, and set aside: ${alone.why}`);
  }
  if (damaged > 0) say(`the book of tasks is damaged: ${damaged} of its lines cannot be read, and are left out`);
  const gone: string[] = [];
  for (const [uid, { record }] of found) {
    const dir = join(tasks, uid);
    // Its end was acknowledged, and the agent ended before it could write that down.
    if (!exists(dir) && exists(join(ended, uid))) gone.push(uid);
    // Somebody has removed the directory, and the task's claim with it.
    else if (!exists(dir)) await disk.answer(() => makeAgain(dir, record));
  }
  for (const uid of gone) records.delete(uid);
  await book.begin(gone);
  // Those that an earlier release has written are in the book from now on.
  for (const record of older) records.set(record.assignment.uid, record);
  await Promise.all(older.map((record) => answerOf(book.write(record))));
  // What an earlier agent could not write is newer than what is on the disk.
  for (const [uid, { record }] of owed?.records ?? []) records.set(uid, record);
  return { records, uids: [...new Set([...uids, ...records.keys()])], unreadable, stopped };
}

/** Makes the mark of a record that could not be read. On a disk that takes nothing it is made at a later start. */
async function noteUnreadable(disk: Disk, path: string): Promise<void> {
  await disk.answer(() => createSlowly(path, ""));
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
