// One act of somebody: a transaction of the real server. Its answer is remembered, since it must hold from then on.

import { RefusedError } from "../../src/server/refused";
import type { Draft } from "../../src/store/store";
import type { Ack, World } from "./world";

/** Sends one change. A request whose server dies before the answer is not repeated here (see `twice`). */
export function send<T>(
  world: World,
  what: string,
  transact: (draft: Draft) => T,
  holds: (value: T) => Ack["holds"],
  then: (value: T) => void = () => undefined,
): void {
  const { server } = world;
  if (server === null || server.owner.state === "dead") return;
  const key = world.dice.people.chance(0.3) ? world.dice.people.hex(16) : null;
  let first: string | null = null;
  const ask = (again: boolean): void =>
    world.host.enter(server.owner, () => {
      const { timeline } = server.store.state.cluster;
      const idempotency = key === null ? undefined : { principal: "alice", key, request_hash: what };
      server.store.commit("alice", transact, idempotency).then(
        ({ value, revision }) => {
          world.trace.note(`answered: ${what}`);
          const answer = JSON.stringify(value) ?? "";
          if (first !== null && first !== answer)
            world.serverWorld.failed(`I2: one effect a key: ${what}: ${first}, ${answer}`);
          first = answer;
          world.acks.push({ what, timeline, revision, holds: holds(value) });
          if (!again && key !== null) ask(true);
          else then(value);
        },
        (error: unknown) => {
          if (!(error instanceof RefusedError)) throw error;
          world.trace.note(`refused: ${what}: ${error.message}`);
        },
      );
    });
  ask(false);
}
