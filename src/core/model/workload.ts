// What people ask for, as a trusted value: the parser in spec/ makes these, the planner and the agents obey them.

import type { Bytes, Milli, Ms } from "../units";

/** A GPU request as in `gpu: "A100,H100:80GB:2"`. Memory in bytes; `null` leaves a bound open. */
export interface GpuRequest {
  readonly count: number;
  /** Models that do, as written; matched by whole tokens, ignoring case, spaces and dashes. Empty: any. */
  readonly models: readonly string[];
  /** `null`: nvidia, or the pool's vendor. */
  readonly vendor: string | null;
  readonly memory_min_bytes: Bytes | null;
  readonly memory_max_bytes: Bytes | null;
  /** So much of each card's memory. Left out: whole cards, and a spec of before there were shares keeps its hash. */
  readonly share_bytes?: Bytes;
  /** Whether cards that are not connected do, and whether it matters at all. Left out: connected ones are preferred. */
  readonly linked?: "demanded" | "ignored";
}

/**
 * What one task asks of a node. `null` for cpu or memory means "not asked for": see `resolveRequest` in
 * resources.ts.
 */
export interface ResourceRequest {
  readonly cpu_milli: Milli | null;
  readonly memory_bytes: Bytes | null;
  readonly disk_bytes: Bytes;
  readonly gpu: GpuRequest | null;
  /** Named countables that nodes declare, such as `licence.matlab: 1`. */
  readonly countables: Readonly<Record<string, number>>;
}

/** One condition on a node's labels. `in` and `not_in` carry values; `exists` and `absent` none. */
export interface LabelCheck {
  readonly key: string;
  readonly op: "in" | "not_in" | "exists" | "absent";
  readonly values: readonly string[];
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  /** `no_schedule` keeps work away, `prefer_not` only ranks the node last. */
  readonly effect: "no_schedule" | "prefer_not";
}

/** A taint that a workload puts up with. `value: null` takes any value of the key. */
export interface Toleration {
  readonly key: string;
  readonly value: string | null;
}

export interface Place {
  readonly pool: string | null;
  readonly labels: readonly LabelCheck[];
  readonly tolerate: readonly Toleration[];
  readonly strategy: "pack" | "spread";
  /** Workloads of the same app, by name, whose nodes are wanted (together) or shunned (apart). */
  readonly together_with: readonly string[];
  readonly apart_from: readonly string[];
  /** Node names; empty: any. */
  readonly hosts: readonly string[];
}

export interface PortRequest {
  readonly name: string;
  /** The port inside the task; `null`: the same as the published one. */
  readonly target: number | null;
  /** The port on the node; `null`: any free one. */
  readonly published: number | null;
  readonly bind: "cluster" | "loopback";
}

export type Command =
  | { readonly kind: "shell"; readonly shell: string; readonly script: string }
  | { readonly kind: "argv"; readonly argv: readonly string[] };

/** What makes one task different from another. A changed TaskSpec is a new version; it is stored by its hash. */
export interface TaskSpec {
  readonly command: Command;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string | null;
  /** A Unix account asked for by name; `null`: the owner's own. */
  readonly unix_user: string | null;
  readonly request: ResourceRequest;
  /** "entry" of a spec file, or "run" of the command line: they have different defaults of cpu. */
  readonly origin: "entry" | "run";
  readonly place: Place;
  readonly ports: readonly PortRequest[];
  /** Never two at once, enforced on the node by a lease. */
  readonly exclusive: boolean;
  /** Gang size; 1 is no gang. */
  readonly members: number;
}

export interface After {
  readonly name: string;
  /** `up` is for services: all its replicas run. */
  readonly when: "succeeded" | "ended" | "failed" | "up";
}

export interface StopSettings {
  /** Without SIG, such as `TERM`. */
  readonly signal: string;
  readonly grace_ms: Ms;
}

export interface RestartSettings {
  readonly backoff_min_ms: Ms;
  readonly backoff_max_ms: Ms;
  /** How many crashes in a row are put up with; `null`: unlimited. */
  readonly attempts: number | null;
  /** Whether the agent restarts by itself within a grant, also while cut off. */
  readonly offline: boolean;
}

/** What happens to tasks that hold cards and do not use them. */
export interface IdleSettings {
  /** All cards of a task are used less than this. */
  readonly gpu_below_percent: number;
  readonly for_ms: Ms;
  readonly action: "notify" | "stop";
  /** Only while somebody else waits for a card that this would free. */
  readonly only_if_wanted: boolean;
}

export type OnNodeLoss = "replace" | "wait" | "requeue";

/** What is changed in place and restarts nothing. Keys that a kind does not have hold their neutral value. */
export interface Settings {
  readonly replicas: number;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly stop: StopSettings;
  readonly restart: RestartSettings;
  readonly on_node_loss: OnNodeLoss;
  readonly retries: number;
  readonly time_limit_ms: Ms | null;
  readonly after: readonly After[];
  /** Left out: nothing. */
  readonly idle?: IdleSettings;
}

export type Kind = "service" | "job" | "daemon";

/** One entry of an app. */
export interface WorkloadDecl {
  readonly name: string;
  readonly kind: Kind;
  readonly spec: TaskSpec;
  readonly settings: Settings;
}

/** One spec file, checked and completed with defaults. */
export interface AppDecl {
  readonly app: string;
  /** `null`: the user's default project. */
  readonly project: string | null;
  readonly workloads: readonly WorkloadDecl[];
}
