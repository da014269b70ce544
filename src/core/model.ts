// The nouns as rows: what the database stores, the live maps hold and the plan reads, all in one shape that nothing
// maps.

import type { NodeDevice } from "./device";
import type { Drain, Leaving } from "./draining";
import type { Admission, Contact, Intent, RunState, TaskState } from "./lifecycle";
import type { Bytes, Milli, Ms } from "./units";
import type { NodeTesting, NodeTests } from "./node-tests";
import type { Kind, Settings, Taint, TaskSpec } from "./workload";

/** Countable resources of a node, or a sum of promises. */
export interface Amounts {
  readonly cpu_milli: Milli;
  readonly memory_bytes: Bytes;
  readonly disk_bytes: Bytes;
  readonly countables: Readonly<Record<string, number>>;
}

export interface PortPromise {
  readonly name: string;
  readonly target: number;
  readonly published: number;
  readonly bind: "cluster" | "loopback";
}

/** What a task was promised on its node; it holds until its end is proven. */
export interface Promised extends Amounts {
  /** Whether memory is a hard limit (asked for) or only counted. */
  readonly memory_limited: boolean;
  /** `bytes: null` is the whole device. */
  readonly devices: readonly { readonly id: string; readonly bytes: Bytes | null }[];
  readonly ports: readonly PortPromise[];
}

/** A task that an agent lists and no server knows: kept, counted, shown, never killed by itself. */
export interface Orphan {
  readonly uid: string;
  readonly name: string;
  readonly pid: number | null;
  readonly held: Promised | null;
}

/** How a limit holds: by the system, by the agent that looks and ends what goes too far, or only in the books. */
export interface Limit {
  readonly is: "enforced" | "watched" | "counted";
  /** Why no better. */
  readonly why: string | null;
}

export interface NodeLimits {
  readonly cpu: Limit;
  readonly memory: Limit;
  /** Whether tasks can open cards that they were not promised; `null` where there are no cards. */
  readonly devices: Limit | null;
  /** Whether tasks can take more of a card's memory than the share that they were promised. */
  readonly share: Limit | null;
}

/** Facts that an agent found out about its machine; shown, and matched by labels, never decided on directly. */
export interface NodeFacts {
  readonly os: string;
  readonly arch: string;
  readonly hostname: string;
  readonly kernel: string;
  readonly cpu_model: string;
  /** All of the machine's memory, whatever share of it is given away; `null`: not told. */
  readonly memory_bytes: Bytes | null;
  readonly address: string | null;
  readonly cgroups: "v2" | "v1" | "none";
  /** Why limits are only counted, when they are. */
  readonly cgroups_detail: string | null;
  /** `null` when an agent of before told nothing of them. */
  readonly limits: NodeLimits | null;
  readonly accounts: "existing" | "create" | "shared";
  /** The Unix account of the agent; root takes everybody's tasks. */
  readonly unix_user: string;
}

/** What a node's agent was started with, so that a changed flag is told from what people set. */
export interface NodeFlags {
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

export interface NodeRow {
  readonly id: string;
  readonly name: string;
  /** Rises with each node that ever joined; the slot of a daemon's task on it. */
  readonly ordinal: number;
  readonly public_key: string;
  readonly fingerprint: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly admission: Admission;
  readonly intent: Intent;
  readonly contact: Contact;
  /** When `contact` last changed. */
  readonly contact_ms: Ms;
  readonly drain: Drain | null;
  /** Its agent's own word that the machine goes. */
  readonly leaving: Leaving | null;
  /** What the flags of its agent said last; `null`: they were never noted. */
  readonly flags: NodeFlags | null;
  readonly reason: string | null;
  readonly boot_id: string;
  readonly agent_version: string;
  readonly facts: NodeFacts;
  readonly capacity: Amounts;
  readonly devices: readonly NodeDevice[];
  readonly orphans: readonly Orphan[];
  readonly joined_ms: Ms;
  /** The tests that its agent has to run, or runs; `null`: none. Nothing new is placed until they are judged. */
  readonly testing: NodeTesting | null;
  /** What the newest tests found. */
  readonly tests: NodeTests | null;
}

export interface AppRow {
  readonly uid: string;
  readonly project: string;
  readonly name: string;
  /** The spec as it was applied, to the letter. */
  readonly text: string;
  /** The revision of its last change; what an apply compares. */
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
  /** Who its tasks run for: the user of the last apply. */
  readonly user: string;
  /** The newest run of a job, also when it has left the live state. */
  readonly last_run: { readonly uid: string; readonly run: number; readonly state: RunState } | null;
  readonly removing: boolean;
}

/** What a run waits for. `met` is `null` while open; `false` means it can never be met. */
export interface RunAfter {
  readonly name: string;
  /** Uid of a run, or of a service. */
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
  readonly state: RunState;
  readonly reason: string | null;
  readonly after: readonly RunAfter[];
  readonly cancel: { readonly at_ms: Ms; readonly by: string } | null;
  readonly created_ms: Ms;
  readonly started_ms: Ms | null;
  readonly finished_ms: Ms | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
}

/** How one task of a slot's newest attempt ended. */
export interface TaskEnd {
  readonly uid: string;
  /** What the slot's streak and back-off are about: a new version starts with a clean sheet. */
  readonly version: number;
  readonly attempt: number;
  readonly member: number;
  readonly node_id: string;
  readonly state: TaskState;
  readonly reason: string | null;
  readonly exit_code: number | null;
  readonly signal: string | null;
  readonly at_ms: Ms;
  /** It gave back cards that it did not use. */
  readonly idle?: boolean;
}

/** What is remembered of a slot between its tasks. Written in the commit that takes in a task's end. */
export interface SlotRow {
  /** `owner_uid/slot`. */
  readonly key: string;
  readonly owner_uid: string;
  readonly slot: number;
  /** The highest attempt number used or granted. */
  readonly attempts: number;
  /** Crashes in a row, reset by an attempt that ran long enough. */
  readonly streak: number;
  /** Ends that counted as `failed` (what `retries` bounds), `rejected` and `lost`. */
  readonly failed: number;
  readonly rejected: number;
  readonly lost: number;
  /** No new attempt before this time. */
  readonly not_before_ms: Ms;
  /** Nodes left out for a while after they rejected or lost the slot. */
  readonly avoid: readonly { readonly node_id: string; readonly until_ms: Ms }[];
  /** Ends of the newest attempt, one a member. */
  readonly ends: readonly TaskEnd[];
}

/** Who a task is, told to its agent and told back in reports, so that it can be named and adopted. */
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
  /** It gives back cards that it did not use: its slot stays empty until somebody asks for it. */
  readonly idle?: boolean;
  readonly why: string;
  readonly signal: string;
  readonly grace_ms: Ms;
  readonly at_ms: Ms;
}

/** What an agent has said of a task; each state carries its facts. */
export type Observed =
  | { readonly state: "assigned" }
  | { readonly state: "preparing"; readonly prepared: boolean; readonly reason: string | null }
  | { readonly state: "starting" }
  | { readonly state: "running"; readonly pid: number; readonly started_ms: Ms }
  | { readonly state: "stopping"; readonly pid: number | null; readonly started_ms: Ms | null }
  | TaskFinal;

export interface TaskFinal {
  readonly state: "succeeded" | "failed" | "stopped" | "rejected" | "lost";
  readonly started_ms: Ms | null;
  readonly finished_ms: Ms;
  readonly exit_code: number | null;
  readonly signal: string | null;
  /** Why, in words for people; null when the exit code says it all. */
  readonly reason: string | null;
  readonly peak_memory_bytes: Bytes | null;
  /** The last 4 KiB of each stream. */
  readonly tail: { readonly stdout: string; readonly stderr: string } | null;
}

export interface TaskRow extends TaskIdentity {
  readonly uid: string;
  readonly node_id: string;
  /** The boot of the node that it was assigned to. */
  readonly boot_id: string;
  /** Written by the plan: `prepare` holds a gang's member back; `stop` is for ever. */
  readonly desired: "prepare" | "run" | "stop";
  readonly stop: StopOrder | null;
  /** The agent may restart it by itself up to this attempt; equal to `attempt` when it may not. */
  readonly grant_until: number;
  readonly written_off: { readonly at_ms: Ms; readonly why: string } | null;
  readonly promised: Promised;
  readonly unix_user: string | null;
  readonly exclusive: boolean;
  readonly created_ms: Ms;
  /** The revision of the commit that placed it; absence from an inventory is proof only beyond it. */
  readonly assigned_revision: number;
  /** Written by the agent's reports. */
  readonly observed: Observed;
}

/** A released port that must not be handed out yet. */
export interface RestingPort {
  /** `node_id/port`. */
  readonly key: string;
  readonly until_ms: Ms;
}

export type Role = "admin" | "operator" | "user" | "viewer" | "agent";

export interface UserRow {
  readonly name: string;
  readonly role: Role;
  readonly unix_user: string;
  readonly project: string;
  readonly created_ms: Ms;
}

export interface TokenRow {
  readonly id: string;
  /** `null` for join tokens, which belong to no person. */
  readonly user: string | null;
  readonly role: Role;
  /** SHA-256 of the secret, hex. */
  readonly hash: string;
  readonly created_ms: Ms;
  readonly expires_ms: Ms | null;
  readonly revoked_ms: Ms | null;
}

/** The one row that says which cluster, database and server this is. */
export interface ClusterRow {
  readonly cluster_id: string;
  /** New at each restore. */
  readonly timeline: string;
  readonly epoch: number;
  readonly revision: number;
  readonly next_run: number;
  readonly next_ordinal: number;
  /** The last committed time; time never goes back behind it. */
  readonly at_ms: Ms;
  /** While a restored database waits for inventories: the ids of the nodes still awaited. */
  readonly recovering: readonly string[] | null;
}

/** What people and the plan did, for `orch events` and the audit log. */
export interface EventRow {
  readonly id: string;
  readonly at_ms: Ms;
  readonly actor: string;
  readonly verb: string;
  /** What it is about: a task's, run's, workload's or node's name. */
  readonly object: string;
  readonly project: string | null;
  readonly detail: string;
}

/** The live state: what is loaded into memory and planned on. Everything final has left it. */
export interface State {
  readonly cluster: ClusterRow;
  readonly nodes: ReadonlyMap<string, NodeRow>;
  readonly apps: ReadonlyMap<string, AppRow>;
  readonly workloads: ReadonlyMap<string, WorkloadRow>;
  readonly runs: ReadonlyMap<string, RunRow>;
  readonly slots: ReadonlyMap<string, SlotRow>;
  readonly tasks: ReadonlyMap<string, TaskRow>;
  readonly ports: ReadonlyMap<string, RestingPort>;
  readonly users: ReadonlyMap<string, UserRow>;
  readonly tokens: ReadonlyMap<string, TokenRow>;
}

/** Rows of the live maps (`null` row: it left) and rows that only history keeps. */
export type Change =
  | { readonly table: "cluster"; readonly key: "cluster"; readonly row: ClusterRow }
  | { readonly table: "nodes"; readonly key: string; readonly row: NodeRow | null }
  | { readonly table: "apps"; readonly key: string; readonly row: AppRow | null }
  | { readonly table: "workloads"; readonly key: string; readonly row: WorkloadRow | null }
  | { readonly table: "runs"; readonly key: string; readonly row: RunRow | null }
  | { readonly table: "slots"; readonly key: string; readonly row: SlotRow | null }
  | { readonly table: "tasks"; readonly key: string; readonly row: TaskRow | null }
  | { readonly table: "ports"; readonly key: string; readonly row: RestingPort | null }
  | { readonly table: "users"; readonly key: string; readonly row: UserRow | null }
  | { readonly table: "tokens"; readonly key: string; readonly row: TokenRow | null }
  | { readonly table: "specs"; readonly key: string; readonly row: { readonly hash: string; readonly spec: TaskSpec } }
  | { readonly table: "ended_tasks"; readonly key: string; readonly row: TaskRow }
  | { readonly table: "ended_runs"; readonly key: string; readonly row: RunRow }
  | { readonly table: "versions"; readonly key: string; readonly row: VersionRow }
  | { readonly table: "node_tests"; readonly key: string; readonly row: NodeTests }
  | { readonly table: "graves"; readonly key: string; readonly row: GraveRow }
  | { readonly table: "events"; readonly key: string; readonly row: EventRow };

/** History of a workload: which spec each version had. */
export interface VersionRow {
  /** `workload_uid/version`. */
  readonly key: string;
  readonly workload_uid: string;
  readonly version: number;
  readonly spec_hash: string;
  readonly settings: Settings;
  readonly by: string;
  readonly at_ms: Ms;
}

/** What was removed for good: a task of it that comes back gets an explicit stop. */
export interface GraveRow {
  /** Uid of a workload, a run or a node. */
  readonly uid: string;
  readonly at_ms: Ms;
}
