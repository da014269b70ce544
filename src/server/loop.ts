// The server's one loop. It plans from the whole state at the end of every batch of changes, so that a change and what
// follows from it are one commit; and when it is woken, or its time has come, in a batch of its own.

import { BrokenLawError } from "../core/laws/laws";
import { plan } from "../core/plan/plan";
import { sayTimed } from "../core/pass/pass";
import type { Blocked, Plan, PlanLimits, Snapshot } from "../core/pass/snapshot";
import type { Change, State } from "../core/model/rows-state";
import type { TaskRow } from "../core/model/rows-task";
import type { RunRow } from "../core/model/rows-work";
import type { Ms } from "../core/units";
import { messageOf } from "../os/errors";
import { StorageError } from "../store/errors";
import type { Draft, Store } from "../store/store";
import type { Idleness } from "./facts/idleness";
import type { PresenceRecord } from "./facts/presence";
import type { TookRecord } from "./facts/took";
import { createListening, type Listening } from "./facts/listening";

export interface LoopOptions {
  readonly store: Store;
  readonly limits: PlanLimits;
  readonly idleness: Pick<Idleness, "facts" | "told">;
  readonly presences: Pick<PresenceRecord, "facts" | "want">;
  readonly took: Pick<TookRecord, "facts">;
  /** A clock that never jumps. Only differences of its times count. */
  readonly monotonic: () => Ms;
  /** Returns 32 random hex digits, new ones for each pass. */
  readonly seed: () => string;
  readonly say: (line: string) => void;
  /** Called with the error of a failed pass: a bug, or a disk that no longer accepts commits. */
  readonly failed: (error: unknown) => void;
  /**
   * Called with what is said when a placement broke a law on some nodes: from then on nothing is placed there, and the
   * rest of the cluster goes on. Missing: the pass has failed.
   */
  readonly leftOut: ((why: string) => void) | undefined;
}

export interface Loop extends Pick<Listening, "contacts" | "listening_ms" | "lastSeen" | "heardOf" | "skewed"> {
  /** Makes the loop plan again soon. Several wakes become one pass. */
  wake(): void;
  blocked(): readonly Blocked[];
  /**
   * Returns the tasks to which the last pass has given room: those of a change that has just become durable are among
   * them. Heirs have none yet.
   */
  placed(): readonly TaskRow[];
  /** Returns the keys of the slots that wait for room, in the order of the last pass. */
  queue(): readonly string[];
  notices(): readonly string[];
  heard(node_id: string, now_ms: Ms): void;
  gone(node_id: string): void;
  /**
   * Returns whether the last pass has decided on what is wanted. Until the first one has, the rows of a restored copy
   * may want what a newer history has given up or replaced, so no agent is told to begin or to stop because of them.
   */
  decides(): boolean;
  /** Calls the listener when a pass has decided and the one before, if any, had not. */
  onDecided(listener: () => void): void;
  /**
   * Stops planning for good, since an agent has seen a newer state of this cluster than this server has. The notices
   * then begin with the reason.
   */
  fence(why: string): void;
  /** Returns why the loop stopped planning for good, or null. */
  fenced(): string | null;
  /** Returns the input of a pass on this state, for dry runs. */
  snapshot(state: State, now_ms: Ms): Snapshot;
  stop(): void;
}

/** The pause after a pass that could not be committed. The disk may have room again by then. */
const AGAIN_MS = 1_000;
const LONGEST_WAIT_MS = 60_000;

const bounded = (wait_ms: Ms): Ms => Math.min(Math.max(wait_ms, 1), LONGEST_WAIT_MS);

interface Pass {
  readonly planned: Plan;
  readonly now_ms: Ms;
  /** Whether a restored database was still waiting for inventories. Then the pass has decided nothing. */
  readonly recovering: boolean;
}

/**
 * Returns what waits, with the durations that have changed since the pass. What the pass said of a version that is not
 * the newest any more is left out: the next pass looks at the new one.
 */
const saidNow = ({ blocked, at_ms }: LastPass, state: State, now_ms: Ms): readonly Blocked[] =>
  blocked
    .filter(({ owner_uid, version }) => (state.workloads.get(owner_uid)?.version ?? version) === version)
    .map((one) => (one.timed === undefined ? one : { ...one, summary: sayTimed(one.timed, now_ms - at_ms) }));

/** What is kept of a pass. */
type LastPass = Pick<Plan, "ops" | "blocked" | "notices" | "queue" | "tried"> & { readonly at_ms: Ms };

const NO_PASS: LastPass = { ops: [], blocked: [], notices: [], queue: [], tried: null, at_ms: 0 };

export function createLoop(options: LoopOptions): Loop {
  const { store } = options;
  const listening = createListening(options.monotonic, options.limits.unreachable_after_ms);
  let stopped = false;
  let fenced: string | null = null;
  const deciding = createDeciding();
  let last: LastPass = NO_PASS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const shunned = createShunned(options);
  const snapshot = snapshotsOf(options, listening, shunned);
  let pass: Pass | null = null;
  store.concludeWith({
    actor: "plan",
    transact: (draft) => {
      pass = passOver(draft, snapshot, last, options.took.facts());
    },
    done: () => next(pass),
    failed: (error) => next(couldNotCommit(options, shunned, error)),
  });

  function wake(): void {
    if (!stopped && fenced === null) store.conclude();
  }

  /** Ends a pass. Wakes the loop at once if there may be more to do, else at the time that the plan names. */
  function next(done: Pass | null): void {
    if (stopped) return;
    const wakeIn = (wait_ms: Ms): void => {
      timer = setTimeout(wake, bounded(wait_ms));
    };
    clearTimeout(timer);
    if (done === null) return wakeIn(AGAIN_MS);
    const { planned, now_ms, recovering } = done;
    last = { ...planned, at_ms: now_ms };
    deciding.passed(!recovering);
    heed(options, planned);
    if (planned.more || planned.ops.length > 0) wake();
    else if (planned.wake_at_ms !== null) wakeIn(planned.wake_at_ms - now_ms);
  }

  /** Plans no more. */
  function rest(): void {
    store.concludeWith(null);
    clearTimeout(timer);
  }

  return {
    ...listening,
    ...deciding,
    wake,
    snapshot,
    blocked: () => saidNow(last, store.state, store.now()),
    placed: () => last.ops.flatMap((op) => (op.op === "place" && op.task.heir_of === null ? op.task : [])),
    queue: () => last.queue,
    notices: () => [...(fenced === null ? [] : [fenced]), ...shunned.notices, ...last.notices],
    heard: (node_id, now_ms) => (listening.heard(node_id, now_ms) ? wake() : undefined),
    gone: (node_id) => (listening.gone(node_id) ? wake() : undefined),
    fenced: () => fenced,
    fence(why) {
      if (fenced === null) options.say(why);
      fenced = why;
      rest();
    },
    stop() {
      stopped = true;
      rest();
      listening.stop();
    },
  };
}

/** Notes what the plan has told owners, and what it would know of nodes. */
function heed({ idleness, presences }: LoopOptions, { ops, needs }: Plan): void {
  presences.want(needs);
  idleness.told(ops.flatMap((op) => (op.op === "notify" ? op.uids : [])));
}

function passOver(
  draft: Draft,
  snapshot: Loop["snapshot"],
  { tried, blocked }: LastPass,
  took: NonNullable<Snapshot["took"]>,
): Pass {
  const now = { ...snapshot(draft.state, draft.now_ms), took };
  const planned = plan(tried === null ? now : { ...now, tried });
  draft.put(withWaits(planned.changes, draft.now_ms, blocked));
  return { planned, now_ms: draft.now_ms, recovering: draft.state.cluster.recovering !== null };
}

/** Writes into the runs whose wait is over in this pass what the pass before has left them waiting for. */
function withWaits(changes: readonly Change[], now_ms: Ms, before: readonly Blocked[]): readonly Change[] {
  // Its wait is over when it begins, or ends without having begun.
  const isOver = ({ started_ms, finished_ms }: RunRow): boolean => (started_ms ?? finished_ms) === now_ms;
  const rowOf = (change: Change): RunRow | null =>
    change.table === "runs" || change.table === "ended_runs" ? change.row : null;
  // What waits says why only when it is asked, and few runs begin in a pass.
  if (!changes.map(rowOf).some((row) => row !== null && isOver(row))) return changes;
  const waits = new Map(before.map((one) => [one.owner_uid, one]));
  return changes.map((change): Change => {
    const row = rowOf(change);
    if (row === null || !isOver(row) || (change.table !== "runs" && change.table !== "ended_runs")) return change;
    return { ...change, row: { ...row, waited_for: waits.get(row.uid)?.summary ?? row.waited_for } };
  });
}

/** Keeps whether the last pass has decided. */
function createDeciding(): Pick<Loop, "decides" | "onDecided"> & { readonly passed: (decided: boolean) => void } {
  let decides = false;
  let listener: () => void = () => undefined;
  return {
    decides: () => decides,
    onDecided(call) {
      listener = call;
    },
    passed(decided) {
      const begins = decided && !decides;
      decides = decided;
      if (begins) listener();
    },
  };
}

/** The nodes on which a placement has broken a law, until the server restarts. */
interface Shunned {
  readonly ids: Set<string>;
  readonly notices: string[];
  /** Takes a failed commit. Returns whether the next pass can do without the nodes on account of which it failed. */
  take(error: unknown): boolean;
}

function createShunned({ store, leftOut }: Pick<LoopOptions, "store" | "leftOut">): Shunned {
  const ids = new Set<string>();
  const notices: string[] = [];
  return {
    ids,
    notices,
    take(error) {
      if (leftOut === undefined || !(error instanceof BrokenLawError)) return false;
      const nodes = error.nodes.filter((id) => !ids.has(id));
      if (nodes.length === 0) return false;
      for (const id of nodes) ids.add(id);
      const names = nodes.map((id) => store.state.nodes.get(id)?.name ?? id).join(", ");
      const notice = `nothing is placed on ${names} until the server restarts, please report this: ${error.message}`;
      notices.push(notice);
      leftOut(notice);
      return true;
    },
  };
}

/**
 * Handles a pass that could not be committed. A full disk may have room again, and a change that is too large may be
 * smaller later, so the loop says so and tries again; so it does without the nodes on which a law was broken. Any other
 * failure is passed to `failed`, which stops the server.
 */
function couldNotCommit({ failed, say }: Pick<LoopOptions, "failed" | "say">, shunned: Shunned, error: unknown): null {
  if (shunned.take(error)) return null;
  const code = error instanceof StorageError ? error.code : null;
  if (code === "too_large") say(`the plan could not be written, it is tried again: ${messageOf(error)}`);
  else if (code !== "storage_full") failed(error);
  return null;
}

const snapshotsOf =
  ({ store, limits, seed, idleness, presences }: LoopOptions, listening: Listening, { ids: shunned }: Shunned) =>
  (state: State, now_ms: Ms): Snapshot => {
    const contacts = listening.contacts();
    const [listening_ms, idle] = [listening.listening_ms(), idleness.facts()];
    const heard = { contacts, listening_ms, idle, presences: presences.facts() };
    return { state, spec: store.spec, ...heard, now_ms, seed: seed(), limits, shunned };
  };
