// `orch restart APP.WORKLOAD`: a new version with the same spec, so that every task is replaced.

import { command } from "../frame/command";
import { EXIT } from "../failure";
import { readWorkload } from "../typed/names";

export const restart = command({
  operands: ["<APP.WORKLOAD...>"],
  examples: [["orch restart recs.api", "replaces its tasks as a new version would"]],
  async run(context, { args }) {
    const asked = args.map((typed) => ({ typed, ...readWorkload(typed) }));
    const client = await context.client();
    for (const { typed, project, app, workload } of asked) {
      await client.restart(project ?? (await client.me()).project, app, workload);
      context.print(`${typed}: restarting`);
    }
    return EXIT.done;
  },
});
