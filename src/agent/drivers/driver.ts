// What the agent's loop needs of whatever runs tasks. Everything may be called again: the files of a task are the
// truth, and a claim never executes twice.

import type { Tail } from "../../core/model/end";
import type { Orphan } from "../../core/model/rows-node";
import type { Seen, TaskRecord } from "../../core/model/record";
import type { Ms } from "../../core/units";

export interface Driver {
  /**
   * Reads what is on disk, once, before anything else. Records that cannot be read are set aside and told, with what
   * lives without one; ends that were acknowledged are not among the records.
   */
  records(): Promise<{ readonly records: Map<string, TaskRecord>; readonly unreadable: readonly Orphan[] }>;
  /** Ended records that another timeline acknowledged, back among the living ones. */
  kept(): Promise<readonly TaskRecord[]>;
  /** Resolves when the record is durable. Of writes of one task that wait for each other, the last one counts. */
  write(record: TaskRecord): Promise<void>;
  /** Everything that has a claim or a process, kept current; cheap. */
  seen(): ReadonlyMap<string, Seen>;
  /** Whether an attempt was ever claimed here, also when its record is gone. */
  wasClaimed(uid: string): boolean;
  /** Resolves when the task runs or is over; rejects, after a while, when nothing was begun. */
  start(record: TaskRecord): Promise<void>;
  /** Claims an attempt so that it never executes; nothing happens when it was claimed before. */
  claimStopped(uid: string): Promise<void>;
  /** To the task's own process and its group. */
  signal(uid: string, signal: string): Promise<void>;
  /** SIGKILL to everything that belongs to the task. Does not wait for its end. */
  kill(uid: string): Promise<void>;
  /** When the newest answered heartbeat was sent, on the loop's clock. */
  lease(heard_ms: Ms): void;
  /** The last 4 KiB of each stream of an ended task. */
  tail(uid: string): Tail | null;
  /** The server has this end on disk: it is kept for a while, and no longer loaded. */
  acknowledge(uid: string): Promise<void>;
  /** Deletes everything about a task. */
  forget(uid: string): Promise<void>;
  onChange(listener: () => void): void;
  /** Lets go: tasks and keepers live on. */
  close(): void;
}
