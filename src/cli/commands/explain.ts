// `orch explain`: why something is where it is, or why it waits, node by node.

import { command } from "../frame/command";
import { EXIT } from "../failure";
import { allBlockedLines, placedLines } from "../print/explain";
import { restOfArray } from "../print/elements";
import { fullTitle } from "../print/tasks";
import { wrap } from "../print/wrap";
import { ONLY_ITS_NODE } from "../../core/why/over";
import { WITH_TASKS } from "../typed/names";

export const explain = command({
  reads: true,
  operands: ["<TASK|WORKLOAD|RUN>"],
  examples: [
    ["orch explain recs.api.2", "each node with each failed check"],
    ["orch explain 123", "of a run, and how many elements of an array wait for what"],
    ["orch explain 123_7", "of one element of an array"],
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
        const { kind, array, task_id } = await client.name(ref, { kinds: WITH_TASKS });
        const isElement = array && kind === "task" && task_id === null;
        const title = isElement ? `${ref}: its batch, ${fullTitle(task)},` : fullTitle(task);
        const said = isElement ? [task.reason, ONLY_ITS_NODE].filter((one) => one !== null).join("; ") : task.reason;
        for (const line of placedLines(title, view.placed, said, columns)) context.print(line);
        if (array && !isElement && task.run !== null) {
          const line = restOfArray(await client.runInfo(task.run));
          if (line !== null) for (const one of wrap(line, columns)) context.print(one);
        }
      }
    } else if (shape === "ids") for (const { node } of view.nodes) context.print(node);
    else {
      const lines = allBlockedLines([view, ...view.others], context.style, context.host.out.columns);
      for (const line of lines) context.print(line);
    }
    return EXIT.done;
  },
});
