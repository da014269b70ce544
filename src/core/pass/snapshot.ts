// What the plan is given and what it gives back: plain data, so that it can be shown, compared, committed and
// simulated.

import type { TaskFinal } from "../model/end";
import type { CardRefusal } from "../cards/node-cards";
import type { Change, State } from "../model/rows-state";
import type { RunRow, SlotRow } from "../model/rows-work";
import type { StopOrder, TaskRow } from "../model/rows-task";
import type { NodeRow } from "../model/rows-node";
import type { NodeTests } from "../model/node-tests";
import type { Ms } from "../units";
import type { TaskSpec } from "../model/workload";

/** What the server's shell knows of a node's agent. Kept in memory; silence is counted on the listening clock. */
export interface ContactFact {
  readonly connected: boolean;
  /** Time since the last heartbeat during which the server really listened. */
  readonly silent_ms: Ms;
}

export interface Snapshot {
  readonly state: State;
  /** The spec behind a hash; immutable, so a read-through cache stays pure. */
  readonly spec: (hash: string) => TaskSpec;
  /** A node that is missing here has been silent since the server began to listen: `listening_ms`. */
  readonly contacts: ReadonlyMap<string, ContactFact>;
  readonly listening_ms: Ms;
  /** By task uid, for how long its cards have been idle; who is missing uses them, or nobody can say. */
  readonly idle: ReadonlyMap<string, IdleFact>;
  readonly now_ms: Ms;
  /** 32 random hex digits, drawn by the shell for this pass: uids of what the plan creates derive from it. */
  readonly seed: string;
  readonly limits: PlanLimits;
}

/** Every bound and delay that the plan obeys. */
export interface PlanLimits {
  readonly unreachable_after_ms: Ms;
  readonly lost_after_ms: Ms;
  readonly replace_after_ms: Ms;
  readonly requeue_after_ms: Ms;
  /** An exclusive task ends by itself this long after its agent last heard the server. */
  readonly lease_ms: Ms;
  readonly lease_margin_ms: Ms;
  /** A new replica counts as up after it ran this long. */
  readonly settle_ms: Ms;
  /** Members of a gang must all be prepared within this time. */
  readonly prepare_deadline_ms: Ms;
  /** A node's tests must end within this time, besides what its operators' commands may take. */
  readonly test_deadline_ms: Ms;
  readonly port_rest_ms: Ms;
  /** A node that rejected or lost a slot is left out this long. */
  readonly avoid_ms: Ms;
  /** A run that was rejected or lost this often fails. */
  readonly reject_limit: number;
  readonly loss_limit: number;
  /** How many further attempts an agent is granted. */
  readonly grant_attempts: number;
  /** A crash streak is over when an attempt ran this long. */
  readonly stable_ms: Ms;
  /** When more than this share of nodes (at least two) fall silent together, it is the network. */
  readonly mass_silence_share: number;
  /** Bound of one pass, in node checks; the rest waits for the next. */
  readonly node_checks: number;
  /** How many tasks one pass places: it is one commit, which must not hold up the server. */
  readonly placements: number;
  readonly port_range: readonly [number, number];
}

/** Why one card of a node does not do. */
export interface CardCheck {
  /** The device's id. */
  readonly id: string;
  /** `missing quarantined dirty prohibited exclusive held foreign apart`. */
  readonly why: CardRefusal | "apart";
  readonly detail: string;
}

export interface Check {
  /** Stable name: `cpu memory disk gpu countable label pool taint port host apart together state account avoid`. */
  readonly check: string;
  readonly detail: string;
  /** Whether this node can never do it, whatever ends: time does not help. */
  readonly hopeless: boolean;
  /** Of the check `gpu`: the cards that are of the right kind and not to be had. */
  readonly devices: readonly CardCheck[];
}

export interface NodeChecks {
  readonly node: string;
  readonly checks: readonly Check[];
}

/** A slot that could not be placed, and why, node by node. Equal requests share one `nodes` array. */
export interface Blocked {
  readonly name: string;
  readonly owner_uid: string;
  readonly slot: number;
  readonly kind: "queued" | "unsatisfiable";
  readonly summary: string;
  readonly smallest_change: string | null;
  readonly nodes: readonly NodeChecks[];
}

/** Why a task has a card. */
export interface DeviceReason {
  /** The device's id. */
  readonly id: string;
  readonly why: string;
}

export interface Score {
  readonly node: string;
  readonly total: number;
  readonly parts: Readonly<Record<string, number>>;
}

/** One decision of the plan. Every op carries what `changesOf` needs to make rows of it. */
export type Op =
  | { readonly op: "place"; readonly task: TaskRow; readonly slot: SlotRow; readonly why: string }
  | { readonly op: "go"; readonly task: TaskRow; readonly why: string }
  | { readonly op: "stop"; readonly task: TaskRow; readonly stop: StopOrder; readonly why: string }
  | { readonly op: "write_off"; readonly task: TaskRow; readonly why: string }
  | {
      readonly op: "lose";
      readonly task: TaskRow;
      readonly final: TaskFinal;
      readonly slot: SlotRow | null;
      readonly why: string;
    }
  /** Its cards are idle, which its owner wants to be told of. */
  | { readonly op: "notify"; readonly task: TaskRow; readonly why: string }
  | { readonly op: "node"; readonly node: NodeRow; readonly why: string }
  | { readonly op: "quarantine"; readonly node: NodeRow; readonly tests: NodeTests; readonly why: string }
  | { readonly op: "run"; readonly run: RunRow; readonly why: string }
  | { readonly op: "archive"; readonly run: RunRow; readonly why: string }
  | {
      readonly op: "remove";
      readonly what: "app" | "workload";
      readonly uid: string;
      readonly name: string;
      readonly why: string;
    }
  | { readonly op: "port"; readonly key: string; readonly why: string };

export interface Plan {
  readonly ops: readonly Op[];
  /** The same decisions as rows, in the order of `ops`. */
  readonly changes: readonly Change[];
  readonly blocked: readonly Blocked[];
  /** Uids of the queued runs that wait for room, in the order in which they are given it. */
  readonly queue: readonly string[];
  /** The earliest time at which time alone changes the plan; `null`: never. */
  readonly wake_at_ms: Ms | null;
  /** Whether the bound on work was reached: plan again at once. */
  readonly more: boolean;
  /** What an operator should know: mass silence, recovering, fenced. */
  readonly notices: readonly string[];
}

/** For how long all cards of a task have been below its threshold, as far as the server has seen. */
export interface IdleFact {
  readonly idle_ms: Ms;
  /** Whether this spell was told of already. */
  readonly told: boolean;
}
