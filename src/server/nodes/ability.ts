// Events about what a node's agent can not do: a full disk that was full for a minute is known afterwards.

import type { NodeRow } from "../../core/model/rows-node";
import type { Draft } from "../../store/store";

/**
 * Writes an event when a node's agent can begin no task any more, for another reason than before, or again, and when a
 * keeper hangs or answers again.
 */
export function noteAbility(draft: Draft, before: NodeRow, after: NodeRow): void {
  const [hung, hangs] = [before.facts.silent ?? null, after.facts.silent ?? null];
  if (hung !== hangs) {
    draft.event({
      verb: hangs === null ? "answers again" : "hangs",
      object: after.name,
      project: null,
      node_id: after.id,
      detail: hangs ?? `${hung} no more`,
    });
  }
  const [was, now] = [before.facts.unable ?? null, after.facts.unable ?? null];
  if (was === now) return;
  draft.event({
    verb: now === null ? "able again" : "unable",
    object: after.name,
    project: null,
    node_id: after.id,
    detail: now === null ? `${was} no more` : `takes no tasks: ${now}`,
  });
}
