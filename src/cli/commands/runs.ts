// `orch runs`: executions of jobs, newest first.

import { readDuration } from "../../spec/grammar/units";
import type { RunView } from "../../wire/api/runs";
import { RUN, type RunState } from "../../core/model/lifecycle";
import { statesOfSlurm } from "../instead/slurm-lists";
import { command, flag, reading, text, whole, word } from "../frame/command";
import { userNamed } from "../typed/names";
import { EXIT } from "../failure";
import { MOST_SHOWN, readRuns } from "../follow/pages";
import { summary } from "../print/fold";
import { runColumns } from "../print/runs";

const STATES = Object.keys(RUN) as RunState[];

export const runs = command({
  reads: true,
  options: {
    mine: flag("--mine", "only my own"),
    user: text("--user <NAME>", "only those of one person"),
    state: word("--state <STATE>", "only those in one state", STATES),
    since: reading("--since <DURATION>", "only so far back", readDuration),
    limit: whole("-n, --limit <N>", "at most so many (50; with --since all)", 1),
  },
  examples: [
    ["orch runs --mine", "my runs"],
    ["orch runs --state failed --user alice", "what failed of hers"],
    ["orch runs --since 1d --json", "for a script"],
  ],
  misread: { "--state": statesOfSlurm(STATES) },
  async run(context, { flags, shape }) {
    const client = await context.client();
    const user = flags.mine ? (await client.me()).user : await userNamed(client, flags.user);
    const query = {
      all: true,
      ...(user === null ? {} : { user }),
      ...(flags.since === null ? {} : { since_ms: (await context.serverNow()) - flags.since }),
    };
    const most = flags.limit ?? (flags.since === null ? 50 : MOST_SHOWN);
    const wanted = ({ state }: RunView): boolean => flags.state === null || state === flags.state;
    const { items, next } = await readRuns(client, query, { most }, wanted);
    if (shape === "json") context.json({ runs: items, next });
    else if (shape === "ids") for (const { run } of items) context.print(String(run));
    else if (items.length === 0) context.note("no runs");
    else {
      const noun = next === null ? "runs" : "newest runs (-n N shows more)";
      const states = (): string[] => items.map(({ state }) => state);
      context.table(runColumns(context.now(), context.style), items, { summary: () => summary(noun, states()) });
    }
    return EXIT.done;
  },
});
