// The store of everything that is kept on disk of tasks, whatever runs them: records, claims, the last output of ended
// tasks, and ended tasks for a while. A claim decides whether an attempt executes, and is made once.

import { join } from "node:path";
import type { Tail } from "../../core/model/end";
import type { TaskRecord } from "../../core/model/record";
import { breathe, nowMs } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { createOnce, exists, makePrivateDir, namesIn, removeFile, removeTree, renameTo } from "../../os/files/files";
import { isTaskFile } from "../../os/files/task-files";
import { bootId } from "../../os/proc";
import { badPath, createRecordWriter, readRecord } from "./records";
import { sweepEnded } from "./retention";
import { createTails } from "./tails";
import { claimText, exitLine, FILES, isUid, places, readAttempt, startFailed, STOPPED_CLAIM } from "./taskdir";
import type { Attempt } from "./taskdir";

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

/**
 * `now`: the attempt is claimed now and never executes. `before`: it was claimed before and has a record. `unrecorded`:
 * it was claimed before and has no record.
 */
export type StopClaim = "now" | "before" | "unrecorded";

/** The part of the store that the agent's loop uses. Every call may be repeated. */
export interface TaskStore {
  /** Reads the tasks on disk. A record that cannot be read is set aside, with a line in the log. */
  read(): Promise<StoredTasks>;
  /** Moves ended tasks that another timeline acknowledged back among the living ones, and returns their records. */
  kept(): Promise<readonly TaskRecord[]>;
  /** Resolves when the record is durable. If several writes of one task wait, only the last one is made. */
  write(record: TaskRecord): Promise<void>;
  /** Returns whether a directory of the task, living or ended, has a claim. */
  wasClaimed(uid: string): boolean;
  /** Claims an attempt so that it never executes. An attempt that was claimed before stays as it is. */
  claimStopped(uid: string): Promise<StopClaim>;
  /** Returns the last 4 KiB of each stream of an ended task. */
  tail(uid: string): Tail | null;
  /** Notes that the server has this end on disk. The task is kept for a while and no longer loaded. */
  acknowledge(uid: string): Promise<void>;
  /** Deletes everything about a task. */
  forget(uid: string): Promise<void>;
}

/** The store over the files of a data directory, with the calls that drivers use too. */
export interface TaskFiles extends TaskStore {
  /** Returns the content of an attempt's claim, or null if the attempt is not claimed. */
  attempt(uid: string): Attempt | null;
  /** Claims an attempt that can never begin here. The attempt is over at once, for this reason. */
  claimRefused(uid: string, why: string): Promise<void>;
  close(): void;
}

const SWEEP_EVERY_MS = 3_600_000;
/** How many directories are read before other work gets its turn. */
const CHUNK = 200;

/** Opens the store of a data directory (`<data>/agent`), and removes what has been kept for long enough. */
export function openTaskStore(data: string, say: (line: string) => void): TaskFiles {
  const { tasks, ended } = places(data);
  for (const dir of [tasks, ended]) makePrivateDir(dir);
  const writer = createRecordWriter(tasks);
  const tails = createTails(tasks);
  const dirOf = (uid: string): string => join(tasks, uid);
  const sweeping = keepSweeping(tasks, ended, say);
  return {
    read: () => readAll(tasks, say),
    kept: () => bringBack(tasks, ended),
    write: (record) => writer.write(record),
    attempt: (uid) => readAttempt(dirOf(uid)),
    wasClaimed: (uid) => isTaskFile(dirOf(uid), FILES.claim) || exists(join(ended, uid)),
    claimStopped: async (uid) => (exists(join(ended, uid)) ? "before" : claimStopped(tasks, uid)),
    claimRefused: (uid, why) => claimRefused(dirOf(uid), why),
    tail: (uid) => tails.of(uid),
    async acknowledge(uid) {
      const to = join(ended, uid);
      if (exists(to)) removeTree(to);
      if (exists(dirOf(uid))) renameTo(dirOf(uid), to);
      tails.forget(uid);
    },
    async forget(uid) {
      removeTree(dirOf(uid));
      removeTree(join(ended, uid));
      tails.forget(uid);
    },
    close: () => clearInterval(sweeping),
  };
}

function keepSweeping(tasks: string, ended: string, say: (line: string) => void): ReturnType<typeof setInterval> {
  const sweep = (): void => {
    sweepEnded(ended, tasks, nowMs()).catch((error: unknown) =>
      say(`old tasks could not be removed: ${messageOf(error)}`),
    );
  };
  sweep();
  return setInterval(sweep, SWEEP_EVERY_MS);
}

async function readAll(tasks: string, say: (line: string) => void): Promise<StoredTasks> {
  const records = new Map<string, TaskRecord>();
  const [unreadable, stopped] = [new Set<string>(), new Set<string>()];
  const uids = namesIn(tasks).filter(isUid);
  for (const [at, uid] of uids.entries()) {
    if (at % CHUNK === CHUNK - 1) await breathe();
    const found = readRecord(tasks, uid);
    if (found.is === "there") records.set(uid, found.record);
    else if (exists(badPath(tasks, uid))) unreadable.add(uid);
    else if (readAttempt(join(tasks, uid))?.claimed === "stop") stopped.add(uid);
    if (found.is === "bad") say(`the record of task ${uid} is unreadable, and set aside: ${found.why}`);
  }
  return { records, uids, unreadable, stopped };
}

/**
 * Moves ended tasks back among the living ones and returns their records. A task that has a living directory is left.
 */
async function bringBack(tasks: string, ended: string): Promise<TaskRecord[]> {
  const records: TaskRecord[] = [];
  for (const [at, uid] of namesIn(ended).filter(isUid).entries()) {
    if (at % CHUNK === CHUNK - 1) await breathe();
    const found = readRecord(ended, uid);
    if (found.is !== "there" || exists(join(tasks, uid))) continue;
    renameTo(join(ended, uid), join(tasks, uid));
    records.push(found.record);
  }
  return records;
}

async function claimStopped(tasks: string, uid: string): Promise<StopClaim> {
  const dir = join(tasks, uid);
  makePrivateDir(dir);
  const claimed = await createOnce(join(dir, FILES.claim), STOPPED_CLAIM);
  const recorded = isTaskFile(dir, FILES.record);
  // No other order will follow for a record that could not be read.
  if (!recorded) removeFile(badPath(tasks, uid));
  return claimed === "created" ? "now" : recorded ? "before" : "unrecorded";
}

async function claimRefused(dir: string, why: string): Promise<void> {
  const now_ms = nowMs();
  const exit = {
    exit_code: null,
    signal: null,
    started_ms: now_ms,
    ended_ms: now_ms,
    peak_memory_bytes: null,
    oom: false,
    left: 0,
    ...startFailed(why),
  };
  await createOnce(join(dir, FILES.claim), claimText(bootId(), now_ms, []) + exitLine(exit));
}
