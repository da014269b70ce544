// `orch rm APP`: stops everything of an app and forgets it, once all of it has ended.

import { confirm } from "../context";
import { command, flag } from "../frame/command";
import { EXIT, UsageError } from "../failure";
import { ownApp } from "../typed/names";

export const rm = command({
  operands: ["<APP...>"],
  options: {
    yes: flag("-y, --yes", "don't ask"),
    volumes: flag("--volumes", "its volumes too (not built yet)"),
  },
  examples: [
    ["orch rm recs", "asks, then stops its tasks"],
    ["orch rm search/recs --yes", "another project's, in a script"],
  ],
  async run(context, { args, flags }) {
    if (flags.volumes) throw new UsageError("--volumes: not built yet");
    const client = await context.client();
    for (const typed of args) {
      const { project: owner, app } = await ownApp(client, typed);
      if (!flags.yes) {
        const { workloads } = await client.app(owner, app);
        const running = workloads.reduce((sum, one) => sum + one.running, 0);
        const asked = `Stop ${running} running ${running === 1 ? "task" : "tasks"} of ${owner}/${app} and remove it?`;
        if (!(await confirm(context, asked))) return EXIT.failed;
      }
      await client.removeApp(owner, app);
      context.print(`removing ${owner}/${app}`);
    }
    return EXIT.done;
  },
});
