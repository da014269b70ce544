// A node as a row: its machine, what people and its own agent have said about it, and the tasks on it that the server
// does not know.

import type { NodeTesting, NodeTests } from "./node-tests";
import type { Admission, Intent, Contact } from "./lifecycle";
import type { NodeDevice } from "./device";
import type { Amounts, Promised } from "./promised";
import type { Bytes, Ms } from "../units";
import type { Taint } from "./workload";

/** A person's order to keep the node free. */
export interface Drain {
  readonly since_ms: Ms;
  readonly deadline_ms: Ms | null;
  readonly by: string;
  readonly reason: string | null;
}

/** The report of a node's own agent that the machine goes. The agent withdraws it, also by coming back without it. */
export interface Leaving {
  readonly since_ms: Ms;
  /** When tasks that still run there have to end, or null if they may end by themselves. */
  readonly deadline_ms: Ms | null;
  /** Whether the machine itself is gone at the deadline. */
  readonly gone: boolean;
  readonly why: string;
}

/**
 * A task that an agent lists and the server does not know. It is kept, counted and shown, and never killed
 * automatically.
 */
export interface Orphan {
  readonly uid: string;
  readonly name: string;
  readonly pid: number | null;
  readonly held: Promised | null;
  /**
   * The project of the task, if a server has signed that it assigned this node a task of this name. Missing: the name
   * is the node's word.
   */
  readonly project?: string;
}

/** A living task of an agent that was removed from the machine with its data directory. It is named, not counted. */
export interface ForeignTask {
  readonly name: string;
  readonly pid: number;
  /** The data directory that its agent had. */
  readonly data: string;
  readonly since_ms: Ms;
  readonly memory_bytes: Bytes;
}

/**
 * How a limit holds. `enforced`: by the system. `watched`: the agent looks, and ends a task that goes beyond it.
 * `counted`: only in the sums.
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

/**
 * Facts that an agent reports of its machine. They are shown, and labels match them; of the others, only the accounts
 * and `unable` decide on something.
 */
export interface NodeFacts {
  readonly os: string;
  readonly arch: string;
  readonly hostname: string;
  readonly kernel: string;
  readonly cpu_model: string;
  /** All memory of the machine, however much of it is given to orch. Null: not reported. */
  readonly memory_bytes: Bytes | null;
  /** The machine's cores, however many are given to orch. Older agents do not report it. */
  readonly cores?: number | undefined;
  readonly address: string | null;
  readonly cgroups: "v2" | "v1" | "none";
  /** Why limits are only counted, if they are. */
  readonly cgroups_detail: string | null;
  /** Null if the agent is too old to report it. */
  readonly limits: NodeLimits | null;
  readonly accounts: "existing" | "create" | "shared";
  /** The agent's Unix account. An agent that is root takes everybody's tasks. */
  readonly unix_user: string;
  /**
   * Why the agent can begin no task now, such as `its disk is full`; null or missing if it can. Nothing is placed there
   * meanwhile.
   */
  readonly unable?: string | null | undefined;
  /** What hangs there and keeps no new task from running, such as a keeper that does not answer. It is for people. */
  readonly silent?: string | null | undefined;
  /** Whether tasks get the standard input of their run there. Missing: the agent is too old for that. */
  readonly takes_stdin?: boolean | undefined;
  /** Whether its agent runs elements of arrays. Agents of earlier releases would run the command once. */
  readonly takes_arrays?: boolean | undefined;
  /** Whether the agent lets heirs wait for their turn. Missing: it is too old for that. */
  readonly takes_heirs?: boolean | undefined;
  /** The directory of the agent's data. Missing: the agent is too old to report it. It is for people. */
  readonly data?: string | null | undefined;
  /** The tasks of removed agents that live on this machine. Missing: none, or the agent is too old to look for them. */
  readonly foreign_tasks?: readonly ForeignTask[] | undefined;
}

/** The flags that a node's agent was started with. A changed flag is followed, and what people have set stays. */
export interface NodeFlags {
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
}

/**
 * A key that asks to speak for a node and waits for an operator's word: the first key of a new node, or another key of
 * a known one.
 */
export interface PendingKey {
  readonly public_key: string;
  readonly fingerprint: string;
  readonly boot_id: string;
  readonly hostname: string;
  /** The address that the request came from. */
  readonly address: string;
  /** The id of the join token. */
  readonly token_id: string;
  /** When it asked last. A key that stopped asking gives way to another one. */
  readonly asked_ms: Ms;
}

/** The moment at which a known node got another key. */
export interface Rebinding {
  /** Tasks that were assigned up to this revision were assigned to the key before. */
  readonly revision: number;
  /** The boot on which the new key was first seen. */
  readonly boot_id: string;
  /** When the key became the node's. Missing in rows of earlier builds. */
  readonly at_ms?: Ms;
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
  /** Says whether there is a `drain`, for people who read the database. Decisions read `drain` itself. */
  readonly intent: Intent;
  readonly contact: Contact;
  /** When `contact` last changed. */
  readonly contact_ms: Ms;
  readonly drain: Drain | null;
  /** The report of the node's own agent that the machine goes, or null. */
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
  /** The newest tests, or null. */
  readonly tests: NodeTests | null;
  /** The id of the token that the node joined with. Null: it joined before this was kept. */
  readonly joined_by: string | null;
  readonly pending: PendingKey | null;
  /**
   * When the node last said something new of its machine, or an operator resumed it. What it rejected before is tried
   * there again. Null: it has not since it joined.
   */
  readonly renewed_ms: Ms | null;
  /** When the node's key was replaced last. Null: it has the key that it joined with. */
  readonly rebound: Rebinding | null;
}
