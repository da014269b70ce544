// The plan's input and output: plain data, so that it can be shown, compared, committed and simulated.

import type { ElementPage } from "../model/array";
import type { TaskFinal } from "../model/end";
import type { CardRefusal } from "../cards/node-cards";
import type { Change, State } from "../model/rows-state";
import type { RunRow, SlotRow } from "../model/rows-work";
import type { StopOrder, TaskRow } from "../model/rows-task";
import type { NodeRow } from "../model/rows-node";
import type { NodeTests } from "../model/node-tests";
import type { Tried } from "./tried";
import type { Need, Presences } from "./presence";
import type { Ms } from "../units";
import type { TaskSpec } from "../model/workload";

/**
 * What the server knows of the contact with a node's agent. It is kept in memory. Silence is counted on the listening
 * clock.
 */
export interface ContactFact {
  readonly connected: boolean;
  /** The time since the last heartbeat in which the server really listened. */
  readonly silent_ms: Ms;
  /** How long ago the last silence began that made the node unreachable and that is over. Missing: not known. */
  readonly fell_ms?: Ms;
}

export interface Snapshot {
  readonly state: State;
  /** Returns the spec of a hash. Specs are immutable, so a cache behind this function keeps it pure. */
  readonly spec: (hash: string) => TaskSpec;
  /**
   * The agents that were heard. A node that is missing here has been silent for `listening_ms`, since the server began
   * to listen.
   */
  readonly contacts: ReadonlyMap<string, ContactFact>;
  readonly listening_ms: Ms;
  /**
   * For how long the cards of each task have been idle, by task uid. A missing task uses its cards, or nothing is
   * known.
   */
  readonly idle: ReadonlyMap<string, IdleFact>;
  readonly now_ms: Ms;
  /**
   * 32 random hex digits that the server draws for this pass. The uids of what the plan creates are derived from it.
   */
  readonly seed: string;
  readonly limits: PlanLimits;
  /** What the pass before has tried in vain. Missing: everything is tried. It changes no decision. */
  readonly tried?: Tried;
  /**
   * How long runs of a person and a name take, in the mean of the last ones, by `tookKey`. Missing, or a missing entry:
   * nothing is known, and nobody waits for the end of such a run.
   */
  readonly took?: ReadonlyMap<string, Ms>;
  /** What nodes say of accounts and directories. Missing: nobody is asked. */
  readonly presences?: Presences;
  /** The ids of nodes on which a placement has broken a law. Nothing is placed there. Missing: none. */
  readonly shunned?: ReadonlySet<string>;
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
  /** A new replica counts as up after it has run this long. */
  readonly settle_ms: Ms;
  /** All members of a gang must be prepared within this time. */
  readonly prepare_deadline_ms: Ms;
  /** A node's tests must end within this time, plus the time limits of its operators' commands. */
  readonly test_deadline_ms: Ms;
  readonly port_rest_ms: Ms;
  /** How long a node that rejected work is left out for it at first. It is longer the second and the third time. */
  readonly avoid_ms: Ms;
  /** A run fails after this many rejections that are not their node's trouble. `loss_limit` is the same for losses. */
  readonly reject_limit: number;
  readonly loss_limit: number;
  /** How many further attempts an agent is granted. */
  readonly grant_attempts: number;
  /** A crash streak is over when an attempt has run this long. */
  readonly stable_ms: Ms;
  /** If more than this share of the nodes (at least two) fall silent together, the network is at fault. */
  readonly mass_silence_share: number;
  /** The most node checks of one pass. The rest waits for the next pass. */
  readonly node_checks: number;
  /** The most tasks that one pass places, since they are one commit, which must not hold up the server. */
  readonly placements: number;
  readonly port_range: readonly [number, number];
  /** A demand that has waited this long has room kept for it, so that no smaller one behind it takes it. */
  readonly patience_ms: Ms;
}

/** Why one card of a node is not suitable. */
export interface CardCheck {
  /** The device's id. */
  readonly id: string;
  /** `missing quarantined dirty prohibited exclusive held foreign apart`. */
  readonly why: CardRefusal | "apart";
  readonly detail: string;
}

export interface Check {
  /**
   * A stable name: `cpu memory disk gpu countable label pool taint port host apart together state account avoid
   * environment workdir stdin array`.
   */
  readonly check: string;
  readonly detail: string;
  /** Whether this node, as it is, cannot run the slot, whatever else ends. */
  readonly hopeless: boolean;
  /** For the check `gpu`: the cards of the right kind that are not available. */
  readonly devices: readonly CardCheck[];
}

export interface NodeChecks {
  readonly node: string;
  readonly checks: readonly Check[];
}

/** Why a slot finds no room. */
export interface Failure {
  readonly kind: "queued" | "unsatisfiable";
  readonly summary: string;
  readonly nodes: readonly NodeChecks[];
  /** Whether a wait of kind `queued` ends only if somebody changes something: nothing that ends by itself helps. */
  readonly stuck?: boolean;
}

/** What ends a wait. All of its `changes` are needed, such as `ask for 2GiB of memory`, or a command to type. */
export interface WayOut {
  readonly changes: readonly string[];
  /** What becomes of the slot then: it runs now, or it could run and would wait for room. Null: it was not planned. */
  readonly outcome: "runs" | "waits" | null;
}

/** A change to a request that was planned. */
export interface NamedChange extends WayOut {
  readonly outcome: "runs" | "waits";
  readonly spec: TaskSpec;
}

/**
 * A slot that could not be placed, and why, node by node. What is said of it is made when it is read, from what the
 * pass has found, since most passes are read by nobody. Equal requests share one `nodes` array.
 */
export interface Blocked extends Failure {
  readonly name: string;
  readonly owner_uid: string;
  /** The owner's version of which it is said. */
  readonly version: number;
  readonly slot: number;
  /** What would end the wait, what costs the user least first. */
  readonly smallest_changes: readonly WayOut[];
  /** The same in one text. */
  readonly smallest_change: string | null;
  /** Changes to the request alone, what costs the user least first. */
  readonly changes: readonly NamedChange[];
  /** The parts of a summary that names a duration, which goes on after the pass. Missing: it names none. */
  readonly timed?: TimedWords;
}

/** Words with a duration in them: `rest` is what is left and falls, `age` is what has passed and rises. */
export interface TimedWords {
  readonly before: string;
  readonly is: "rest" | "age";
  readonly ms: Ms;
  readonly after: string;
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
  /** Elements of an array were given up with their nodes. */
  | { readonly op: "elements"; readonly pages: readonly ElementPage[]; readonly why: string }
  /** The cards of an attempt are idle, and its owner wants to be told: once, by its first task. `uids` are all. */
  | { readonly op: "notify"; readonly task: TaskRow; readonly uids: readonly string[]; readonly why: string }
  | { readonly op: "node"; readonly node: NodeRow; readonly why: string }
  | { readonly op: "quarantine"; readonly node: NodeRow; readonly tests: NodeTests; readonly why: string }
  | { readonly op: "run"; readonly run: RunRow; readonly why: string }
  | { readonly op: "archive"; readonly run: RunRow; readonly why: string }
  | {
      readonly op: "remove";
      readonly what: "app" | "workload";
      readonly uid: string;
      readonly name: string;
      readonly project: string;
      readonly why: string;
    }
  | { readonly op: "port"; readonly key: string; readonly why: string };

export interface Plan {
  readonly ops: readonly Op[];
  /** The same decisions as rows, in the order of `ops`. */
  readonly changes: readonly Change[];
  readonly blocked: readonly Blocked[];
  /** The keys of the slots of services, daemons and runs that wait for room, in the order in which they get it. */
  readonly queue: readonly string[];
  /** The earliest time at which time alone changes the plan; null for never. */
  readonly wake_at_ms: Ms | null;
  /** Whether the pass reached its bound on work, and the next one, which should follow at once, comes further. */
  readonly more: boolean;
  /** What the next pass need not try again; null for nothing. */
  readonly tried: Tried | null;
  /** Messages for operators: mass silence, recovering. */
  readonly notices: readonly string[];
  /** What the demands of this pass need to find on nodes, in their order, so that the nodes can be asked. */
  readonly needs: readonly Need[];
}

/** How long all cards of a task have been below its threshold, as far as the server has seen. */
export interface IdleFact {
  readonly idle_ms: Ms;
  /** Whether the owner was already told of this idle time. */
  readonly told: boolean;
}
