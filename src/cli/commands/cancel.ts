// `orch cancel`: ends runs, also those that only wait.

import type { RunView } from "../../wire/api/runs";
import type { Client } from "../../wire/client";
import { command, flag, text } from "../frame/command";
import { CliError, EXIT, UsageError } from "../failure";
import { readRun } from "../typed/names";
import { readRuns } from "../follow/pages";
import { complain } from "../print/complain";

export const cancel = command({
  operands: ["[RUN|NAME...]"],
  options: {
    mine: flag("--mine", "all of my runs that wait or run"),
    signal: text("--signal <S>", "with this signal instead of the job's own"),
  },
  examples: [
    ["orch cancel 123", "one run"],
    ["orch cancel sweep", "my runs of that name"],
    ["orch cancel --mine", "all of mine"],
  ],
  async run(context, { args, flags }) {
    if (args.length === 0 && !flags.mine) {
      throw new UsageError("which run?", "Name it: orch cancel 123 (see: orch queue)");
    }
    const client = await context.client();
    const mine = flags.mine || args.some(isName) ? await livingRuns(client) : [];
    const named = args.flatMap((typed) => (isName(typed) ? byName(mine, typed) : [readRunOrJob(typed)]));
    const runs = [...new Set([...named, ...(flags.mine ? mine.map(({ run }) => run) : [])])];
    let worst: number = EXIT.done;
    for (const run of runs) {
      try {
        const after = await client.cancel(run, { signal: flags.signal });
        if (after.state === "succeeded" || after.state === "failed") {
          throw new CliError(EXIT.failed, `run ${after.run} is over: ${after.state}`, "See: orch runs");
        }
        context.print(`run ${after.run}: ${after.state === "cancelled" ? "cancelled" : "cancelling"}`);
      } catch (error) {
        // A run that has ended meanwhile must not keep the others from being cancelled.
        worst = Math.max(worst, complain(error, context.host.err));
      }
    }
    if (runs.length === 0) context.note("no run of yours waits or runs");
    return worst;
  },
});

/** Neither a number nor `app.job`, whose newest run the server finds. */
const isName = (typed: string): boolean => /^[a-z][a-z0-9-]*$/.test(typed);
const readRunOrJob = (typed: string): number | string => (/^\d/.test(typed) ? readRun(typed) : typed);

const livingRuns = async (client: Client): Promise<RunView[]> =>
  (await readRuns(client, { user: (await client.me()).user })).items;

/** Returns the runs of a name. Only the caller's own runs count, since several people may use the same name. */
function byName(mine: readonly RunView[], name: string): number[] {
  const found = mine.filter((run) => run.name === name).map(({ run }) => run);
  if (found.length === 0)
    throw new CliError(EXIT.failed, `no run of yours called ${name} waits or runs`, "See: orch runs");
  return found;
}
