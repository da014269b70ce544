// `orch retry` and `orch settle`: the two answers to a run that waits for a person, since nobody knows how it ended.

import type { RunView } from "../../wire/api/runs";
import { command, word } from "../frame/command";
import { EXIT, UsageError } from "../failure";
import { complain } from "../print/complain";
import type { Context } from "../context";

const NOTES =
  "A task began, and its node cannot tell how it ended: its keeper was killed, or its files were lost. Its work may\n" +
  "be done, so it does not run again by itself (on_unknown_end: ask). orch explain RUN says what is known.";

export const retry = command({
  operands: ["<RUN...>"],
  examples: [["orch retry 123", "another attempt"]],
  notes: NOTES,
  run: async (context, { args }) => {
    const client = await context.client();
    return each(context, args, async (run) => client.retry(run), "runs again");
  },
});

export const settle = command({
  operands: ["<RUN...>"],
  options: { as: word("--as <END>", "how it ended", ["succeeded", "failed"]) },
  examples: [
    ["orch settle 123 --as succeeded", "its work is done; what comes after it begins"],
    ["orch settle 123 --as failed", "it is over"],
  ],
  notes: NOTES,
  async run(context, { args, flags: { as } }) {
    if (as === null) throw new UsageError("how did it end?", "Say it: orch settle RUN --as succeeded (or failed)");
    const client = await context.client();
    return each(context, args, async (run) => client.settle(run, { as }), `counts as ${as}`);
  },
});

/** Asks for every run. A run that asks nothing must not keep the others from their answer. */
async function each(
  { print, host }: Context,
  args: readonly string[],
  ask: (run: string) => Promise<RunView>,
  said: string,
): Promise<number> {
  let worst: number = EXIT.done;
  for (const run of args) {
    try {
      print(`run ${(await ask(run)).run}: ${said}`);
    } catch (error) {
      worst = Math.max(worst, complain(error, host.err));
    }
  }
  return worst;
}
