// `orch ps -w`: a list that is shown again whenever it has changed. On a terminal it is drawn anew in place; elsewhere
// only what has changed is printed, since a file is not redrawn.

import { pause } from "../../os/clock";
import type { TaskView } from "../../wire/api/tasks";
import type { Context } from "../context";
import type { OutputShape } from "../frame/command";
import { table, type Column } from "../print/table";
import { taskListing } from "../print/tasks";
import { unlessAway } from "./watching";

const LOOK_MS = 1_000;

interface Shown {
  /** Returns the columns, whose ages are as of now. */
  readonly columns: () => readonly Column<TaskView>[];
  readonly shape: OutputShape;
  /** A row for each task, also for equal ones. */
  readonly whole: boolean;
}

/** Shows the tasks until the command is interrupted. While the server is away, the last ones stay. */
export async function watchTable(
  context: Context,
  read: () => Promise<readonly TaskView[]>,
  { columns, shape, whole }: Shown,
): Promise<number> {
  const { out } = context.host;
  let before = new Map<string, string>();
  let isAway = false;
  // The first look may fail as any command does.
  for (let tasks: readonly TaskView[] | null = await read(); ; tasks = await unlessAway(read)) {
    if ((tasks === null) !== isAway) {
      isAway = tasks === null;
      context.note(isAway ? "orch: lost the connection; what runs goes on. Trying again" : "orch: connected again");
    }
    if (tasks !== null) {
      if (out.tty && shape === "text") context.screen(columns(), tasks, taskListing(whole));
      const now = new Map(tasks.map((task) => [keyOf(task), JSON.stringify(task)]));
      const changed = tasks.filter((task) => before.get(keyOf(task)) !== now.get(keyOf(task)));
      if (!out.tty || shape !== "text") say(context, changed, { columns, shape, whole }, before.size === 0);
      before = now;
    }
    await out.drained();
    await pause(LOOK_MS);
  }
}

const keyOf = ({ id, name }: TaskView): string => id ?? name;

function say(context: Context, changed: readonly TaskView[], { columns, shape }: Shown, first: boolean): void {
  if (shape === "json") for (const task of changed) context.jsonLine(task);
  else if (shape === "ids") for (const task of changed) context.print(keyOf(task).slice(0, 10));
  else if (changed.length > 0) {
    const lines = table(columns(), changed, context.host.out.columns);
    for (const line of first ? lines : lines.slice(1)) context.print(line);
  }
}
