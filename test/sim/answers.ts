// What people say to runs whose end nobody knows: try it again, or it is over.

import type { RunRow, Settled } from "../../src/core/model/rows-work";
import { askedOf, settleRun } from "../../src/server/work/settle";
import { send } from "./asking";
import type { World } from "./world";

/** Returns the runs that wait for a person. */
export const asking = ({ database: { state } }: World): RunRow[] =>
  [...state.runs.values()].filter((run) => askedOf(state, run).length > 0);

/** Acts out `orch retry RUN` or `orch settle RUN --as …`. */
export function answer(world: World, { uid, run }: RunRow): void {
  const as: Settled["as"] = world.dice.people.pick(["again", "again", "succeeded", "failed"] as const);
  send(
    world,
    `run ${run} ${as}`,
    (draft) => {
      const row = draft.state.runs.get(uid);
      if (row === undefined) return;
      settleRun(draft, row, as, "alice");
      if (as === "again") world.retried.add(uid);
      if (as === "succeeded") world.declared.add(uid);
    },
    () => () => true,
  );
}
