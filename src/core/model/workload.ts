// What people ask for, as a trusted value. The parser in src/spec makes it; planner and agents obey it.

import type { ArrayDecl } from "./array";
import type { Bytes, Milli, Ms } from "../units";

/** A GPU request such as `gpu: "A100,H100:80GB:2"`. Memory is in bytes; null leaves a bound open. */
export interface GpuRequest {
  readonly count: number;
  /**
   * The accepted models, as they were written; empty accepts any. They are matched by whole tokens, ignoring case,
   * spaces and dashes.
   */
  readonly models: readonly string[];
  /** The vendor. Null: nvidia, or the pool's vendor. */
  readonly vendor: string | null;
  readonly memory_min_bytes: Bytes | null;
  readonly memory_max_bytes: Bytes | null;
  /**
   * How much of each card's memory is asked for. Missing: whole cards. The key is left out of old specs, so that they
   * keep their hash.
   */
  readonly share_bytes?: Bytes;
  /**
   * `demanded`: the cards must be connected. `ignored`: connections do not matter. Missing: connected cards are
   * preferred.
   */
  readonly linked?: "demanded" | "ignored";
}

/** What one task asks of a node. Null for cpu or memory means "not asked for": see `resolveRequest` in resources.ts. */
export interface ResourceRequest {
  readonly cpu_milli: Milli | null;
  readonly memory_bytes: Bytes | null;
  readonly disk_bytes: Bytes;
  readonly gpu: GpuRequest | null;
  /** Named countables that nodes declare, such as `licence.matlab: 1`. */
  readonly countables: Readonly<Record<string, number>>;
}

/** One condition on a node's labels. `in` and `not_in` have values; `exists` and `absent` have none. */
export interface LabelCheck {
  readonly key: string;
  readonly op: "in" | "not_in" | "exists" | "absent";
  readonly values: readonly string[];
}

export interface Taint {
  readonly key: string;
  readonly value: string;
  readonly effect: TaintEffect;
}

/**
 * `prefer_not` only ranks the node last. `no_schedule` keeps new work away, and what runs stays. `no_execute` moves
 * what runs away as well.
 */
export const TAINT_EFFECTS = ["no_schedule", "prefer_not", "no_execute"] as const;
export type TaintEffect = (typeof TAINT_EFFECTS)[number];

/** A taint that a workload accepts. `value: null` accepts any value of the key. */
export interface Toleration {
  readonly key: string;
  readonly value: string | null;
}

export interface Place {
  readonly pool: string | null;
  readonly labels: readonly LabelCheck[];
  readonly tolerate: readonly Toleration[];
  readonly strategy: "pack" | "spread";
  /**
   * Names of workloads of the same app. `together_with`: only nodes where they run. `apart_from`: only nodes where they
   * do not.
   */
  readonly together_with: readonly string[];
  readonly apart_from: readonly string[];
  /** Names of the accepted nodes; empty accepts any. */
  readonly hosts: readonly string[];
}

export interface PortRequest {
  readonly name: string;
  /** The port inside the task. Null: the same as the published one. */
  readonly target: number | null;
  /** The port on the node. Null: any free one. */
  readonly published: number | null;
  readonly bind: "cluster" | "loopback";
}

export type Command =
  | { readonly kind: "shell"; readonly shell: string; readonly script: string }
  | { readonly kind: "argv"; readonly argv: readonly string[] };

/**
 * The kernel's limits of a process that were asked for: each is both the soft and the hard limit, and null is no limit.
 * A limit that is missing has the default of all tasks.
 */
export interface ProcessLimits {
  readonly nofile?: number | undefined;
  readonly memlock_bytes?: Bytes | null | undefined;
  readonly core_bytes?: Bytes | null | undefined;
  readonly stack_bytes?: Bytes | null | undefined;
}

/** An environment of programs on the node that leads PATH: what `activate` of a venv, or of conda, does. */
export interface Activate {
  readonly kind: "venv" | "conda";
  /** Its absolute path. */
  readonly dir: string;
}

/** What a run's tasks read from their standard input: the bytes themselves are in a file. */
export interface InputRef {
  /** The hash of the bytes, in hex. */
  readonly sha256: string;
  readonly bytes: Bytes;
}

/** What makes one task different from another. A changed TaskSpec is a new version. It is stored by its hash. */
export interface TaskSpec {
  readonly command: Command;
  readonly env: Readonly<Record<string, string>>;
  readonly workdir: string | null;
  /** The key is left out where there is none, so that old specs keep their hash. `login` and `oom` are the same. */
  readonly activate?: Activate | undefined;
  /** Whether the command runs behind the login shell of its account. */
  readonly login?: true;
  /** Whether the task is over when any process of it is killed for memory. Else only the end of its main one counts. */
  readonly oom?: "any";
  /** A Unix account that was asked for by name. Null: the owner's own. */
  readonly unix_user: string | null;
  /** The key is left out where no limit was asked for, so that old specs keep their hash. */
  readonly limits?: ProcessLimits;
  readonly request: ResourceRequest;
  /** `entry` of a spec file, or `run` of the command line. They have different defaults of cpu. */
  readonly origin: "entry" | "run";
  readonly place: Place;
  readonly ports: readonly PortRequest[];
  /** Whether two tasks must never run at once. A lease on the node enforces it. */
  readonly exclusive: boolean;
  /** The size of the gang. 1 is no gang. */
  readonly members: number;
}

export interface After {
  readonly name: string;
  /** `up` is for services and means that all replicas run. */
  readonly when: "succeeded" | "ended" | "failed" | "up";
}

export interface StopSettings {
  /** The signal's name without SIG, such as `TERM`. */
  readonly signal: string;
  readonly grace_ms: Ms;
}

export interface RestartSettings {
  readonly backoff_min_ms: Ms;
  readonly backoff_max_ms: Ms;
  /** How many crashes in a row are tolerated. Null: any number. */
  readonly attempts: number | null;
  /** Whether the agent restarts the task by itself within a grant, also while it is cut off. */
  readonly offline: boolean;
}

/** What happens to tasks that hold cards and do not use them. */
export interface IdleSettings {
  /** A card counts as idle below this use. */
  readonly gpu_below_percent: number;
  readonly for_ms: Ms;
  readonly action: "notify" | "stop";
  /** Whether idle cards are taken back only while somebody else waits for one that this would free. */
  readonly only_if_wanted: boolean;
}

/** What follows from an end that nobody knows: a person is asked, another attempt is made, or the run fails. */
export const ON_UNKNOWN_END = ["ask", "retry", "fail"] as const;
export type OnUnknownEnd = (typeof ON_UNKNOWN_END)[number];

export type OnNodeLoss = "replace" | "wait" | "requeue";

/** What is changed in place and restarts nothing. Keys that a kind does not have hold a neutral value. */
export interface Settings {
  readonly replicas: number;
  readonly priority: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly stop: StopSettings;
  readonly restart: RestartSettings;
  readonly on_node_loss: OnNodeLoss;
  /** Missing: `ask`. Only jobs have it: the next attempt of a service or a daemon simply starts. */
  readonly on_unknown_end?: OnUnknownEnd;
  readonly retries: number;
  readonly time_limit_ms: Ms | null;
  readonly after: readonly After[];
  /** The elements of a job. Missing: it is one task, or one gang. */
  readonly array?: ArrayDecl;
  /** Missing: nothing happens. */
  readonly idle?: IdleSettings;
}

export const KINDS = ["service", "job", "daemon"] as const;
export type Kind = (typeof KINDS)[number];

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
  /** Null: the user's default project. */
  readonly project: string | null;
  readonly workloads: readonly WorkloadDecl[];
}
