// Every state machine of orch as a table: rank, owner and legal moves. Types, SQL checks, docs and tests are derived
// from the tables.

/** Who may move a thing out of a state. Null marks a final state. */
export type Owner = "plan" | "agent" | "server" | null;

interface StateRule<S extends string> {
  /** The rank rises with every move, so the higher of two observations is the newer one. */
  readonly rank: number;
  readonly owner: Owner;
  readonly to: readonly S[];
  readonly meaning: string;
}

type Table<S extends string> = { readonly [K in S]: StateRule<S> };

const table = <S extends string>(rules: Table<S>): Table<S> => rules;

export type TaskState =
  | "assigned"
  | "preparing"
  | "starting"
  | "running"
  | "stopping"
  | "succeeded"
  | "failed"
  | "stopped"
  | "rejected"
  | "unknown"
  | "lost";

const TASK_ENDS = ["succeeded", "failed", "stopped", "rejected", "unknown", "lost"] as const;

/**
 * The states of a task: one attempt of one slot on one node. Reports may skip states. Only the server writes `lost`.
 */
export const TASK = table<TaskState>({
  assigned: {
    rank: 0,
    owner: "agent",
    to: ["preparing", "starting", "running", "stopping", ...TASK_ENDS],
    meaning: "placed on a node, whose agent has not taken it yet",
  },
  preparing: {
    rank: 1,
    owner: "agent",
    to: ["starting", "running", "stopping", ...TASK_ENDS],
    meaning: "accepted: waits for room on the node, or reserved for a gang",
  },
  starting: {
    rank: 2,
    owner: "agent",
    to: ["running", "stopping", ...TASK_ENDS],
    meaning: "claimed by its supervisor, which starts the process",
  },
  running: { rank: 3, owner: "agent", to: ["stopping", ...TASK_ENDS], meaning: "its process lives" },
  stopping: { rank: 4, owner: "agent", to: [...TASK_ENDS], meaning: "told to stop, within its grace" },
  succeeded: { rank: 5, owner: null, to: [], meaning: "ended with exit code 0" },
  failed: { rank: 5, owner: null, to: [], meaning: "ended with another code, a signal, or a limit of its own" },
  stopped: { rank: 5, owner: null, to: [], meaning: "ended because it was told to" },
  rejected: {
    rank: 5,
    owner: null,
    to: [],
    meaning: "never ran: its node lacked something for it; costs no retry, and another node is tried",
  },
  unknown: { rank: 5, owner: null, to: [], meaning: "it began, and nobody knows how it ended: its records are gone" },
  lost: { rank: 5, owner: null, to: [], meaning: "it never completed: a reboot ended it, or it never began" },
});

export type RunState = "waiting" | "queued" | "running" | "succeeded" | "failed" | "cancelled";

/** The states of a run: one execution of a job. */
export const RUN = table<RunState>({
  waiting: {
    rank: 0,
    owner: "plan",
    // A run may succeed from here, since one that waits in a restored database may have run after its copy was made.
    to: ["queued", "running", "succeeded", "failed", "cancelled"],
    meaning: "waits for what it comes after",
  },
  queued: { rank: 1, owner: "plan", to: ["running", "succeeded", "failed", "cancelled"], meaning: "waits for room" },
  running: {
    rank: 2,
    owner: "plan",
    to: ["succeeded", "failed", "cancelled"],
    meaning: "has, or had, a task; between two attempts too",
  },
  succeeded: { rank: 3, owner: null, to: [], meaning: "its task ended with exit code 0" },
  failed: { rank: 3, owner: null, to: [], meaning: "its last attempt failed, or it can never start" },
  cancelled: { rank: 3, owner: null, to: [], meaning: "ended because somebody said so" },
});

export type Admission = "joining" | "testing" | "ready" | "quarantined";
export type Intent = "schedulable" | "draining";
export type Contact = "connected" | "unreachable" | "lost";

/** A node's admission: `ready` comes from its tests, or from an operator who takes it as it is. */
export const ADMISSION_MOVES: Readonly<Record<Admission, readonly Admission[]>> = {
  joining: ["testing", "ready", "quarantined"],
  testing: ["ready", "quarantined"],
  ready: ["testing"],
  quarantined: ["testing", "ready"],
};

/** A node's contact, written by the plan alone. A node that is lost is connected again once it is heard. */
export const CONTACT_MOVES: Readonly<Record<Contact, readonly Contact[]>> = {
  connected: ["unreachable", "lost"],
  unreachable: ["connected", "lost"],
  lost: ["connected"],
};

export const NODE_STATES = [
  "joining",
  "testing",
  "ready",
  "draining",
  "drained",
  "quarantined",
  "unreachable",
  "lost",
] as const;
export type NodeState = (typeof NODE_STATES)[number];

/**
 * Returns the state to show for a node. It is a function of three facts, each with one writer, and of whether the node
 * still has tasks.
 */
export function nodeState(admission: Admission, intent: Intent, contact: Contact, busy: boolean): NodeState {
  // A node that waits for an operator's word has no connection yet.
  if (admission === "joining") return admission;
  if (contact !== "connected") return contact;
  if (admission !== "ready") return admission;
  if (intent === "draining") return busy ? "draining" : "drained";
  return "ready";
}

/** Returns whether a state of a task or a run is final. */
export function isFinal(state: TaskState | RunState): boolean {
  return (state in TASK ? TASK[state as TaskState] : RUN[state as RunState]).to.length === 0;
}

/** Returns whether a task may move from one state to another: the table lists the move, and its rank rises. */
export const mayMove = (from: TaskState, to: TaskState): boolean => TASK[from].to.includes(to);

/** Returns whether a run may move from one state to another. */
export const mayRunMove = (from: RunState, to: RunState): boolean => RUN[from].to.includes(to);
