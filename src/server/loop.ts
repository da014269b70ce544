// The server's one loop. Every change wakes it; it then plans from the whole state and commits the plan.

import { plan } from "../core/plan/plan";
import type { Blocked, Plan, PlanLimits, Snapshot } from "../core/pass/snapshot";
import type { State } from "../core/model/rows-state";
import type { Ms } from "../core/units";
import { messageOf } from "../os/errors";
import { StorageError } from "../store/errors";
import type { Draft, Store } from "../store/store";
import type { Idleness } from "./facts/idleness";
import { createListening, type Listening } from "./facts/listening";

export interface LoopOptions {
  readonly store: Store;
  readonly limits: PlanLimits;
  readonly idleness: Pick<Idleness, "facts" | "told">;
  /** A clock that never jumps. Only differences of its times count. */
  readonly monotonic: () => Ms;
  /** Returns 32 random hex digits, new ones for each pass. */
  readonly seed: () => string;
  readonly say: (line: string) => void;
  /** Called with the error of a failed pass: a bug, or a disk that no longer accepts commits. */
  readonly failed: (error: unknown) => void;
}

export interface Loop extends Pick<Listening, "contacts" | "listening_ms" | "lastSeen" | "heardOf" | "skewed"> {
  /** Makes the loop plan again soon. Several wakes become one pass. */
  wake(): void;
  blocked(): readonly Blocked[];
  /** Returns the uids of the queued runs that wait for room, in the order of the last pass. */
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

type Phase = "idle" | "scheduled" | "planning" | "again" | "stopped";

export function createLoop(options: LoopOptions): Loop {
  const { store } = options;
  const listening = createListening(options.monotonic);
  const desk: { phase: Phase } = { phase: "idle" };
  let fenced: string | null = null;
  const deciding = createDeciding();
  let last: Pick<Plan, "blocked" | "notices" | "queue"> = { blocked: [], notices: [], queue: [] };
  let timer: ReturnType<typeof setTimeout> | undefined;
  const unlisten = store.onCommit(() => wake());
  const snapshot = (state: State, now_ms: Ms): Snapshot => snapshotOf(options, listening, state, now_ms);

  function wake(): void {
    if (desk.phase === "planning") desk.phase = "again";
    if (desk.phase !== "idle" || fenced !== null) return;
    desk.phase = "scheduled";
    setImmediate(() => {
      pass().catch(options.failed);
    });
  }
  function wakeIn(wait_ms: Ms): void {
    timer = setTimeout(wake, bounded(wait_ms));
  }

  async function pass(): Promise<void> {
    if (desk.phase === "stopped" || fenced !== null) return;
    desk.phase = "planning";
    clearTimeout(timer);
    const committed = store.commit("plan", (draft) => passOver(draft, snapshot(draft.state, draft.now_ms)));
    const done = await committed.catch(couldNotCommit(options));
    next(done?.value ?? null);
  }

  /** Ends a pass. Wakes the loop at once if there may be more to do, else at the time that the plan names. */
  function next(done: Pass | null): void {
    if (desk.phase === "stopped") return;
    const changed = desk.phase === "again";
    desk.phase = "idle";
    if (done === null) return wakeIn(AGAIN_MS);
    const { planned, now_ms, recovering } = done;
    last = planned;
    deciding.passed(!recovering);
    options.idleness.told(planned.ops.flatMap((op) => (op.op === "notify" ? op.uids : [])));
    if (changed || planned.more || planned.ops.length > 0) wake();
    else if (planned.wake_at_ms !== null) wakeIn(planned.wake_at_ms - now_ms);
  }

  return {
    ...listening,
    ...deciding,
    wake,
    snapshot,
    blocked: () => last.blocked,
    queue: () => last.queue,
    notices: () => (fenced === null ? last.notices : [fenced, ...last.notices]),
    heard: (node_id, now_ms) => (listening.heard(node_id, now_ms) ? wake() : undefined),
    gone: (node_id) => (listening.gone(node_id) ? wake() : undefined),
    fenced: () => fenced,
    fence(why) {
      if (fenced === null) options.say(why);
      fenced = why;
    },
    stop() {
      desk.phase = "stopped";
      unlisten();
      listening.stop();
      clearTimeout(timer);
    },
  };
}

function passOver(draft: Draft, snapshot: Snapshot): Pass {
  const planned = plan(snapshot);
  draft.put(planned.changes);
  return { planned, now_ms: draft.now_ms, recovering: draft.state.cluster.recovering !== null };
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

/**
 * Returns the handler of a failed commit. A full disk may have room again, and a change that is too large may be
 * smaller later, so the loop says so and tries again. Any other failure is passed to `failed`, which stops the server.
 */
const couldNotCommit =
  ({ failed, say }: Pick<LoopOptions, "failed" | "say">) =>
  (error: unknown): null => {
    const code = error instanceof StorageError ? error.code : null;
    if (code === "too_large") say(`the plan could not be written, it is tried again: ${messageOf(error)}`);
    else if (code !== "storage_full") failed(error);
    return null;
  };

function snapshotOf(
  { store, limits, seed, idleness }: LoopOptions,
  listening: Listening,
  state: State,
  now_ms: Ms,
): Snapshot {
  const contacts = listening.contacts();
  const [listening_ms, idle] = [listening.listening_ms(), idleness.facts()];
  return { state, spec: store.spec, contacts, listening_ms, idle, now_ms, seed: seed(), limits };
}
