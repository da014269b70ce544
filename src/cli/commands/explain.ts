// `orch explain`: why something is where it is, or why it waits, node by node.

import { command } from "../frame/command";
import { EXIT } from "../failure";
import { allBlockedLines, placedLines } from "../print/explain";
import { fullTitle } from "../print/tasks";

export const explain = command({
  reads: true,
  operands: ["<TASK|WORKLOAD|RUN>"],
  examples: [
    ["orch explain recs.api.2", "each node with each failed check"],
    ["orch explain 123", "of a run"],
  ],
  async run(context, { args: [ref = ""], shape }) {
    const client = await context.client();
    const view = await client.explain(ref);
    if (shape === "json") context.json(view);
    else if ("placed" in view) {
      if (shape === "ids") context.print(view.placed.node);
      else {
        const task = await client.task(view.placed.task_id ?? ref);
        const { columns } = context.host.out;
        for (const line of placedLines(fullTitle(task), view.placed, task.reason, columns)) context.print(line);
      }
    } else if (shape === "ids") for (const { node } of view.nodes) context.print(node);
    else {
      const lines = allBlockedLines([view, ...view.others], context.style, context.host.out.columns);
      for (const line of lines) context.print(line);
    }
    return EXIT.done;
  },
});
