// `orch node forget NODE --fenced` as rows: the node leaves with a grave, and a restored server waits for it no more.

import type { Draft } from "../../src/store/store";

export function forgetNode(draft: Draft, node_id: string): void {
  const { cluster } = draft.state;
  draft.put([{ table: "nodes", key: node_id, row: null },
    { table: "graves", key: node_id, row: { uid: node_id, at_ms: draft.now_ms } }]);
  if (cluster.recovering === null) return;
  const awaited = cluster.recovering.filter((id) => id !== node_id);
  draft.put([{ table: "cluster", key: "cluster", row: { ...cluster, recovering: awaited.length === 0 ? null : awaited } }]);
}
