// Tasks as `orch ps` shows them.

import { formatProgress } from "../../core/format";
import { isFinal, type TaskState } from "../../core/model/lifecycle";
import { calledAs, nameFor } from "../../core/model/task";
import type { Ms } from "../../core/units";
import type { TaskView } from "../../wire/api/tasks";
import { paintState, type Style } from "./color";
import { byName, FEW, foldedName, type Folding, summary } from "./fold";
import type { Listing } from "./listing";
import type { Column } from "./table";
import { age, ages } from "./figures";

type Titled = Pick<TaskView, "name" | "project" | "app" | "workload" | "run">;

/**
 * Returns a task's title. An app of another project is written `project/app`. A run in no app has the name that it was
 * given, with the number of the member and the attempt behind it.
 */
export const taskTitle = (task: Titled, home: string | null): string =>
  task.app === null ? calledAs(task.workload, task) : nameFor(home, task.project, task.name);

/** Returns a task's title for a sentence, where no column has the number of its run: `sweep (run 12)`. */
export const fullTitle = (task: Titled): string =>
  task.app === null && task.run !== null ? `${taskTitle(task, null)} (run ${task.run})` : taskTitle(task, null);

/** Returns whether the task can have output. A rejected task never ran. */
export const hasBegun = ({ state }: Pick<TaskView, "state">): boolean =>
  state === "running" ||
  state === "stopping" ||
  (state !== "pending" && state !== "rejected" && isFinal(state as TaskState));

type Ended = Pick<TaskView, "state" | "exit_code" | "signal" | "reason">;

/** Returns why a task is in its state, for one cell: the exit code or signal of its end, and the reason. */
export function taskWhy({ state, exit_code, signal, reason }: Ended): string {
  const own = exit_code === null || exit_code === 0 ? "" : `exit ${exit_code}`;
  const code = signal === null ? own : `killed by ${signal}`;
  const said = reason ?? "";
  // A stopped task was ended by an order, so the signal is left out.
  if (state === "stopped" && said !== "") return said;
  if (code === "" || said === "" || said.includes(code)) return said || code;
  return state === "running" ? said : `${code}: ${said}`;
}

/**
 * Returns why something waits, with the command that says what would help, where no node can run it as it is. `name`:
 * how it is asked for.
 */
export const waitsWhy = (why: string, blocked: TaskView["blocked"], name: string): string =>
  blocked === "unsatisfiable" ? `${why}; what would help: orch explain ${name}` : why;

/** Returns how slots of which the same is told are asked for by somebody of project `home`. */
export const askedName = (
  { project, app, workload, run }: Pick<TaskView, "project" | "app" | "workload" | "run">,
  home: string | null,
): string => (run === null ? nameFor(home, project, `${app ?? ""}.${workload}`) : String(run));

/** Returns how many elements of an array are over, of a task its own alone; of all else nothing. */
export const elementsOver = ({ array, batch }: Pick<TaskView, "array"> & Partial<Pick<TaskView, "batch">>): string => {
  if (batch != null) return `${batch.over}/${batch.total} done${batch.failed > 0 ? `, ${batch.failed} failed` : ""}`;
  return array === null ? "" : formatProgress(array);
};

/**
 * Returns which try a task is. A job's attempts count one by one. The numbers of a service's or a daemon's attempts
 * jump, since an agent is granted some for restarts of its own, so there the crashes in a row are counted.
 */
const tries = ({ kind, attempt, crashes }: TaskView): string =>
  String(kind === "job" ? Math.max(attempt, 1) : crashes + 1);

/** Colours the state of a task. That of a batch is the state of what it was for: its elements. */
export const paintTask = (styled: Style, { state, batch }: TaskView, cell: string): string =>
  paintState(styled, state === "succeeded" && (batch?.failed ?? 0) > 0 ? "failed" : state, cell);

const ended = (task: TaskView): boolean => task.state !== "pending" && isFinal(task.state as TaskState);

/** Returns since when the task is in its state, as far as that is known. */
const since = (task: TaskView): Ms => (ended(task) ? task.finished_ms : task.started_ms) ?? task.created_ms;

/** Replicas that are in the same state on the same node, for the same reason, are one row. What waits has no id yet. */
function replicas(): Folding<TaskView> {
  const named = byName<TaskView>(({ name }) => name);
  return {
    ...named,
    series: (task) => (task.app === null ? null : `${task.project}/${named.series(task) ?? ""}`),
    least: (task) => (task.id === null ? named.least(task) : FEW),
  };
}

/** Returns what a table of tasks has beside its columns. `whole`: a row for each task. */
export const taskListing = (whole: boolean): Omit<Listing<TaskView>, "columns"> => ({
  folding: whole ? null : replicas(),
  summary: (tasks) =>
    summary(
      "tasks",
      tasks.map(({ state }) => state),
    ),
});

export function taskColumns(now_ms: Ms, home: string | null, styled: Style): Column<TaskView>[] {
  return [
    {
      title: "NAME",
      cut: "middle",
      gives: [
        [4, 40],
        [8, 24],
      ],
      cell: (task) => taskTitle(task, home),
      folded: ([first, ...others]) =>
        foldedName([taskTitle(first, home), ...others.map((other) => taskTitle(other, home))]),
    },
    { title: "RUN", align: "right", cell: ({ run }) => (run === null ? "" : String(run)) },
    // A name that was cut cannot be typed, so the id goes out last.
    { title: "ID", gives: [[9, 0]], cell: (task) => task.id?.slice(0, 10) ?? "-", folded: () => "-" },
    {
      title: "STATE",
      cell: (task) => task.state,
      folded: (tasks) => `${tasks.length} ${tasks[0].state}`,
      paint: (task, cell) => paintTask(styled, task, cell),
    },
    {
      title: "NODE",
      cut: "middle",
      gives: [
        [3, 16],
        [7, 10],
      ],
      cell: (task) => task.node ?? "-",
    },
    {
      title: "AGE",
      align: "right",
      cell: (task) => age(since(task), now_ms),
      folded: (tasks) => ages(tasks.map(since), now_ms),
    },
    { title: "TRY", align: "right", gives: [[5, 0]], cell: tries },
    {
      title: "USER",
      gives: [
        [1, 8],
        [6, 0],
      ],
      cell: (task) => task.user,
    },
    { title: "GPUS", align: "right", cell: (task) => (task.devices.length === 0 ? "" : String(task.devices.length)) },
    {
      title: "PORTS",
      gives: [[2, "below"]],
      cell: (task) =>
        Object.entries(task.ports)
          .map(([name, port]) => `${name}:${port}`)
          .join(" "),
    },
    { title: "ELEMENTS", gives: [[2, "below"]], cell: elementsOver },
    { title: "WHY", prose: true, cell: (task) => waitsWhy(taskWhy(task), task.blocked, askedName(task, home)) },
  ];
}
