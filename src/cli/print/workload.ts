// A workload and an app as `orch show` prints them: what was asked for in the words of the spec file, then the tasks.

import type { Settings, TaskSpec } from "../../core/model/workload";
import { formatAge } from "../../core/format";
import { type Facts, settingsFacts, taskFacts } from "../../spec/facts";
import type { AppDetail, WorkloadDetail } from "../../wire/api/apps";
import { block } from "./block";
import { lasted, timestamp } from "./figures";
import { listing, type Listing } from "./listing";
import type { TaskView } from "../../wire/api/tasks";
import type { Style } from "./color";
import { attemptColumns, variablesOf, type Print } from "./run";
import { runWhy } from "./runs";
import { table, type Column } from "./table";
import { taskColumns, taskListing } from "./tasks";

export function workloadLines(workload: WorkloadDetail, { now_ms, style, width }: Print): string[] {
  const { app, name, project, user, kind, version, removing, tasks } = workload;
  const spec = workload.spec as TaskSpec | null;
  const asked = spec === null ? [] : othersThanEnv(taskFacts(spec));
  const settings = settingsFacts(workload.settings as unknown as Settings, kind);
  const lines = block(
    {
      [kind]: `${app}.${name}`,
      version: `${version} (of its spec)`,
      user: `${user}, project ${project}`,
      removing: removing ? "it goes when its last task is over" : null,
      tasks: `${workload.running} running, ${workload.pending} pending`,
      last_run: sayLastRun(workload, now_ms),
    },
    style,
    width,
  );
  const environment = variablesOf(workload);
  const says = block({ spec: Object.fromEntries([...asked, ...settings]), environment }, style, width);
  lines.push("", ...says);
  const shown = kind === "job" ? { columns: jobColumns(now_ms, style) } : taskTable(now_ms, project, style);
  if (tasks.length > 0) lines.push("", ...listing(shown, tasks, width, style));
  return lines;
}

const taskTable = (now_ms: number, project: string, style: Style): Listing<TaskView> => ({
  columns: taskColumns(now_ms, project, style),
  ...taskListing(false),
});

const jobColumns = (now_ms: number, style: Style): Column<TaskView>[] => [
  { title: "RUN", align: "right", cell: ({ run }) => (run === null ? "" : String(run)) },
  ...attemptColumns(now_ms, style),
];

/** Words a job's last run: `7, failed: exit 5; 2 attempts, took 4s, 3m ago`. */
function sayLastRun({ last_run, newest_run, tasks }: WorkloadDetail, now_ms: number): string | null {
  if (newest_run === null) return last_run === null ? null : `${last_run.run}, ${last_run.state}`;
  const { run, state, started_ms, finished_ms } = newest_run;
  const why = runWhy(newest_run);
  const attempts = Math.max(0, ...tasks.map((task) => (task.run === run && task.id !== null ? task.attempt : 0)));
  const facts = [
    attempts === 0 ? null : attempts === 1 ? "1 attempt" : `${attempts} attempts`,
    started_ms === null ? null : `took ${lasted((finished_ms ?? now_ms) - started_ms)}`,
    finished_ms === null ? null : `${formatAge(now_ms - finished_ms)} ago`,
  ].filter((fact) => fact !== null);
  return [`${run}, ${state}${why === "" ? "" : `: ${why}`}`, facts.join(", ")].filter((part) => part !== "").join("; ");
}

/** A server of an earlier release tells the variables in the spec, with their values. */
const othersThanEnv = (facts: Facts): [string, unknown][] => [...facts].filter(([key]) => !key.startsWith("env."));

export function appLines(app: AppDetail, { style, width }: Print): string[] {
  const { name, project, revision, changed_by, changed_ms, removing, workloads, text } = app;
  const lines = block(
    {
      app: name,
      project,
      revision: `${revision} (rises with each change of the app)`,
      changed: `${timestamp(changed_ms)} by ${changed_by}`,
      removing: removing ? "it goes when its last task is over" : null,
    },
    style,
    width,
  );
  const columns = [
    { title: "WORKLOAD", cut: "middle" as const, cell: (one: Workload) => one.name },
    { title: "KIND", cell: (one: Workload) => one.kind },
    { title: "VERSION", align: "right" as const, cell: (one: Workload) => String(one.version) },
    { title: "RUNNING", align: "right" as const, cell: (one: Workload) => String(one.running) },
    { title: "PENDING", align: "right" as const, cell: (one: Workload) => String(one.pending) },
    {
      title: "LAST RUN",
      cell: ({ last_run }: Workload) => (last_run === null ? "" : `${last_run.run}, ${last_run.state}`),
    },
  ];
  if (workloads.length > 0) lines.push("", ...table(columns, workloads, width));
  if (text !== null) lines.push("", ...block({ text }, style, width));
  return lines;
}

type Workload = AppDetail["workloads"][number];
