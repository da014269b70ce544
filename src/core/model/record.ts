// The agent's side of the model: what it was told, what it has written down, what it sees, and what it decides to do.

import type { TaskExit, RecordEnd, ReportedEnd } from "./end";
import type { TaskIdentity } from "./rows-task";
import type { Orphan } from "./rows-node";
import type { Promised } from "./promised";
import type { Ms } from "../units";
import type { Command, RestartSettings, StopSettings } from "./workload";

/** Everything an agent needs to run a task, also long after it lost its server. */
export interface Assignment {
  readonly uid: string;
  readonly identity: TaskIdentity;
  /** The task's name for people, `recs.api.0#2`. */
  readonly name: string;
  /** The boot it is for; on another boot it is never started. */
  readonly boot_id: string;
  readonly desired: "prepare" | "run";
  readonly grant_until: number;
  /** Crashes in a row before this attempt; the back-off of granted attempts counts on from it. */
  readonly streak: number;
  readonly command: Command;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string | null;
  readonly unix_user: string | null;
  readonly promised: Promised;
  readonly stop: StopSettings;
  readonly restart: RestartSettings;
  /** A task that ran for so long ends a row of crashes. */
  readonly stable_ms: Ms;
  readonly time_limit_ms: Ms | null;
  /** Set for exclusive tasks: they end this long after the newest answered heartbeat was sent. */
  readonly lease_ms: Ms | null;
}

/** One change of what a node shall do. Verbs are idempotent and only rise: prepare < run < stop. */
export type Verb =
  | { readonly verb: "assign"; readonly task: Assignment }
  | { readonly verb: "go"; readonly uid: string }
  | {
      readonly verb: "stop";
      readonly uid: string;
      readonly attempt: number;
      readonly signal: string;
      readonly grace_ms: Ms;
      readonly why: string;
    };

/** Which server a message is from. Both sides drop what is older than the newest they have seen. */
export interface Stamp {
  readonly cluster_id: string;
  readonly timeline: string;
  readonly epoch: number;
  /** Number of the connection within the epoch. */
  readonly session: number;
  readonly revision: number;
}

/** An agent's durable note of one task it accepted. */
export interface TaskRecord {
  readonly assignment: Assignment;
  /** The boot it was accepted on. */
  readonly boot_id: string;
  readonly accepted_ms: Ms;
  /** Whether it may execute; `false` while a gang is being prepared. */
  readonly go: boolean;
  /** Granted attempts wait for their back-off. */
  readonly not_before_ms: Ms;
  readonly stop: { readonly signal: string; readonly grace_ms: Ms; readonly why: string; readonly at_ms: Ms } | null;
  /** The agent's own reason to end it, for what it did to its card or its card to it; it ends as failed. */
  readonly verdict: { readonly why: string; readonly at_ms: Ms } | null;
  readonly end: RecordEnd | null;
}

/**
 * What a driver knows a living task by, such as the pid and start time of a process. Only the driver reads the rest of
 * it; `pid` is what people are shown, and what finds the task's processes on cards.
 */
export interface TaskHandle {
  readonly pid: number;
}

/** What the driver sees of a task, asked afresh each time. */
export interface Seen {
  /** A claim never executes again. */
  readonly claimed: boolean;
  readonly process:
    | { readonly is: "none" }
    /** Claimed by a keeper that lives and has yet to say whether it began; what comes of it will be told. */
    | { readonly is: "beginning" }
    | { readonly is: "alive"; readonly handle: TaskHandle; readonly started_ms: Ms }
    | ({ readonly is: "ended" } & TaskExit)
    /** Claimed on this boot, yet neither alive nor with a recorded exit. */
    | { readonly is: "vanished"; readonly why: string };
}

/** What the agent decides to do next, one step a task. */
export type Action =
  | { readonly do: "start"; readonly uid: string }
  | { readonly do: "claim"; readonly uid: string }
  | { readonly do: "signal"; readonly uid: string; readonly signal: string }
  | { readonly do: "kill"; readonly uid: string }
  | { readonly do: "end"; readonly uid: string; readonly end: RecordEnd; readonly next: TaskRecord | null };

/** A task's state as it travels: times are ages, the server subtracts. */
export type Reported =
  | { readonly state: "preparing"; readonly prepared: boolean; readonly reason: string | null }
  | { readonly state: "starting" }
  | { readonly state: "running"; readonly pid: number; readonly started_age_ms: Ms }
  | { readonly state: "stopping"; readonly pid: number | null; readonly started_age_ms: Ms | null }
  | ReportedEnd;

/** One line of a report or an inventory. */
export interface TaskReport {
  readonly uid: string;
  readonly name: string;
  /** `null` when the agent was told to stop what it never heard of. */
  readonly identity: TaskIdentity | null;
  readonly grant_until: number;
  /** What it holds while it lives. */
  readonly held: Promised | null;
  /** Whether it ends with its lease; and whose account it has. Both are needed to adopt it. */
  readonly exclusive: boolean;
  readonly unix_user: string | null;
  readonly reported: Reported;
}

/** A whole inventory: what an agent has when it connects. */
export interface Inventory {
  readonly boot_id: string;
  readonly entries: readonly TaskReport[];
  /** Records that it could not read; they hold their place until somebody looks. */
  readonly unreadable: readonly Orphan[];
  /**
   * The newest timeline and revision up to which it has applied everything, and the revision at which its disk was
   * new; `null` on a fresh disk.
   */
  readonly applied: { readonly timeline: string; readonly revision: number; readonly since: number } | null;
}
