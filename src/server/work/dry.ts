// Dry runs: a transaction on a copy of the state that is never committed, and the plan on the result until it has no
// more operations.

import { canonicalJson } from "../../core/canonical";
import { plan } from "../../core/plan/plan";
import type { State } from "../../core/model/rows-state";
import type { Blocked, Op, Plan } from "../../core/pass/snapshot";
import type { TaskSpec } from "../../core/model/workload";
import { draftOn, layerOver } from "../../store/draft";
import { emptyState } from "../../store/live";
import type { Draft, Store } from "../../store/store";
import { hashOf } from "../http/body";
import type { Context } from "../context";
import { RefusedError } from "../refused";

export interface DryRun<T> {
  readonly value: T;
  readonly ops: readonly Op[];
  readonly blocked: readonly Blocked[];
  readonly notices: readonly string[];
  /** The resulting state: tasks are placed and not yet started. */
  readonly state: State;
}

/** The most passes of a dry run. Operations that later passes would make are left out of the result. */
const PASSES = 12;

type Transact<T> = (draft: Draft, members: Store["members"]) => T;

/**
 * Runs `transact` on a draft over a copy of the state, and plans on the result until nothing is left to do. Nothing is
 * committed. The server does other work between two passes, as it does between those of its loop.
 */
export async function dryRun<T>(context: Context, actor: string, transact: Transact<T>): Promise<DryRun<T>> {
  const { value, pass } = begin(context, actor, transact, copyOf(context.store.state));
  const ops: Op[] = [];
  for (let passes = 1; ; passes++) {
    const { planned, state } = pass();
    ops.push(...planned.ops);
    const { blocked, notices } = planned;
    if (passes >= PASSES || (planned.ops.length === 0 && !planned.more)) return { value, ops, blocked, notices, state };
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/**
 * Returns what must wait after one pass over `base` with the changes of `transact`. `asks`: whether what nodes say of
 * directories counts.
 */
const blockedIn = (
  context: Context,
  actor: string,
  transact: Transact<unknown>,
  { base, asks }: { readonly base: State; readonly asks: boolean },
): readonly Blocked[] => begin(context, actor, transact, base, asks).pass().planned.blocked;

/** A run that would be made. */
interface WouldBe {
  readonly uid: string;
  /** What is asked for, and by whom, as text. The same text means the same request. */
  readonly request: string;
  readonly make: Transact<unknown>;
  readonly actor: string;
  /** Whether what nodes say of directories counts. */
  readonly asks: boolean;
}

/**
 * Returns why no node could run a run even if all nodes were empty, or null. The changes that would help are those that
 * help on the cluster as it is.
 */
export function neverIn(context: Context, draft: Draft, would: WouldBe): Blocked | null {
  const { uid, request, make, actor, asks } = would;
  if (context.possible.isKnown(request)) return null;
  const own = (base: State): Blocked | undefined =>
    blockedIn(context, actor, make, { base, asks }).find((one) => one.owner_uid === uid);
  const never = own(emptyCluster(draft.state));
  if (never?.kind !== "unsatisfiable") {
    context.possible.note(request);
    return null;
  }
  const now = own(draft.state);
  return now?.kind === "unsatisfiable" ? now : never;
}

/** A dry run under way. `base` must not change meanwhile. */
function begin<T>(
  { store, loop }: Context,
  actor: string,
  transact: Transact<T>,
  base: State,
  asks = true,
): { readonly value: T; readonly pass: () => { readonly planned: Plan; readonly state: State } } {
  const specs = new Map<string, TaskSpec>();
  const spec = (hash: string): TaskSpec => {
    const made = specs.get(hash);
    if (made !== undefined) return made;
    // Between two passes, what the copy names may be removed from the history.
    if (store.hasSpec(hash)) return store.spec(hash);
    throw new RefusedError("changed_meanwhile", "what it plans with was removed meanwhile", "Ask again");
  };
  const members = (hash: string): number => specs.get(hash)?.members ?? store.members(hash);
  let events = 0;
  const now_ms = store.now();
  const { draft } = draftOn(layerOver(base), {
    actor,
    revision: base.cluster.revision + 1,
    now_ms,
    nextEvent: () => events++,
    hasEnded: (uid) => store.history.hasEnded(uid),
    specs: {
      hashOf: (one) => hashOf(canonicalJson(one)),
      add(hash, one) {
        specs.set(hash, one);
        return false;
      },
    },
  });
  let tried: Plan["tried"] = null;
  return {
    value: transact(draft, members),
    pass() {
      const { presences, ...now } = loop.snapshot(draft.state, now_ms);
      const snapshot = { ...now, spec, ...(asks && presences !== undefined ? { presences } : {}) };
      const planned = plan(tried === null ? snapshot : { ...snapshot, tried });
      tried = planned.tried;
      draft.put(planned.changes);
      return { planned, state: draft.state };
    },
  };
}

/** Copies the maps. The rows in them never change. */
const copyOf = ({ cluster, ...state }: State): State => ({
  cluster,
  nodes: new Map(state.nodes),
  apps: new Map(state.apps),
  workloads: new Map(state.workloads),
  runs: new Map(state.runs),
  slots: new Map(state.slots),
  tasks: new Map(state.tasks),
  elements: new Map(state.elements),
  ports: new Map(state.ports),
  users: new Map(state.users),
  tokens: new Map(state.tokens),
});

/** Lets one work begin after the other, in the order in which they were asked for. */
export function createTurns(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const mine = last.then(work);
    // Whoever asked for a work gets its error; the next one only waits for its end.
    last = Promise.allSettled([mine]);
    return mine;
  };
}

/** Returns the cluster's nodes without work. A task that cannot be placed here can never be placed. */
const emptyCluster = ({ cluster, nodes, users }: State): State => ({ ...emptyState(cluster), nodes, users });
