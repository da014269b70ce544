// What a transaction works on: the live state with the transaction's own changes laid over it, kept apart until it
// succeeds.

import { assert } from "../core/assert";
import type { Change, ClusterRow, EventRow, State } from "../core/model/rows-state";
import type { Ms } from "../core/units";
import { isLive, LIVE_TABLES, type LiveTable } from "./live";
import { type Overlay, overlayOf } from "./overlay";
import { keyOf } from "./rows";
import type { Specs } from "./specs";
import type { Draft } from "./store";

/** Changes over a state that they do not modify. */
export interface Layer {
  readonly state: State;
  /**
   * The newest row or removal of each changed key, in the order in which the keys were first changed, without the
   * cluster's row.
   */
  readonly changes: ReadonlyMap<string, Change>;
  /** The cluster's row if it was changed here, else null. */
  readonly cluster: ClusterRow | null;
  put(change: Change): void;
}

/** Makes an empty layer. `below` must not change while the layer is in use. */
export function layerOver(below: State): Layer {
  const overlays = new Map<LiveTable, Overlay<unknown>>();
  const changes = new Map<string, Change>();
  let cluster: ClusterRow | null = null;

  const state = {
    get cluster() {
      return cluster ?? below.cluster;
    },
  };
  for (const table of LIVE_TABLES) {
    // A table without changes is the map below itself, so that reading it costs nothing extra.
    Object.defineProperty(state, table, { enumerable: true, get: () => overlays.get(table)?.view ?? below[table] });
  }
  return {
    state: state as State,
    changes,
    get cluster() {
      return cluster;
    },
    put(change) {
      if (change.table === "cluster") {
        cluster = change.row;
        return;
      }
      assert(
        change.row === null || keyOf(change.table, change.row) === change.key,
        `a row of ${change.table} is put under the key ${change.key}, which is not its own`,
      );
      changes.set(`${change.table}/${change.key}`, change);
      if (!isLive(change.table)) return;
      let overlay = overlays.get(change.table);
      if (overlay === undefined) {
        overlay = overlayOf<unknown>(below[change.table]);
        overlays.set(change.table, overlay);
      }
      overlay.set(change.key, change.row);
    },
  };
}

/** Lays the changes of a finished layer over another. */
export function mergeInto(target: Layer, finished: Layer): void {
  for (const change of finished.changes.values()) target.put(change);
  if (finished.cluster !== null) target.put({ table: "cluster", key: "cluster", row: finished.cluster });
}

export interface DraftFacts {
  readonly actor: string;
  readonly revision: number;
  readonly now_ms: Ms;
  readonly specs: Pick<Specs, "hashOf" | "add">;
  /** Numbers the events of the batch. */
  readonly nextEvent: () => number;
  readonly hasEnded: Draft["hasEnded"];
}

/**
 * Makes the id of an event. Its width is fixed, so that ids sort like events; nine digits of base 36 last until the
 * year 5188.
 */
export function eventId(at_ms: Ms, revision: number, n: number): string {
  return at_ms.toString(36).padStart(9, "0") + revision.toString(36).padStart(7, "0") + n.toString(36).padStart(4, "0");
}

/** Returns the smallest id that an event of this time can have. */
export const eventIdFrom = (at_ms: Ms): string => Math.max(0, at_ms).toString(36).padStart(9, "0");

/** Makes the draft of one transaction over its layer, and the function that ends its use. */
export function draftOn(layer: Layer, facts: DraftFacts): { readonly draft: Draft; readonly seal: () => void } {
  let sealed = false;
  /** Gives an event its id here, whoever makes it, since history lists events by id. */
  const inOrder = (event: EventRow): Change => {
    const id = eventId(facts.now_ms, facts.revision, facts.nextEvent());
    return { table: "events", key: id, row: { ...event, id } };
  };
  const put = (changes: readonly Change[]): void => {
    assert(!sealed, "a draft was used after its transaction");
    for (const change of changes) {
      if (change.table === "cluster") assertSameCluster(layer.state.cluster, change.row);
      layer.put(change.table === "events" ? inOrder(change.row) : change);
    }
  };
  const draft: Draft = {
    state: layer.state,
    revision: facts.revision,
    now_ms: facts.now_ms,
    hasEnded: facts.hasEnded,
    put,
    putSpec(spec) {
      const hash = facts.specs.hashOf(spec);
      if (facts.specs.add(hash, spec)) put([{ table: "specs", key: hash, row: { hash, spec } }]);
      return hash;
    },
    event(event) {
      put([
        {
          table: "events",
          key: "",
          row: { node_id: null, run: null, ...event, id: "", at_ms: facts.now_ms, actor: facts.actor },
        },
      ]);
    },
    takeRunNumber() {
      const { cluster } = layer.state;
      put([{ table: "cluster", key: "cluster", row: { ...cluster, next_run: cluster.next_run + 1 } }]);
      return cluster.next_run;
    },
  };
  return {
    draft,
    seal: () => {
      sealed = true;
    },
  };
}

/**
 * Throws AssertionError if a transaction changes the cluster's id, timeline or epoch, or lowers its next run number or
 * ordinal.
 */
function assertSameCluster(now: ClusterRow, next: ClusterRow): void {
  assert(
    next.cluster_id === now.cluster_id && next.timeline === now.timeline && next.epoch === now.epoch,
    "a transaction changes the cluster's identity",
  );
  assert(
    next.next_run >= now.next_run && next.next_ordinal >= now.next_ordinal,
    "a transaction takes numbers back that were given",
  );
}
