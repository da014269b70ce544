// Tasks of a node that no server knows: what operators decide about one.

import { doneAnswer } from "../../wire/api/answers";
import { requireNode } from "../work/resolve";
import { adoptOrphan, requireOrphan, stopOrphan } from "../nodes/orphans";
import { route } from "./route";

export const ORPHAN_ROUTES = [
  route({
    method: "POST",
    path: "/v1/nodes/{node}/orphans/{uid}/stop",
    answer: doneAnswer,
    summary: "Stops a task that no server knows",
    handle: ({ params, who, commit }) =>
      commit((draft) => {
        const node = requireNode(draft.state, params.node);
        stopOrphan(draft, node, requireOrphan(node, params.uid), who.name);
        return { revision: draft.revision };
      }),
  }),
  route({
    method: "POST",
    path: "/v1/nodes/{node}/orphans/{uid}/adopt",
    answer: doneAnswer,
    summary: "Takes a task that no server knows in as the replica that its name says",
    handle: ({ params, commit }) =>
      commit((draft) => {
        const node = requireNode(draft.state, params.node);
        adoptOrphan(draft, node, requireOrphan(node, params.uid));
        return { revision: draft.revision };
      }),
  }),
];
