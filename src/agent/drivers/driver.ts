// What the agent's loop needs of whatever runs tasks: a driver starts, signals and looks. What is kept of tasks on disk
// is the store's, for every driver. Everything may be called again: a claim never executes twice.

import type { Orphan } from "../../core/model/rows-node";
import type { Seen, TaskRecord } from "../../core/model/record";
import type { Ms } from "../../core/units";
import type { StoredTasks } from "../tasks/store";

export interface Driver {
  /**
   * Looks at every task that the store has, once, before anything else. Returns what lives without a record that can
   * be read, and what may live: tasks whose record was set aside.
   */
  find(stored: StoredTasks): Promise<readonly Orphan[]>;
  /** Everything that has a claim or a process, kept current; cheap. */
  seen(): ReadonlyMap<string, Seen>;
  /** Whether an attempt is known to have begun here though its directory, and with it its claim, is gone. */
  wasBegun(uid: string): boolean;
  /** Resolves when the task runs or is over; rejects, after a while, when nothing was begun. */
  start(record: TaskRecord): Promise<void>;
  /** To the task's own process and its group. */
  signal(uid: string, signal: string): Promise<void>;
  /** SIGKILL to everything that belongs to the task. Does not wait for its end. */
  kill(uid: string): Promise<void>;
  /** Asks what lives of a task to end, and kills it after a grace: for a task whose record no loop can follow. */
  end(uid: string): void;
  /** Looks at a task again whose directory or claim has changed. */
  look(uid: string): void;
  /** The task is of no interest any more. */
  drop(uid: string): void;
  /** When the newest answered heartbeat was sent, on the loop's clock. */
  lease(heard_ms: Ms): void;
  onChange(listener: () => void): void;
  /** Lets go: tasks and keepers live on. */
  close(): void;
}
