// The server's one loop: anything that changes wakes it, it plans from the whole state and commits what the plan says.

import { plan } from "../core/plan";
import type { Blocked, ContactFact, PlanLimits, Snapshot } from "../core/snapshot";
import type { State } from "../core/model";
import type { Ms } from "../core/units";
import type { Store } from "../store/store";

export interface LoopOptions {
  readonly store: Store;
  readonly limits: PlanLimits;
  /** A clock that never jumps; only differences of it count. */
  readonly monotonic: () => Ms;
  /** 32 random hex digits, anew for each pass. */
  readonly seed: () => string;
  readonly say: (line: string) => void;
  /** Called with the error of a pass that failed: a bug of ours, or a disk that no longer takes commits. */
  readonly failed: (error: unknown) => void;
}

export interface Loop {
  /** Plans again soon; many wakes become one pass. */
  wake(): void;
  blocked(): readonly Blocked[];
  notices(): readonly string[];
  contacts(): ReadonlyMap<string, ContactFact>;
  listening_ms(): Ms;
  /** Wall time of the newest heartbeat; `null` when none came since the server started. */
  lastSeen(node_id: string): Ms | null;
  heard(node_id: string, now_ms: Ms): void;
  gone(node_id: string): void;
  /** Stops planning for good, and says why in the notices: another server is the newer one. */
  fence(why: string): void;
  /** What a pass would be given now; for dry runs on another state. */
  snapshot(state: State, now_ms: Ms): Snapshot;
  stop(): void;
}

/** At most so much of a silence is counted for one turn: after a stall of ours the agents get their time anew. */
const TURN_LIMIT_MS = 1_000;
const TICK_MS = 500;

export function createLoop(options: LoopOptions): Loop {
  const { store, limits } = options;
  const heardAt = new Map<string, { listening_ms: Ms; at_ms: Ms; connected: boolean }>();
  let listening = 0;
  let turned = options.monotonic();
  let state: "idle" | "scheduled" | "planning" | "again" | "stopped" = "idle";
  let fenced: string | null = null;
  let last: { blocked: readonly Blocked[]; notices: readonly string[] } = { blocked: [], notices: [] };
  let timer: ReturnType<typeof setTimeout> | null = null;

  const contacts = (): Map<string, ContactFact> => new Map([...heardAt].map(([id, heard]) =>
    [id, { connected: heard.connected, silent_ms: Math.max(0, listening - heard.listening_ms) }]));

  const snapshot = (planned: State, now_ms: Ms): Snapshot => ({ state: planned, spec: store.spec, contacts: contacts(),
    listening_ms: listening, now_ms, seed: options.seed(), limits });

  const unlisten = store.onCommit(() => wake());

  const tick = setInterval(() => {
    const now = options.monotonic();
    listening += Math.min(now - turned, TURN_LIMIT_MS);
    turned = now;
  }, TICK_MS);

  function wake(): void {
    if (state === "planning") state = "again";
    if (state !== "idle") return;
    state = "scheduled";
    setImmediate(() => void pass().catch(options.failed));
  }

  async function pass(): Promise<void> {
    if (state === "stopped" || fenced !== null) return;
    state = "planning";
    if (timer !== null) clearTimeout(timer);
    const { value } = await store.commit("plan", (draft) => {
      const planned = plan(snapshot(draft.state, draft.now_ms));
      draft.put(planned.changes);
      return { planned, now_ms: draft.now_ms };
    });
    const { planned } = value;
    last = { blocked: planned.blocked, notices: planned.notices };
    const again = (state as string) === "again" || planned.more || planned.ops.length > 0;
    if ((state as string) === "stopped") return;
    state = "idle";
    if (again) wake();
    else if (planned.wake_at_ms !== null) {
      timer = setTimeout(wake, Math.min(Math.max(planned.wake_at_ms - value.now_ms, 1), 60_000));
    }
  }

  return {
    wake, contacts, snapshot,
    blocked: () => last.blocked,
    notices: () => (fenced === null ? last.notices : [fenced, ...last.notices]),
    listening_ms: () => listening,
    lastSeen: (node_id) => heardAt.get(node_id)?.at_ms ?? null,
    heard(node_id, now_ms) {
      const before = heardAt.get(node_id);
      heardAt.set(node_id, { listening_ms: listening, at_ms: now_ms, connected: true });
      if (before === undefined || !before.connected) wake();
    },
    gone(node_id) {
      const heard = heardAt.get(node_id);
      if (heard === undefined) return;
      heardAt.set(node_id, { ...heard, connected: false });
      wake();
    },
    fence(why) {
      if (fenced === null) options.say(why);
      fenced = why;
    },
    stop() {
      state = "stopped";
      unlisten();
      clearInterval(tick);
      if (timer !== null) clearTimeout(timer);
    },
  };
}
