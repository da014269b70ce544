// `orch retry` and `orch settle`: the two answers to a run that waits for a person, since nobody knows how it ended.
// `orch retry` also runs an ended run again, as another run.

import { command, word } from "../frame/command";
import { EXIT, UsageError } from "../failure";
import { complain } from "../print/complain";
import type { Context } from "../context";

const ASKED =
  "A task began, and its node cannot tell how it ended: its keeper was killed, or its files were lost. Its work may\n" +
  "be done, so it does not run again by itself (on_unknown_end: ask). orch explain RUN says what is known.";

export const retry = command({
  operands: ["<RUN...>"],
  examples: [
    ["orch retry 123", "a run that has ended: another one, as it was; one that asks: another attempt"],
    ["orch retry 124", "of an array all elements run again; docs/arrays.md says how to run the failed ones"],
  ],
  notes:
    "A run that has ended stays as it is, and another one is made of the same command, requests, directory,\n" +
    "variables and standard input; its number is printed. It is refused where that cannot be the same any more, as\n" +
    `when the standard input is no longer kept.\n\n${ASKED}`,
  run: async (context, { args }) => {
    const client = await context.client();
    return each(context, args, async (ref) => {
      const { run, retry_of } = await client.retry(ref);
      return retry_of === null ? `run ${run}: runs again` : `run ${run}: run ${retry_of} again`;
    });
  },
});

export const settle = command({
  operands: ["<RUN...>"],
  options: { as: word("--as <END>", "how it ended", ["succeeded", "failed"]) },
  examples: [
    ["orch settle 123 --as succeeded", "its work is done; what comes after it begins"],
    ["orch settle 123 --as failed", "it is over"],
  ],
  notes: ASKED,
  async run(context, { args, flags: { as } }) {
    if (as === null) throw new UsageError("how did it end?", "Say it: orch settle RUN --as succeeded (or failed)");
    const client = await context.client();
    return each(context, args, async (ref) => `run ${(await client.settle(ref, { as })).run}: counts as ${as}`);
  },
});

/** Asks for every run. A run that asks nothing must not keep the others from their answer. */
async function each(
  { print, host }: Context,
  args: readonly string[],
  ask: (ref: string) => Promise<string>,
): Promise<number> {
  let worst: number = EXIT.done;
  for (const ref of args) {
    try {
      print(await ask(ref));
    } catch (error) {
      worst = Math.max(worst, complain(error, host.err));
    }
  }
  return worst;
}
