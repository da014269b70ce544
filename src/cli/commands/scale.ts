// `orch scale APP.WORKLOAD=N`: another number of replicas, until the next apply.

import { command } from "../frame/command";
import { EXIT, UsageError } from "../failure";
import { goingLines } from "../print/plan";
import { ownWorkload } from "../typed/names";

export const scale = command({
  operands: ["<APP.WORKLOAD=N...>"],
  examples: [["orch scale recs.api=5", "lasts until the next apply, whose plan shows the difference"]],
  async run(context, { args }) {
    const asked = args.map((typed) => {
      const [, name = "", count = ""] = /^([^=]+)=(\d{1,6})$/.exec(typed) ?? [];
      if (count === "") throw new UsageError(`${typed}: not APP.WORKLOAD=N`, "Write it like recs.api=5");
      return { typed: name, replicas: Number(count) };
    });
    const client = await context.client();
    for (const { typed, replicas } of asked) {
      const { project, app, workload } = await ownWorkload(client, typed);
      const { goes } = await client.scale(project, app, workload, replicas);
      context.print(`${typed}: ${replicas} ${replicas === 1 ? "replica" : "replicas"}`);
      for (const line of goingLines(goes, context.host.out.columns)) context.print(line);
    }
    return EXIT.done;
  },
});
