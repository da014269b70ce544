// What a run waits for that comes after others, and that no node can run it then, where that is known by now. It is
// found out when somebody reads it.

import type { RunRow } from "../model/rows-work";
import { waitOf, type Demand, type Pass } from "../pass/pass";
import type { Blocked, WayOut } from "../pass/snapshot";
import { openRooms, type Rooms } from "../place/room";
import { noShapes, shapeOf } from "../place/shape";
import { blockedBy } from "./blocked";
import { sayChanges } from "./ways";

/** Returns why a run waits that is not to start yet: `words`, unless no node can run it as it is. */
export type Afterwards = (run: RunRow, words: string) => Blocked;

/** Makes the answers of one pass. Equal requests are examined once. */
export function afterwardsIn(pass: Pass): Afterwards {
  // Whatever runs now may have ended by then.
  const empty: Pass = { ...pass, tasks: new Map() };
  const shapes = noShapes();
  let open: Rooms | null = null;
  return (run, words) => {
    let found: Blocked | null = null;
    const blocked = (): Blocked => {
      if (found !== null) return found;
      const demand = demandOf(pass, run);
      const shape = shapeOf(empty, shapes, demand);
      // What it comes after may make the directory or the environment that nodes lack now.
      const needs = { ...shape.needs, environment: null, workdir: null };
      const then = blockedBy({ pass: empty, rooms: (open ??= openRooms(empty)), shape: { ...shape, needs } }, demand);
      const isNever = then.kind === "unsatisfiable" && then.nodes.length > 0;
      return (found = isNever ? neverAfter(then, words) : waitOf(run, 0, words));
    };
    const { name, owner_uid, version, slot, changes } = waitOf(run, 0, words);
    return {
      name,
      owner_uid,
      version,
      slot,
      changes,
      get kind() {
        return blocked().kind;
      },
      get summary() {
        return blocked().summary;
      },
      get nodes() {
        return blocked().nodes;
      },
      get smallest_changes() {
        return blocked().smallest_changes;
      },
      get smallest_change() {
        return blocked().smallest_change;
      },
    };
  };
}

/** It does not run with any change now, since it is not to start yet. */
function neverAfter(then: Blocked, words: string): Blocked {
  const ways = then.smallest_changes.map(({ changes }): WayOut => ({ changes, outcome: null }));
  const summary = `${then.summary}; before that it ${words}`;
  return { ...then, changes: [], summary, smallest_changes: ways, smallest_change: sayChanges(ways) };
}

function demandOf(pass: Pass, run: RunRow): Demand {
  const spec = pass.snapshot.spec(run.spec_hash);
  const nothing = { slot: 0, slot_row: null, only: null, gives_up: [], stops_first: null, why: "" } as const;
  return { owner: run, kind: "job", spec, ...nothing };
}
