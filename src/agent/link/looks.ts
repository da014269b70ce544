// Answers the server's questions whether this node has what work needs: each answer goes as soon as it is known, with
// those of the same moment. A look that hangs holds up no other message.

import { HOUSE_LIMITS } from "../../core/limits";
import type { Need, Presence } from "../../core/pass/presence";
import type { ServerLink, ServerHandlers, Message } from "./link";

export const LOOKS: ServerHandlers<"look"> = { look: takeLook };

function takeLook(link: ServerLink, { needs }: Message<"look">): void {
  const { looker, say } = link.options;
  if (looker === null) return;
  const known: (Need & { readonly state: Presence })[] = [];
  const answer = (need: Need, state: Presence): void => {
    if (known.push({ ...need, state }) > 1) return;
    setImmediate(() => {
      while (known.length > 0 && link.phase === "live") {
        link.send({ type: "presence", answers: known.splice(0, HOUSE_LIMITS.message_needs) });
      }
      known.length = 0;
    });
  };
  for (const need of needs) {
    looker
      .look(need)
      .then((state) => answer(need, state))
      .catch((error: unknown) => say(`it could not be looked for ${need.path ?? need.account}: ${String(error)}`));
  }
}
