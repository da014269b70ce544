// The agent's side of the model: what the server has ordered, what the agent has written down, what it sees, and what
// it decides to do.

import type { BatchOrder, BatchResults } from "./array";
import type { TaskExit, RecordEnd, ReportedEnd } from "./end";
import type { TaskIdentity } from "./rows-task";
import type { Orphan } from "./rows-node";
import type { Promised } from "./promised";
import type { BootMs, Ms } from "../units";
import type { Activate, Command, InputRef, ProcessLimits, RestartSettings, StopSettings } from "./workload";

/** The server's signature over an assignment. Attempts that the agent makes under its grant keep it. */
export interface Seal {
  /** The uid and the attempt that were assigned. */
  readonly uid: string;
  readonly attempt: number;
  readonly signature: string;
}

/** Everything an agent needs to run a task, also long after it has lost the server. */
export interface Assignment {
  readonly uid: string;
  readonly identity: TaskIdentity;
  /** The task's name for people, `recs.api.0#2`. */
  readonly name: string;
  /** The boot that the task is meant for. The task is never started on another boot. */
  readonly boot_id: string;
  readonly desired: "prepare" | "run";
  readonly grant_until: number;
  /** Crashes in a row before this attempt. The back-off of granted attempts counts on from here. */
  readonly streak: number;
  readonly command: Command;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string | null;
  /** Servers of earlier releases do not send these three fields, and agents of earlier releases do not know them. */
  readonly activate?: Activate | undefined;
  readonly login?: true | undefined;
  readonly oom?: "any" | undefined;
  readonly unix_user: string | null;
  /** Whether the task may run as uid 0 or as an account of the system. It may if it is an admin's. */
  readonly may_be_system: boolean;
  /** The uid of the server that runs on the same machine, which only an admin's task may have. Null: none does. */
  readonly server_uid: number | null;
  /** Servers of earlier releases do not send this field. */
  readonly limits?: ProcessLimits | undefined;
  /** What the task reads from standard input. Missing: nothing. The agent fetches it before the task may begin. */
  readonly stdin?: InputRef | undefined;
  readonly promised: Promised;
  readonly stop: StopSettings;
  readonly restart: RestartSettings;
  /** A task that has run for this long ends a row of crashes. */
  readonly stable_ms: Ms;
  readonly time_limit_ms: Ms | null;
  /** An exclusive task ends this long after the newest answered heartbeat was sent. Null: the task is not exclusive. */
  readonly lease_ms: Ms | null;
  /** The elements of an array that the task runs. Missing: it runs its command once. */
  readonly batch?: BatchOrder | undefined;
  /** The uids of the tasks whose room the task takes over: it begins when all of them have ended. Missing: none. */
  readonly heir_of?: readonly string[] | undefined;
  /** Missing in records of older releases. */
  readonly seal?: Seal | undefined;
}

/** The settings that an agent obeys while a task runs. What it was granted with the attempt stays. */
export interface TaskSettings {
  readonly stop: StopSettings;
  readonly restart: Omit<RestartSettings, "offline">;
  readonly time_limit_ms: Ms | null;
}

/**
 * An order that changes what a node shall do. Orders are idempotent and only rise: prepare < run < stop. `set` gives
 * the present settings of a task that the agent has.
 */
export type Verb =
  | { readonly verb: "assign"; readonly task: Assignment }
  | { readonly verb: "go"; readonly uid: string }
  | { readonly verb: "set"; readonly uid: string; readonly settings: TaskSettings }
  | {
      readonly verb: "stop";
      readonly uid: string;
      readonly attempt: number;
      /** The revision at which the task was assigned. 0: not known, so that no disk vouches for the task. */
      readonly assigned_revision: number;
      readonly signal: string;
      readonly grace_ms: Ms;
      readonly why: string;
      /** The order holds only if the task has not begun. Missing: it holds in any case. */
      readonly unbegun?: true | undefined;
    };

/**
 * The server and session that a message is from. Both sides drop messages that are older than the newest they have
 * seen.
 */
export interface Stamp {
  readonly cluster_id: string;
  readonly timeline: string;
  readonly epoch: number;
  /** The number of the connection within the epoch. */
  readonly session: number;
  readonly revision: number;
  /**
   * The server's signature over cluster, timeline, epoch and revision. What an agent says of a server's past counts
   * only with it.
   */
  readonly signature: string;
}

/** How far a server of the cluster had come, as that server itself has signed it. */
export type Passed = Pick<Stamp, "timeline" | "epoch" | "revision" | "signature">;

/**
 * The durable record that an agent keeps of a task that it has accepted. Its moments are on the boot clock of the boot
 * in which it is read; one from before that boot is negative.
 */
export interface TaskRecord {
  readonly assignment: Assignment;
  /** The boot on which the agent accepted the task. */
  readonly boot_id: string;
  readonly accepted_ms: BootMs;
  /** Whether the task may execute. False while its gang is being prepared. */
  readonly go: boolean;
  /** When the task may start. An attempt under a grant waits for its back-off. */
  readonly not_before_ms: BootMs;
  readonly stop: {
    readonly signal: string;
    readonly grace_ms: Ms;
    readonly why: string;
    readonly at_ms: BootMs;
    readonly unbegun?: true | undefined;
  } | null;
  /**
   * When the time limit was changed last. The new limit stops nothing before that moment, so that what had ended by
   * then ended by itself. Missing: it is the one that the task came with.
   */
  readonly limit_ms?: BootMs;
  /**
   * Why the agent itself ends the task: for what the task did to its card, or its card to it. The task then ends as
   * failed.
   */
  readonly verdict: { readonly why: string; readonly at_ms: BootMs } | null;
  readonly end: RecordEnd | null;
}

/**
 * A driver's handle of a living task. It has fields that only the driver reads, such as the start time of a process.
 * `pid` is shown to people, and finds the task's processes on cards. Null: no process stands for the task, as with a
 * batch.
 */
export interface TaskHandle {
  readonly pid: number | null;
}

/** The end of a task that is claimed so that it never executes, as the claim itself keeps it. */
export type EndOfClaim = Pick<RecordEnd, "state" | "cause" | "reason">;

/** A driver's view of a task, asked for anew each time. */
export interface Seen {
  /** Whether the attempt is claimed. A claimed attempt never executes again. */
  readonly claimed: boolean;
  readonly process:
    /** `told`: the end that an agent has decided on with the claim by which the task never executes. */
    | { readonly is: "none"; readonly told?: EndOfClaim }
    /** A living keeper has claimed the task and has yet to report whether it began. That report will come. */
    | { readonly is: "beginning" }
    /** `places`: how many places of a batch are not given up. */
    | {
        readonly is: "alive";
        readonly handle: TaskHandle;
        readonly started_ms: BootMs;
        readonly places?: number | undefined;
      }
    | ({ readonly is: "ended" } & TaskExit)
    /**
     * The task was claimed, but it is not alive and its exit is not recorded. `rebooted`: it was claimed on an earlier
     * boot, so a reboot ended it.
     */
    | { readonly is: "vanished"; readonly rebooted: boolean; readonly why: string };
}

/** Who stops a task, and why. A stop that the server ordered is no failure of the task; one of the agent's own is. */
export interface StopReason {
  readonly by: "order" | "time_limit" | "device_fault";
  readonly why: string;
}

/** The signal by which this agent asked a task to stop. The task's grace begins with it. */
export interface Asked extends StopReason {
  readonly at_ms: BootMs;
}

/** The next action that the agent decides on for a task. */
export type Action =
  | { readonly do: "start"; readonly uid: string }
  /** Claims an attempt that is not claimed, so that it never executes, and ends it so. */
  | { readonly do: "claim"; readonly uid: string; readonly end: RecordEnd }
  | { readonly do: "signal"; readonly uid: string; readonly signal: string; readonly stop: StopReason }
  | { readonly do: "kill"; readonly uid: string }
  | { readonly do: "end"; readonly uid: string; readonly end: RecordEnd; readonly next: TaskRecord | null };

/** A task's state as it is sent. Times are ages, which the server subtracts from its own time. */
export type Reported =
  | { readonly state: "preparing"; readonly prepared: boolean; readonly reason: string | null }
  | { readonly state: "starting" }
  /** `pid` is 0 if no process stands for the task. */
  | { readonly state: "running"; readonly pid: number; readonly started_age_ms: Ms }
  | { readonly state: "stopping"; readonly pid: number | null; readonly started_age_ms: Ms | null }
  | ReportedEnd;

/** One entry of a report or an inventory. */
export interface TaskReport {
  readonly uid: string;
  readonly name: string;
  /** Null if the agent has no record of the task. */
  readonly identity: TaskIdentity | null;
  readonly grant_until: number;
  /** What the task holds while it lives, or null if that is not known. */
  readonly held: Promised | null;
  /** Whether the task ends with its lease. Adopting a task needs this and its Unix account. */
  readonly exclusive: boolean;
  readonly unix_user: string | null;
  /** Only with it does a restored server take in an attempt that it does not know. */
  readonly seal?: Seal | undefined;
  readonly reported: Reported;
  /** The results of a batch that the server may not have. Missing: the task is none. */
  readonly results?: BatchResults | undefined;
}

/** Returns the entry of a task of which nothing else is known. The server knows whose task it is. */
export const bareReport = (uid: string, reported: ReportedEnd): TaskReport => ({
  uid,
  name: "",
  identity: null,
  grant_until: 0,
  held: null,
  exclusive: false,
  unix_user: null,
  reported,
});

/** A whole inventory: the tasks that an agent has when it connects. */
export interface Inventory {
  readonly boot_id: string;
  readonly entries: readonly TaskReport[];
  /** Tasks whose records could not be read. They keep their promises until a person has looked. */
  readonly unreadable: readonly Orphan[];
  /**
   * The timeline and the revision up to which the agent has applied everything, and the revision at which its disk was
   * new. Null on a new disk.
   */
  readonly applied: { readonly timeline: string; readonly revision: number; readonly since: number } | null;
}
