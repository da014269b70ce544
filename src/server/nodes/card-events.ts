// The events about cards that `orch events` shows: an agent's findings, and changes of a card's state.

import type { Device, NodeDevice } from "../../core/model/device";
import type { Notice } from "../../core/model/findings";
import type { NodeRow } from "../../core/model/rows-node";
import type { Draft } from "../../store/store";

type EventNode = Pick<NodeRow, "id" | "name">;

/** Writes an event for each finding of an agent. */
export function noteFindings(draft: Draft, node: EventNode, findings: readonly Notice[]): void {
  for (const { object, text } of findings) {
    draft.event({ verb: "finding", object: `${node.name} ${object}`, project: null, node_id: node.id, detail: text });
  }
}

/**
 * Writes an event for each card whose state changed, and for each card that is gone. A new card has an event only if
 * its state is not `ok`.
 */
export function noteDevices(
  draft: Draft,
  node: EventNode,
  before: readonly NodeDevice[],
  now: readonly Device[],
): void {
  const known = new Map(before.map((device) => [device.id, device.state]));
  const here = new Set(now.map(({ id }) => id));
  for (const { id, model, state, reason } of now) {
    if ((known.get(id) ?? "ok") === state) continue;
    const detail = state === "ok" ? `${model} can be used again` : `${model}: ${reason ?? state}`;
    draft.event({ verb: `card ${state}`, object: `${node.name} ${id}`, project: null, node_id: node.id, detail });
  }
  for (const { id, model } of before) {
    if (here.has(id)) continue;
    draft.event({
      verb: "card forgotten",
      object: `${node.name} ${id}`,
      project: null,
      node_id: node.id,
      detail: model,
    });
  }
}
