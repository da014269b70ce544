// `orch ps`: tasks, and slots that wait to become one.

import type { TaskView } from "../../wire/api/tasks";
import { command, flag, text } from "../frame/command";
import type { Client } from "../../wire/client";
import { userNamed } from "../typed/names";
import { EXIT } from "../failure";
import { clean } from "../print/clean";
import { MOST_SHOWN, readTasks, type Paged } from "../follow/pages";
import { watchTable } from "../follow/table-watch";
import type { Column } from "../print/table";
import { taskColumns, taskListing } from "../print/tasks";

export const ps = command({
  reads: true,
  operands: ["[APP|WORKLOAD|RUN|NODE]"],
  options: {
    all: flag("-a, --all", "finished ones too, and a line for each of them"),
    mine: flag("--mine", "only my own"),
    user: text("--user <NAME>", "only those of one person"),
    node: text("--node <NODE>", "only those on one node"),
    watch: flag("-w, --watch", "go on: show them again whenever they change"),
  },
  examples: [
    ["orch ps", "what lives, and what waits"],
    ["orch ps recs --all", "one app, with what has ended"],
    ["orch ps box1", "what a node has"],
    ["orch ps --mine --node box1 -w", "mine on one machine, as they change"],
  ],
  async run(context, { args: [typed], flags, shape }) {
    const client = await context.client();
    const query = { all: flags.all, ...(typed === undefined ? {} : { of: typed }) };
    const me = shape === "text" || flags.mine ? await client.me() : null;
    const user = flags.mine ? (me?.user ?? null) : await userNamed(client, flags.user);
    const node = flags.node === null ? null : (await client.node(flags.node)).name;
    const wanted = (task: TaskView): boolean =>
      (user === null || task.user === user) && (node === null || task.node === node);
    const read = (): Promise<Paged<TaskView>> => readTasks(client, query, { most: MOST_SHOWN }, wanted);
    const columns = (): Column<TaskView>[] => taskColumns(context.now(), me?.project ?? null, context.style);
    if (flags.watch) return watchTable(context, async () => (await read()).items, { columns, shape, whole: flags.all });
    const { items, next } = await read();
    if (shape === "json") context.json({ tasks: items, next });
    else if (shape === "ids") for (const task of items) context.print(task.id?.slice(0, 10) ?? task.name);
    else if (items.length === 0) context.note(await noTasks(client, typed, flags));
    else context.table(columns(), items, taskListing(flags.all));
    return EXIT.done;
  },
});

interface Filter {
  readonly all: boolean;
  readonly mine: boolean;
  readonly user: string | null;
  readonly node: string | null;
}

/** Says that nothing fits, and how what is over is asked for with the same words. That is not listed by node. */
async function noTasks(client: Client, typed: string | undefined, { all, mine, user, node }: Filter): Promise<string> {
  const owner = mine ? " --mine" : user === null ? "" : ` --user ${user}`;
  const at = `${owner}${node === null ? "" : ` --node ${node}`}`;
  const isNode = typed !== undefined && (await client.name(typed)).kind === "node";
  const what = typed === undefined ? "no tasks" : `no tasks ${isNode ? "on" : "of"} ${typed}`;
  const which = `${what}${at === "" ? "" : ` with${at}`}`;
  return clean(
    all || isNode ? which : `${which} (finished ones: orch ps${typed === undefined ? "" : ` ${typed}`}${at} --all)`,
  );
}
