// Work as rows: apps, workloads, runs, and what is remembered of a slot between its tasks.

import type { ArrayRun } from "./array";
import type { EndCause, TaskFinal } from "./end";
import type { RunState } from "./lifecycle";
import type { TaskRow } from "./rows-task";
import type { Ms } from "../units";
import type { InputRef, Kind, Settings } from "./workload";

export interface AppRow {
  readonly uid: string;
  readonly project: string;
  readonly name: string;
  /** The spec exactly as it was applied. */
  readonly text: string;
  /** The revision of the app's last change. An apply compares it with the revision that its plan showed. */
  readonly revision: number;
  readonly changed_by: string;
  readonly changed_ms: Ms;
  readonly removing: boolean;
}

export interface WorkloadRow {
  readonly uid: string;
  readonly app_uid: string;
  readonly project: string;
  readonly app: string;
  readonly name: string;
  readonly kind: Kind;
  readonly version: number;
  readonly spec_hash: string;
  readonly settings: Settings;
  /** The user of the last apply, for whom the tasks run. */
  readonly user: string;
  /** The newest run of a job, also after it has left the live state. */
  readonly last_run: { readonly uid: string; readonly run: number; readonly state: RunState } | null;
  readonly removing: boolean;
  /** Since when its slots are wanted. Null in rows of earlier releases. */
  readonly wanted: readonly WantedSince[] | null;
  /**
   * The numbers below its highest slot that a service gave up when it was scaled down, ascending. Null: none, as in
   * rows of earlier releases.
   */
  readonly without: readonly number[] | null;
}

/** Since when the slots from this one up to that of the next entry are wanted. */
export interface WantedSince {
  readonly from: number;
  readonly since_ms: Ms;
}

/** What a run waits for. `met` is null while that is open; false means that it can never be met. */
export interface RunAfter {
  readonly name: string;
  /** The uid of a run, or of a service. */
  readonly uid: string;
  readonly when: "succeeded" | "ended" | "failed" | "up";
  readonly met: boolean | null;
}

export interface RunRow {
  readonly uid: string;
  readonly run: number;
  readonly name: string;
  readonly project: string;
  readonly user: string;
  readonly app_uid: string | null;
  readonly app: string | null;
  readonly workload_uid: string | null;
  readonly version: number;
  readonly spec_hash: string;
  readonly settings: Settings;
  /** What each of its attempts reads from standard input. The user of the run has uploaded it. Null: nothing. */
  readonly stdin: InputRef | null;
  readonly state: RunState;
  readonly reason: string | null;
  readonly after: readonly RunAfter[];
  readonly cancel: { readonly at_ms: Ms; readonly by: string } | null;
  readonly created_ms: Ms;
  readonly started_ms: Ms | null;
  readonly finished_ms: Ms | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  /**
   * The cause of the end of the attempt that the run ended with. Null if the exit code or signal says it, and for runs
   * of earlier releases.
   */
  readonly cause: EndCause | null;
  /** What it waited for last before its first task was placed, in words. Null: for nothing, or it has not begun. */
  readonly waited_for: string | null;
  /** The elements of an array, and how far it is. Null: the run is none. */
  readonly array: ArrayRun | null;
}

/** A person's word on an attempt whose end nobody knows: how it ended, or that the run shall be tried again. */
export interface Settled {
  readonly as: "succeeded" | "failed" | "again";
  readonly by: string;
}

/** How a crash ended. */
export type Crash = Pick<TaskFinal, "state" | "exit_code" | "signal" | "reason">;

/**
 * What a slot remembers of the end of a task of its newest attempt; `slotEndOf` makes it. `version` is the one that the
 * slot's streak and back-off belong to. A new version starts without them.
 */
export interface TaskEnd
  extends
    Pick<TaskRow, "uid" | "version" | "attempt" | "member" | "node_id">,
    Pick<TaskFinal, "state" | "exit_code" | "signal" | "cause" | "reason"> {
  readonly at_ms: Ms;
  /** When the task began, if its end is unknown. */
  readonly started_ms?: Ms | null;
  /** What a person has said about an attempt whose end is unknown. */
  readonly settled?: Settled;
  /** The last crash of the slot's streak, if this end is none. */
  readonly crash?: Crash;
  /** Whether the task gave back cards that it did not use. */
  readonly idle?: boolean;
  /**
   * The grant of a task whose agent has not said how many of the granted attempts it has made. Missing: the grant is
   * closed, and its node makes no further attempt of the slot.
   */
  readonly grant_until?: number;
  /** The spec of a task whose grant is open: attempts that its agent has made run it too. */
  readonly spec_hash?: string;
}

/**
 * A node that rejected a slot's work, and is left out for that work for a while. Rows of earlier releases have neither
 * a version nor what follows it, so they count for no work.
 */
export interface LeftOut {
  readonly node_id: string;
  /** Nothing of the slot is placed on the node before this time. The entry stays, since the next time is longer. */
  readonly until_ms: Ms;
  readonly version: number;
  readonly unix_user: string | null;
  /** How often in a row the node has rejected it. */
  readonly times: number;
  readonly at_ms: Ms;
  readonly cause: EndCause | null;
  readonly reason: string | null;
  readonly exit_code: number | null;
}

/** What is remembered of a slot between its tasks. It is written in the commit that takes in a task's end. */
export interface SlotRow {
  /** `owner_uid/slot`. */
  readonly key: string;
  readonly owner_uid: string;
  readonly slot: number;
  /** The highest attempt number that was used or granted. */
  readonly attempts: number;
  /** Crashes in a row. An attempt that runs long enough resets them. */
  readonly streak: number;
  /**
   * How many ends counted as `failed` (which `retries` bounds), `rejected` and `lost`. A rejection counts unless it is
   * its node's trouble.
   */
  readonly failed: number;
  readonly rejected: number;
  readonly lost: number;
  /** No new attempt starts before this time. */
  readonly not_before_ms: Ms;
  /** The nodes that rejected the slot's present version, since each of them last ran it. */
  readonly avoid: readonly LeftOut[];
  /** The ends of the newest attempt, one per member. */
  readonly ends: readonly TaskEnd[];
}

/** An entry in the history of a workload: a new version, or other settings of the same version. */
export interface VersionRow {
  /** `workload_uid/version/revision`. */
  readonly key: string;
  readonly workload_uid: string;
  readonly version: number;
  /** The revision of the commit that made the entry. 0: a release that kept one entry a version wrote it. */
  readonly revision: number;
  readonly spec_hash: string;
  readonly settings: Settings;
  readonly by: string;
  readonly at_ms: Ms;
}
