// The whole state, and a change of it: rows by table, in the one shape that the database stores, the live maps hold and
// the plan reads.

import type { ElementPage } from "./array";
import type { NodeRow } from "./rows-node";
import type { AppRow, WorkloadRow, RunRow, SlotRow, VersionRow } from "./rows-work";
import type { TaskRow } from "./rows-task";
import type { Ms } from "../units";
import type { NodeTests } from "./node-tests";
import type { TaskSpec } from "./workload";

/** A port that must not be given out yet. */
export interface RestingPort {
  /** `node_id/port`. */
  readonly key: string;
  readonly until_ms: Ms;
  /**
   * What the node has said of something of its own that listens there. The port is then not given out as an automatic
   * one; who asks for it by number is told by the node. Null: a task has released it.
   */
  readonly held_by: string | null;
}

export const ROLES = ["admin", "operator", "user", "viewer", "agent"] as const;
export type Role = (typeof ROLES)[number];
export interface UserRow {
  readonly name: string;
  readonly role: Role;
  /** The user's own Unix account on the nodes, under which their tasks run. */
  readonly unix_user: string;
  /** Further accounts that their specs may name. An admin's specs may name any. */
  readonly accounts: readonly string[];
  readonly project: string;
  readonly created_ms: Ms;
}

/** What a join token lets in. */
export interface JoinGrant {
  /** How many machines may join with the token. */
  readonly uses: number;
  readonly used: number;
  /** Whether a machine that joins waits until an operator approves it. */
  readonly approve: boolean;
  /** The pool of the nodes that join with it, whatever their agents' flags say; null leaves it to the flags. */
  readonly pool: string | null;
  /** The short names of the keys that operators have refused. Missing: none. */
  readonly refused?: readonly string[];
  /** The person who made the token. Missing: the server did, or an earlier release. */
  readonly by?: string;
}

export interface TokenRow {
  readonly id: string;
  /** Null for join tokens, which belong to no person. */
  readonly user: string | null;
  readonly role: Role;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  readonly created_ms: Ms;
  readonly expires_ms: Ms | null;
  readonly revoked_ms: Ms | null;
  /** Null for tokens of people, and for join tokens of before they were counted: those let in any number. */
  readonly joins: JoinGrant | null;
  /** The token with which it was made, or null. It expires and is revoked with that one. */
  readonly parent: string | null;
}

/** The one row that identifies the cluster, the database and the server. */
export interface ClusterRow {
  readonly cluster_id: string;
  /** A new name at each restore. */
  readonly timeline: string;
  readonly epoch: number;
  readonly revision: number;
  readonly next_run: number;
  readonly next_ordinal: number;
  /** The time of the last commit. Time never goes back behind it. */
  readonly at_ms: Ms;
  /** The ids of the nodes whose inventories a restored database still waits for; null once it is complete. */
  readonly recovering: readonly string[] | null;
}

/** What people and the plan did, for `orch events` and the audit log. */
export interface EventRow {
  readonly id: string;
  readonly at_ms: Ms;
  readonly actor: string;
  readonly verb: string;
  /** The name of the task, run, workload or node that the event concerns. */
  readonly object: string;
  readonly project: string | null;
  /** The node that the event concerns: where a task was placed or ended, whose agent said it. Null for none. */
  readonly node_id: string | null;
  readonly detail: string;
  /** The number of the run that it concerns, or whose task. Null for none, and in rows of earlier releases. */
  readonly run: number | null;
}

/** A uid that was removed for good. A task of it that comes back gets an explicit stop. */
export interface GraveRow {
  /** The uid of a workload, a run or a node; for a removed user `user/NAME`. */
  readonly uid: string;
  readonly at_ms: Ms;
}

/** The live state, which is loaded into memory and planned on. Everything final has left it. */
export interface State {
  readonly cluster: ClusterRow;
  readonly nodes: ReadonlyMap<string, NodeRow>;
  readonly apps: ReadonlyMap<string, AppRow>;
  readonly workloads: ReadonlyMap<string, WorkloadRow>;
  readonly runs: ReadonlyMap<string, RunRow>;
  readonly slots: ReadonlyMap<string, SlotRow>;
  readonly tasks: ReadonlyMap<string, TaskRow>;
  readonly elements: ReadonlyMap<string, ElementPage>;
  readonly ports: ReadonlyMap<string, RestingPort>;
  readonly users: ReadonlyMap<string, UserRow>;
  readonly tokens: ReadonlyMap<string, TokenRow>;
}

/** A change of one row: of the live maps (`row: null` removes it), or of a table that only history keeps. */
export type Change =
  | { readonly table: "cluster"; readonly key: "cluster"; readonly row: ClusterRow }
  | { readonly table: "nodes"; readonly key: string; readonly row: NodeRow | null }
  | { readonly table: "apps"; readonly key: string; readonly row: AppRow | null }
  | { readonly table: "workloads"; readonly key: string; readonly row: WorkloadRow | null }
  | { readonly table: "runs"; readonly key: string; readonly row: RunRow | null }
  | { readonly table: "slots"; readonly key: string; readonly row: SlotRow | null }
  | { readonly table: "tasks"; readonly key: string; readonly row: TaskRow | null }
  | { readonly table: "elements"; readonly key: string; readonly row: ElementPage | null }
  | { readonly table: "ports"; readonly key: string; readonly row: RestingPort | null }
  | { readonly table: "users"; readonly key: string; readonly row: UserRow | null }
  | { readonly table: "tokens"; readonly key: string; readonly row: TokenRow | null }
  | { readonly table: "specs"; readonly key: string; readonly row: { readonly hash: string; readonly spec: TaskSpec } }
  | { readonly table: "ended_tasks"; readonly key: string; readonly row: TaskRow }
  | { readonly table: "ended_runs"; readonly key: string; readonly row: RunRow }
  | { readonly table: "ended_elements"; readonly key: string; readonly row: ElementPage }
  | { readonly table: "versions"; readonly key: string; readonly row: VersionRow }
  | { readonly table: "node_tests"; readonly key: string; readonly row: NodeTests }
  | { readonly table: "graves"; readonly key: string; readonly row: GraveRow }
  | { readonly table: "events"; readonly key: string; readonly row: EventRow };
