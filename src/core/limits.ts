// Bounds that hold for the whole house, whatever the settings say: what comes in may weigh, what is kept and granted.

import { GIB, HOUR_MS, MIB, SECOND_MS, type Ms } from "./units";

/** Bounds of what comes in from outside and of what is kept; held before anything is parsed or stored. */
export const HOUSE_LIMITS = {
  body_bytes: MIB,
  spec_bytes: 256 * 1024,
  spec_depth: 64,
  /** A name, a reason or a path in a message between agent and server. */
  text_chars: 4_096,
  /** The tasks of removed agents that a node names. */
  foreign_tasks: 50,
  /** Memory, disk or time of a processor that somebody names: 1 PiB, so that sums of many stay whole numbers. */
  amount: 2 ** 50,
  /** Kinds of things that a node counts, and how many of one. They are whole, so that everybody's sums are the same. */
  countables: 1_000,
  countable: 1_000_000_000,
  /** Cards of a node, the links of one, and the processes on one. */
  devices: 512,
  /** Ports of a task, and the number of one. */
  ports: 512,
  port: 65_535,
  /** Entries of one message of an agent. */
  message_entries: 1_000,
  /** Orders in one message to an agent. */
  message_orders: 100_000,
  /** The JSON of the orders in one message to an agent, and of those together that it has not applied yet. */
  orders_bytes: MIB,
  /** Tasks in one agent's inventory, and the JSON of all of them. */
  inventory_entries: 50_000,
  inventory_bytes: 48 * MIB,
  /**
   * Tasks of a node that the server does not know, as its row keeps them: how many, their JSON, and the name of one. Of
   * further ones only the room is kept.
   */
  orphans: 1_000,
  orphans_chars: MIB,
  orphan_name_chars: 200,
  /** The rows of nodes whose contact changes, that one pass writes. Further ones follow in the next pass. */
  contact_chars: 4 * MIB,
  /** The rows of runs, stopped tasks and quarantined nodes that one pass writes. Further ones follow in the next. */
  pass_chars: 6 * MIB,
  /** What connections together may have sent that no proof of identity stands behind. */
  unproven_bytes: 32 * MIB,
  url_chars: 8_192,
  env_names: 1_000,
  env_bytes: 128 * 1024,
  label_count: 64,
  /** One message of an agent. */
  message_bytes: 4 * MIB,
  /** One batch of transactions. */
  commit_bytes: 512 * 1024,
  connections: 10_000,
  watchers: 1_000,
  list_page: 1_000,
  /** The command of a run in a list. A single run shows all of it. */
  command_chars: 1_000,
  /** How long the answer to a repeated change is kept, and the length of the key that names it. */
  idempotency_ms: 24 * HOUR_MS,
  idempotency_key_chars: 255,
  /** The standard input of a run. */
  input_bytes: 64 * MIB,
  /** The inputs that are kept or on their way: how many, and their sum, of all and of one person. */
  inputs: 10_000,
  inputs_each: 1_000,
  inputs_sum_bytes: 16 * GIB,
  inputs_sum_each_bytes: 4 * GIB,
  /** One part of an input on its way to a node. */
  input_part_bytes: 128 * 1024,
  /** Elements of an array that are handed out in one batch. */
  batch_elements: 2_000,
  /** How long a batch shall last, and for how long after its start further elements of it begin. */
  batch_ms: 2 * SECOND_MS,
  batch_begins_ms: 4 * SECOND_MS,
  /** How many heirs a task has at most. */
  heirs: 2,
  /** Each stream of a task. */
  log_bytes: 64 * MIB,
  /** What the report of a task's end carries of each stream. */
  log_tail_bytes: 4 * 1024,
  /** Runs and workloads that are open: of all, and of one person. More are refused before the server becomes slow. */
  open: 100_000,
  open_each: 50_000,
  /**
   * Replicas of services and members of open gangs: of all, and of one person. A daemon counts as one on every node.
   * With more, a pass of the planner is slow, and so is a list of what waits.
   */
  replicas: 50_000,
  replicas_each: 20_000,
  nodes: 10_000,
  /** Tokens in force of one person. */
  tokens_each: 1_000,
  /** Accounts that are granted to one user. */
  accounts_each: 64,
  /** Events that follow from one node's word, and refusals of one address: further ones are counted, not kept. */
  node_events_a_minute: 200,
  refusals_a_minute: 20,
  /** Changes of what its machine is, and findings, that are kept of one node. Honest agents are far below. */
  facts_a_minute: 10,
  findings_a_minute: 100,
  /** Sentences about one node that was not believed. A node that makes up ever new ones is not worth more. */
  doubts: 20,
  /** Accounts and directories that open work needs to find on nodes, of which nodes are asked; those of a message. */
  needs: 256,
  message_needs: 32,
  /** Addresses of one port of a workload that a task finds in its environment. */
  addresses: 100,
  /** A whole inventory comes within this time after the proof of who sends it. */
  inventory_ms: 120 * SECOND_MS,
  /** Further attempts that an agent may be granted; whom a stop reaches is looked for so far. */
  grant_attempts: 64,
} as const;

/**
 * The times of a lease on a node. Two enforcers obey them, the keeper and its guard, each by itself; so a hang of one
 * delays no kill.
 */
export const LEASE_TIMES = {
  /** A task is killed this long before its lease is over. */
  early_ms: SECOND_MS,
  /** How often an enforcer looks. */
  look_ms: 200,
  /** The longest time that a loaded machine may keep an enforcer from looking. */
  stalled_ms: 2 * SECOND_MS,
  /** The longest time from a kill until nothing of a task executes any more. */
  dying_ms: 2 * SECOND_MS,
  /** A guard that is silent for so long is replaced. */
  hung_ms: 3 * SECOND_MS,
  /** Two clocks that are being corrected differ by no more than this share: each runs up to 500 ppm fast or slow. */
  drift_share: 1 / 1_000,
} as const;

/**
 * Returns how long after the end of a lease its task may still run, counted on the server's clock. The server waits at
 * least so much longer than the lease.
 */
export const leaseLate = (lease_ms: Ms): Ms => {
  const { look_ms, stalled_ms, dying_ms, early_ms, drift_share } = LEASE_TIMES;
  return look_ms + stalled_ms + dying_ms - early_ms + Math.ceil(lease_ms * drift_share);
};

/**
 * The times of an agent's connection. Together they bound how long a dead connection keeps a node silent
 * (`deadForAtMost`). That is less than the silence after which a task is replaced or loses its lease.
 */
export const CONNECTION_TIMES = {
  /** Address, TCP, TLS and upgrade. A dial into the void is over then, and the next address is tried. */
  open_within_ms: 4 * SECOND_MS,
  /** From an open connection to the welcome. Much is told meanwhile, and the server may be greeting a thousand. */
  welcome_within_ms: 20 * SECOND_MS,
  /** A connection is dead when nothing came for so many heartbeats: two that are missing, and time for the second. */
  silent_beats: 2.4,
  /** With short heartbeats, a busy machine must not look like a dead connection. */
  silent_at_least_ms: 1_500,
  /** The longest wait between two dials. It is drawn anew each time, between nothing and this. */
  retry_cap_ms: 3 * SECOND_MS,
  /** How long a closing handshake may take in the background, before the socket is cut off. */
  farewell_ms: SECOND_MS,
} as const;

/** Returns after how long without an answer an agent takes its connection for dead. */
export const agentSilence = (heartbeat_ms: Ms): Ms =>
  Math.max(CONNECTION_TIMES.silent_beats * heartbeat_ms, CONNECTION_TIMES.silent_at_least_ms);

/**
 * Returns after how long without a message the server takes a connection for dead. It is longer than the agent's, so
 * that the agent, which can dial again, is first. A connection that is being greeted is silent for as long as it may.
 */
export const serverSilence = (heartbeat_ms: Ms): Ms =>
  Math.max(agentSilence(heartbeat_ms) + heartbeat_ms, CONNECTION_TIMES.welcome_within_ms);

/**
 * Returns how long a node is silent at most because its connection died, if the server can be reached again: until
 * the agent notices, dials in vain once, waits, and dials again.
 */
export const deadForAtMost = (heartbeat_ms: Ms): Ms => {
  const { open_within_ms, retry_cap_ms } = CONNECTION_TIMES;
  return agentSilence(heartbeat_ms) + heartbeat_ms + open_within_ms + retry_cap_ms + open_within_ms;
};

/**
 * How much of what all share one principal (`each`, null where there is none yet), one address (`source`) and all
 * together may use at once. `joins` counts those of a minute.
 */
export const QUOTAS = {
  watchers: { each: 128, source: 512, all: 1_000, noun: "watchers", hint: "End one of them, or try again later" },
  logs: { each: 256, source: 1_024, all: 4_096, noun: "open logs", hint: "End one of them, or try again later" },
  requests: { each: 128, source: 512, all: 4_096, noun: "open requests", hint: "Wait for answers before you ask more" },
  dry_runs: {
    each: 4,
    source: 16,
    all: 16,
    noun: "plans under way",
    hint: "Wait for their answers before you ask more",
  },
  greetings: {
    /** Nobody knows yet whose they are. */
    each: null,
    source: 512,
    all: 4_096,
    noun: "connections of agents that have yet to prove who they are",
    hint: "Try again later",
  },
  joins: { each: 600, source: 1_200, all: 6_000, noun: "joins within a minute", hint: "Try again in a minute" },
} as const;
export type Quota = keyof typeof QUOTAS;
