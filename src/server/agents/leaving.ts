// Handles an agent's messages about its node's leaving: the node is about to leave, stays after all, or has left.

import type { ToServer } from "../../wire/agent";
import { takeFarewell, takeLeaving } from "../nodes/leaving";
import { intakeContext } from "../nodes/intake-context";
import { byNode } from "./events";
import { type Handlers, inTurn, whileLive } from "./handlers";
import { actorOf, FORGOTTEN, type Hub, refuse, send, type Session, stamp } from "./hub";

type Leaving = Extract<ToServer, { type: "leaving" }>;
type Farewell = Extract<ToServer, { type: "farewell" }>;

export const LEAVING: Handlers<"leaving" | "farewell"> = {
  leaving: inTurn(whileLive(noteLeaving)),
  farewell: inTurn(whileLive(letGo)),
};

async function noteLeaving(hub: Hub, session: Session, { leaving }: Leaving, node_id: string): Promise<void> {
  await hub.store.commit(actorOf(hub, node_id), (draft) => {
    if (hub.live.get(node_id) === session) takeLeaving(byNode(hub, node_id, draft), node_id, leaving);
  });
  send(session, { type: "noted", stamp: stamp(hub, session), leaving: leaving !== null });
}

async function letGo(hub: Hub, session: Session, _farewell: Farewell, node_id: string): Promise<void> {
  const { value: gone } = await hub.store.commit(actorOf(hub, node_id), (draft) =>
    takeFarewell(draft, node_id, intakeContext(hub, draft)),
  );
  if (gone) refuse(session, FORGOTTEN);
}
