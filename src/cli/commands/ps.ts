// `orch ps`: tasks, and slots that wait to become one.

import { command, flag } from "../frame/command";
import { EXIT } from "../failure";
import { readApp } from "../typed/names";
import { MOST_SHOWN, readTasks } from "../follow/pages";
import { taskColumns } from "../print/tasks";

export const ps = command({
  reads: true,
  operands: ["[APP]"],
  options: { all: flag("-a, --all", "finished ones too") },
  examples: [
    ["orch ps", "what lives, and what waits"],
    ["orch ps recs --all", "one app, with what has ended"],
  ],
  async run(context, { args: [typed], flags, shape }) {
    const client = await context.client();
    const app = typed === undefined ? null : readApp(typed);
    const name = app === null ? undefined : app.project === null ? app.app : `${app.project}/${app.app}`;
    const query = { all: flags.all, ...(name === undefined ? {} : { app: name }) };
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
