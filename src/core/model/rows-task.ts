// A task as a row: its identity, what the plan wants of it, and what its agent has reported.

import type { ElementBatch } from "./array";
import type { TaskFinal } from "./end";
import type { Promised } from "./promised";
import type { Ms } from "../units";
import type { Kind } from "./workload";

/**
 * The identity of a task. The agent gets it and returns it in reports, so that an unknown task can be named and
 * adopted.
 */
export interface TaskIdentity {
  readonly owner_uid: string;
  readonly app_uid: string | null;
  readonly project: string;
  readonly user: string;
  readonly app: string | null;
  readonly workload: string;
  readonly kind: Kind;
  readonly run: number | null;
  readonly version: number;
  readonly spec_hash: string;
  readonly slot: number;
  readonly member: number;
  readonly attempt: number;
}

export interface StopOrder {
  /** Whether the task has to give back cards that it did not use. Its slot stays empty until somebody asks for it. */
  readonly idle?: boolean;
  /** Whether the order holds only for a task that has not begun: one that begins all the same runs to its own end. */
  readonly unbegun?: boolean;
  readonly why: string;
  readonly signal: string;
  readonly grace_ms: Ms;
  readonly at_ms: Ms;
}

/** What an agent has reported of a task. Each state carries its facts. */
export type Observed =
  | { readonly state: "assigned" }
  | { readonly state: "preparing"; readonly prepared: boolean; readonly reason: string | null }
  | { readonly state: "starting" }
  | { readonly state: "running"; readonly pid: number; readonly started_ms: Ms }
  | { readonly state: "stopping"; readonly pid: number | null; readonly started_ms: Ms | null }
  | TaskFinal;

export interface TaskRow extends TaskIdentity {
  readonly uid: string;
  readonly node_id: string;
  /** The boot of the node for which the task was assigned. */
  readonly boot_id: string;
  /** Written by the plan. `prepare` holds a gang's member back. `stop` is never taken back. */
  readonly desired: "prepare" | "run" | "stop";
  readonly stop: StopOrder | null;
  /** The agent may restart the task by itself up to this attempt. Equal to `attempt` if it may not. */
  readonly grant_until: number;
  readonly written_off: { readonly at_ms: Ms; readonly why: string } | null;
  readonly promised: Promised;
  readonly unix_user: string | null;
  readonly exclusive: boolean;
  readonly created_ms: Ms;
  /**
   * The revision of the commit that placed the task. An inventory without the task proves its absence only beyond this
   * revision.
   */
  readonly assigned_revision: number;
  /** Written by the agent's reports. */
  readonly observed: Observed;
  /** The elements of its array that the task runs; null if its run is no array. */
  readonly batch: ElementBatch | null;
  /**
   * The uids of the tasks whose room an heir takes over: it begins when all of them have ended. Null for a task that
   * has room of its own.
   */
  readonly heir_of: readonly string[] | null;
}
