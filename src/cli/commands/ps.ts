// `orch ps`: tasks, and slots that wait to become one.

import { command, flag } from "../frame/command";
import { EXIT } from "../failure";
import { MOST_SHOWN, readTasks } from "../follow/pages";
import { taskColumns } from "../print/tasks";

export const ps = command({
  reads: true,
  operands: ["[APP|WORKLOAD|RUN|NODE]"],
  options: { all: flag("-a, --all", "finished ones too") },
  examples: [
    ["orch ps", "what lives, and what waits"],
    ["orch ps recs --all", "one app, with what has ended"],
    ["orch ps box1", "what a node has"],
  ],
  async run(context, { args: [typed], flags, shape }) {
    const client = await context.client();
    const query = { all: flags.all, ...(typed === undefined ? {} : { of: typed }) };
    const [{ items, next }, me] = await Promise.all([
      readTasks(client, query, { most: MOST_SHOWN }),
      shape === "text" ? client.me() : null,
    ]);
    if (shape === "json") context.json({ tasks: items, next });
    else if (shape === "ids") for (const task of items) context.print(task.id?.slice(0, 10) ?? task.name);
    else if (items.length === 0) context.note(flags.all ? "no tasks" : "no tasks (finished ones: orch ps --all)");
    else context.table(taskColumns(context.now(), me?.project ?? null, context.style), items);
    return EXIT.done;
  },
});
