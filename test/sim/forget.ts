// `orch node forget NODE --fenced` as rows, until the server's route exports them.

import { observeInventory } from "../../src/core/observe";
import type { Draft } from "../../src/store/store";
import type { World } from "./world";

export function forgetNode(world: World, draft: Draft, node_id: string): void {
  const { timeline } = draft.state.cluster;
  const intake = observeInventory(draft.state, node_id, { boot_id: "fenced", entries: [], unreadable: [],
    applied: { timeline, revision: Number.MAX_SAFE_INTEGER } }, { now_ms: draft.now_ms, revision: draft.revision,
    limits: world.serverWorld.limits, seed: world.dice.people.hex(32), hasEnded: () => false, hasGrave: () => false });
  draft.put(intake.changes);
  draft.put([{ table: "nodes", key: node_id, row: null },
    { table: "graves", key: node_id, row: { uid: node_id, at_ms: draft.now_ms } }]);
}
