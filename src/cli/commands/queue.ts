// `orch queue`: what waits: slots of services and daemons, then runs in the order in which they will be looked at.

import { command, flag, text } from "../frame/command";
import { EXIT } from "../failure";
import type { RunView } from "../../wire/api/runs";
import { readRuns, readTasks } from "../follow/pages";
import { userNamed } from "../typed/names";
import { queueColumns, queued, queueListing } from "../print/runs";

export const queue = command({
  reads: true,
  options: {
    all: flag("-a, --all", "a line for each slot, also for equal ones"),
    mine: flag("--mine", "only my own"),
    user: text("--user <NAME>", "only those of one person"),
  },
  examples: [
    ["orch queue", "what waits, and what for"],
    ["orch queue --mine", "what of mine waits; the place in the order counts all"],
  ],
  async run(context, { flags, shape }) {
    const client = await context.client();
    const [{ items }, pending] = await Promise.all([readRuns(client, {}), readTasks(client, { pending: true })]);
    const me = await client.me();
    const user = flags.mine ? me.user : await userNamed(client, flags.user);
    const wanted = (one: { readonly user: string | null }): boolean => user === null || one.user === user;
    // The server's order is kept, since it is the order of the plan.
    const waiting = items.filter((run) => isWaiting(run) && wanted(run));
    const slots = pending.items.filter((slot) => slot.kind !== "job" && wanted(slot));
    if (shape === "json") context.json({ runs: waiting, slots });
    else if (shape === "ids") for (const { run } of waiting) context.print(String(run));
    else if (waiting.length + slots.length === 0) context.note("nothing waits");
    else context.table(queueColumns(context.now()), queued(waiting, slots, me.project), queueListing(flags.all));
    return EXIT.done;
  },
});

const isWaiting = ({ state }: RunView): boolean => state === "queued" || state === "waiting";
