// Dry runs: a transaction on a copy of the state that is never committed, and the plan on the result until it has no
// more operations.

import { canonicalJson } from "../../core/canonical";
import { plan } from "../../core/plan/plan";
import type { State } from "../../core/model/rows-state";
import type { Blocked, Op } from "../../core/pass/snapshot";
import type { TaskSpec } from "../../core/model/workload";
import { draftOn, layerOver } from "../../store/draft";
import { emptyState } from "../../store/live";
import type { Draft, Store } from "../../store/store";
import { hashOf } from "../http/body";
import type { Context } from "../context";

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

/** Runs `transact` on a draft over `base` and plans on the result, in at most `passes` passes. Nothing is committed. */
export function dryRun<T>(
  context: Context,
  actor: string,
  transact: (draft: Draft, spec: Store["spec"]) => T,
  base: State = context.store.state,
  passes = PASSES,
): DryRun<T> {
  const { store } = context;
  const specs = new Map<string, TaskSpec>();
  const spec = (hash: string): TaskSpec => specs.get(hash) ?? store.spec(hash);
  const layer = layerOver(base);
  let events = 0;
  const now_ms = store.now();
  const { draft } = draftOn(layer, {
    actor,
    revision: base.cluster.revision + 1,
    now_ms,
    nextEvent: () => events++,
    hasEnded: (uid) => store.history.hasEnded(uid),
    specs: {
      hashOf: (one) => hashOf(canonicalJson(one)),
      get: spec,
      has: (hash) => specs.has(hash) || store.hasSpec(hash),
      clear: () => specs.clear(),
      add(hash, one) {
        specs.set(hash, one);
        return false;
      },
    },
  });
  const value = transact(draft, spec);
  const ops: Op[] = [];
  for (let pass = 1; ; pass++) {
    const planned = plan({ ...context.loop.snapshot(draft.state, now_ms), spec });
    draft.put(planned.changes);
    ops.push(...planned.ops);
    if (pass >= passes || (planned.ops.length === 0 && !planned.more)) {
      return { value, ops, blocked: planned.blocked, notices: planned.notices, state: draft.state };
    }
  }
}

/** Returns the cluster's nodes without work. A task that cannot be placed here can never be placed. */
export const emptyCluster = ({ cluster, nodes, users }: State): State => ({ ...emptyState(cluster), nodes, users });
