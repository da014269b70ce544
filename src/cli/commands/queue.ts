// `orch queue`: runs that wait, in the order in which they will be looked at.

import { command } from "../frame/command";
import { EXIT } from "../failure";
import { readRuns } from "../follow/pages";
import { age } from "../print/figures";

export const queue = command({
  reads: true,
  examples: [["orch queue", "what waits, and what for"]],
  async run(context, { shape }) {
    const client = await context.client();
    const { items } = await readRuns(client, {});
    // The server's order is kept, since it is the order of the plan.
    const waiting = items.filter(({ state }) => state === "queued" || state === "waiting");
    if (shape === "json") context.json({ runs: waiting });
    else if (shape === "ids") for (const { run } of waiting) context.print(String(run));
    else if (waiting.length === 0) context.note("nothing waits");
    else
      context.table(
        [
          { title: "POS", align: "right", cell: (run) => (run.position === null ? "-" : String(run.position)) },
          { title: "RUN", align: "right", cell: (run) => String(run.run) },
          { title: "NAME", cell: (run) => run.name },
          { title: "PROJECT", cell: (run) => run.project },
          { title: "USER", cell: (run) => run.user },
          { title: "PRIO", align: "right", cell: (run) => String(run.priority) },
          { title: "STATE", cell: (run) => run.state },
          { title: "AGE", align: "right", cell: (run) => age(run.created_ms, context.now()) },
          { title: "WHY", cell: (run) => run.reason ?? "" },
        ],
        waiting,
      );
    return EXIT.done;
  },
});
