// A node as a row: its machine, what people and its own agent said of it, and the tasks there that no server knows.

import type { NodeTesting, NodeTests } from "./node-tests";
import type { Admission, Intent, Contact } from "./lifecycle";
import type { NodeDevice } from "./device";
import type { Amounts, Promised } from "./promised";
import type { Bytes, Ms } from "../units";
import type { Taint } from "./workload";

/** A person's word that the node is to be kept free. */
export interface Drain {
  readonly since_ms: Ms;
  readonly deadline_ms: Ms | null;
  readonly by: string;
  readonly reason: string | null;
}

/** The word of a node's own agent that the machine goes. The agent takes it back, also by coming back without it. */
export interface Leaving {
  readonly since_ms: Ms;
  /** When tasks that still run there have to end. Null: they may take their time. */
  readonly deadline_ms: Ms | null;
  /** Whether the machine itself is gone at the deadline. */
  readonly gone: boolean;
  readonly why: string;
}

/** A task that an agent lists and no server knows. It is kept, counted and shown, and never killed by itself. */
export interface Orphan {
  readonly uid: string;
  readonly name: string;
  readonly pid: number | null;
  readonly held: Promised | null;
}

/**
 * How a limit holds. `enforced`: by the system. `watched`: the agent looks, and ends what goes too far. `counted`: only
 * in the sums.
 */
export interface Limit {
  readonly is: "enforced" | "watched" | "counted";
  /** Why the limit does not hold better, or null. */
  readonly why: string | null;
}

export interface NodeLimits {
  readonly cpu: Limit;
  readonly memory: Limit;
  /** Whether tasks are kept from cards that they were not promised. Null where there are no cards. */
  readonly devices: Limit | null;
  /** Whether tasks are kept to the share of a card's memory that they were promised. Null where there are no cards. */
  readonly share: Limit | null;
}

/** Facts that an agent reports of its machine. They are shown, and labels match them; nothing else decides on them. */
export interface NodeFacts {
  readonly os: string;
  readonly arch: string;
  readonly hostname: string;
  readonly kernel: string;
  readonly cpu_model: string;
  /** All memory of the machine, however much of it is given to orch. Null: not reported. */
  readonly memory_bytes: Bytes | null;
  readonly address: string | null;
  readonly cgroups: "v2" | "v1" | "none";
  /** Why limits are only counted, if they are. */
  readonly cgroups_detail: string | null;
  /** Null if the agent is too old to report it. */
  readonly limits: NodeLimits | null;
  readonly accounts: "existing" | "create" | "shared";
  /** The agent's Unix account. An agent that is root takes everybody's tasks. */
  readonly unix_user: string;
}

/** The flags that a node's agent was started with. A changed flag is followed, and what people have set stays. */
export interface NodeFlags {
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

export interface NodeRow {
  readonly id: string;
  readonly name: string;
  /** The ordinal rises with each node that ever joined. It is the slot of a daemon's task on this node. */
  readonly ordinal: number;
  readonly public_key: string;
  readonly fingerprint: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly admission: Admission;
  /** The same as whether there is a `drain`, for those who read the database: what decides reads the drain. */
  readonly intent: Intent;
  readonly contact: Contact;
  /** When `contact` last changed. */
  readonly contact_ms: Ms;
  readonly drain: Drain | null;
  /** The word of the node's own agent that the machine goes, or null. */
  readonly leaving: Leaving | null;
  /** The flags that the agent reported last. Null: they were never noted. */
  readonly flags: NodeFlags | null;
  readonly reason: string | null;
  readonly boot_id: string;
  readonly agent_version: string;
  readonly facts: NodeFacts;
  readonly capacity: Amounts;
  readonly devices: readonly NodeDevice[];
  readonly orphans: readonly Orphan[];
  readonly joined_ms: Ms;
  /**
   * The tests that the node's agent has to run, or is running; null if there are none. Nothing new is placed until they
   * are judged.
   */
  readonly testing: NodeTesting | null;
  /** The newest tests. */
  readonly tests: NodeTests | null;
}
