// A node as a row: its machine, what people and its own agent said of it, and what lives there that no server knows.

import type { NodeTesting, NodeTests } from "./node-tests";
import type { Admission, Intent, Contact } from "./lifecycle";
import type { NodeDevice } from "./device";
import type { Amounts, Promised } from "./promised";
import type { Bytes, Ms } from "../units";
import type { Taint } from "./workload";

/** What a person said: the node is to be kept free. */
export interface Drain {
  readonly since_ms: Ms;
  readonly deadline_ms: Ms | null;
  readonly by: string;
  readonly reason: string | null;
}

/** What a node's own agent said: the machine goes. It is taken back by the agent, also by coming back without it. */
export interface Leaving {
  readonly since_ms: Ms;
  /** When what still runs there has to end; `null`: it may take its time. */
  readonly deadline_ms: Ms | null;
  /** Whether the machine itself is gone by then. */
  readonly gone: boolean;
  readonly why: string;
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
