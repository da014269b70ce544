// A driver runs tasks for the agent's loop: it starts, signals and looks at them. Everything on disk about tasks
// belongs to the store, for every driver. All calls may be repeated, since a claim never executes twice.

import type { BatchSoFar } from "../../core/agent/results";
import type { Orphan } from "../../core/model/rows-node";
import type { Seen, TaskRecord } from "../../core/model/record";
import type { BootMs } from "../../core/units";
import type { ElementReader } from "../tasks/element-reader";
import type { StoredTasks } from "../tasks/store";

export interface Driver {
  /**
   * Looks at every task in the store, once, before any other call. Returns the tasks that live without a readable
   * record, and those that may live, since their record was set aside.
   */
  find(stored: StoredTasks): Promise<readonly Orphan[]>;
  /** Returns the view of every task with a claim or a process. It is kept current, so the call is cheap. */
  seen(): ReadonlyMap<string, Seen>;
  /** Returns whether an attempt is known to have begun here although its directory, and so its claim, is gone. */
  wasBegun(uid: string): boolean;
  /**
   * Returns whether the start of a task may have been ordered, by this agent process or by one before it, and is not
   * answered. It may still happen, however long that takes.
   */
  isOrdered(uid: string): boolean;
  /** Returns why no task can be begun, whichever it is, or null. */
  trouble(): string | null;
  /** Returns what hangs of that which keeps tasks, for people, or null. Other tasks can be begun meanwhile. */
  silent(): string | null;
  /** Resolves when the task runs or is over. Rejects, after a while, if nothing was begun. */
  start(record: TaskRecord): Promise<void>;
  /**
   * Returns how a batch stands, or null if the task is none. Once its end is written down, these are all results that
   * there will be.
   */
  batch(record: TaskRecord): BatchSoFar | null;
  /** Returns what reads the journal of a batch that is not acknowledged, or null. */
  reader(uid: string): ElementReader | null;
  /** Sends a signal to the task's own process and its group. A batch begins nothing more, and each element gets it. */
  signal(uid: string, signal: string): Promise<void>;
  /** Sends SIGKILL to everything that belongs to the task. Does not wait for its end. */
  kill(uid: string): Promise<void>;
  /**
   * Asks the processes of a task to end, and kills them after a grace. This is for a task without a record, which no
   * loop can follow.
   */
  end(uid: string): void;
  /** Looks again at a task whose directory or claim has changed. */
  look(uid: string): void;
  /** Forgets a task that is of no interest any more. */
  drop(uid: string): void;
  /** Tells when the newest answered heartbeat was sent, on the loop's clock. */
  lease(heard_ms: BootMs): void;
  onChange(listener: () => void): void;
  /** Releases the driver's own resources. Tasks and keepers live on. */
  close(): void;
}
