// What the agent's loop needs of whatever runs tasks. Every call can be repeated; none may hang: each has a limit of
// its own.

import type { Orphan, TaskFinal } from "../../core/model";
import type { Seen, TaskRecord } from "../../core/record";
import type { Ms } from "../../core/units";

export interface Driver {
  /** Records that are not yet acknowledged. What cannot be read is set aside, and what still lives of it is listed. */
  records(): Promise<{ readonly records: Map<string, TaskRecord>; readonly unreadable: readonly Orphan[] }>;
  /** Ended and acknowledged records that are still kept; asked for when a restored server needs to hear them again. */
  kept(): Promise<readonly TaskRecord[]>;
  /** Durable over a crash of the agent when it resolves. */
  write(record: TaskRecord): Promise<void>;
  /** What is known of every task with a claim or a process, kept current by the supervisor's events. */
  seen(): ReadonlyMap<string, Seen>;
  /** Whether the attempt was ever claimed on this disk, also long ago. */
  wasClaimed(uid: string): boolean;
  /** Claims and executes; resolves once the process lives, has ended, or could not start (which is an end, too). */
  start(record: TaskRecord): Promise<void>;
  /** Claims the attempt as stopped, so that it never executes. A claim that is already there stands. */
  claimStopped(uid: string): Promise<void>;
  signal(uid: string, signal: string): Promise<void>;
  /** SIGKILL of everything that belongs to the task, whatever its session; resolves when it was sent. */
  kill(uid: string): Promise<void>;
  /** Exclusive tasks live on: the server answered a heartbeat that was sent at this time of the agent's clock. */
  lease(heard_ms: Ms): void;
  /** The last 4 KiB of each stream. */
  tail(uid: string): TaskFinal["tail"];
  /** The server has its end on disk: it leaves `records` and stays among `kept` until its retention is over. */
  acknowledge(uid: string): Promise<void>;
  /** Deletes a record that never began, or one whose retention is over. */
  forget(uid: string): Promise<void>;
  /** Called when `seen` has changed. */
  onChange(listener: () => void): void;
  /** Lets go of the supervisor; tasks and supervisor live on. */
  close(): void;
}
