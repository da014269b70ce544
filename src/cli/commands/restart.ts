// `orch restart APP.WORKLOAD`: a new version with the same spec, so that every task is replaced.

import { command } from "../frame/command";
import { EXIT } from "../failure";
import { ownWorkload } from "../typed/names";

export const restart = command({
  operands: ["<APP.WORKLOAD...>"],
  examples: [["orch restart recs.api", "replaces its tasks as a new version would"]],
  async run(context, { args }) {
    const client = await context.client();
    for (const typed of args) {
      const { project, app, workload } = await ownWorkload(client, typed);
      await client.restart(project, app, workload);
      context.print(`${typed}: restarting`);
    }
    return EXIT.done;
  },
});
