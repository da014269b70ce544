// `orch cancel`: ends runs, also those that only wait.

import { command, flag, text } from "../command";
import { EXIT, UsageError } from "../failure";
import { readRun } from "../names";
import { complain } from "../print/complain";

export const cancel = command({
  operands: ["[RUN...]"],
  options: {
    mine: flag("--mine", "all of my runs that wait or run"),
    signal: text("--signal <S>", "with this signal instead of the job's own"),
  },
  examples: [
    ["orch cancel 123", "one run"],
    ["orch cancel --mine", "all of mine"],
  ],
  async run(context, { args, flags }) {
    if (args.length === 0 && !flags.mine) {
      throw new UsageError("which run?", "Name it: orch cancel 123 (see: orch queue)");
    }
    const client = await context.client();
    const named = args.map((typed) => (/^\d/.test(typed) ? readRun(typed) : typed));
    const mine = flags.mine ? (await client.runs({ user: (await client.me()).user, limit: 1000 })).runs : [];
    const runs = [...new Set([...named, ...mine.map(({ run }) => run)])];
    let worst: number = EXIT.done;
    for (const run of runs) {
      try {
        const after = await client.cancel(run, { signal: flags.signal });
        context.print(`run ${after.run}: ${after.state === "cancelled" ? "cancelled" : "cancelling"}`);
      } catch (error) {
        // One that has ended meanwhile must not keep the others from being cancelled.
        worst = Math.max(worst, complain(error, context.host.err));
      }
    }
    if (runs.length === 0) context.note("no run of yours waits or runs");
    return worst;
  },
});
