// Changes to a node when its agent announces that the node leaves, that it stays after all, or that it has left for
// good.

import { formatRest } from "../../core/format";
import type { IntakeContext } from "../../core/intake/draft";
import type { NodeRow } from "../../core/model/rows-node";
import type { Ms } from "../../core/units";
import type { LeavingNote } from "../../wire/agent";
import type { Draft } from "../../store/store";
import { forgetNode } from "./node-changes";

/**
 * An agent sends the time left, so a repeated deadline differs a little after the conversion. Deadlines within this
 * difference are the same.
 */
const SAME_MS = 2_000;

/**
 * Returns the leaving of a node after its agent's message. The message is null, and so is the result, for a node that
 * stays.
 */
export function leavingAfter(node: NodeRow, told: LeavingNote | null, now_ms: Ms): NodeRow["leaving"] {
  if (told === null) return null;
  const { leaving } = node;
  const deadline_ms = told.in_ms === null ? null : now_ms + told.in_ms;
  const same =
    leaving !== null &&
    leaving.why === told.why &&
    leaving.gone === told.gone &&
    (leaving.deadline_ms === null) === (deadline_ms === null) &&
    Math.abs((leaving.deadline_ms ?? 0) - (deadline_ms ?? 0)) < SAME_MS;
  return same ? leaving : { since_ms: leaving?.since_ms ?? now_ms, deadline_ms, gone: told.gone, why: told.why };
}

/** Writes an event if a node's leaving has changed. */
export function tellLeaving(draft: Draft, before: NodeRow, after: NodeRow): void {
  if (before.leaving === after.leaving) return;
  const { leaving } = after;
  const rest = leaving === null || leaving.deadline_ms === null ? null : leaving.deadline_ms - draft.now_ms;
  const until = rest === null ? "" : `, in ${formatRest(rest)}`;
  draft.event({
    verb: leaving === null ? "stays" : "leaves",
    object: after.name,
    project: null,
    node_id: after.id,
    detail: leaving === null ? "" : `${leaving.why}${until}`,
  });
}

/** Takes in a connected agent's message about leaving. */
export function takeLeaving(draft: Draft, node_id: string, told: LeavingNote | null): void {
  const node = draft.state.nodes.get(node_id);
  if (node === undefined) return;
  const row = { ...node, leaving: leavingAfter(node, told, draft.now_ms) };
  if (row.leaving === node.leaving) return;
  draft.put([{ table: "nodes", key: node_id, row }]);
  tellLeaving(draft, node, row);
}

/**
 * Forgets a node whose agent asks for it, if the node is leaving and has no tasks and no orphans. Returns whether the
 * node is forgotten.
 */
export function takeFarewell(draft: Draft, node_id: string, intake: IntakeContext): boolean {
  const node = draft.state.nodes.get(node_id);
  if (node === undefined) return true;
  const busy = node.orphans.length > 0 || draft.state.tasks.values().some((task) => task.node_id === node_id);
  if (node.leaving === null || busy) return false;
  forgetNode(draft, node, `node ${node.name}`, false, intake);
  return true;
}
