// The tasks that `orch logs` shows: one task, the newest attempts of a workload or run, or the caller's last run.

import { compareText } from "../../core/canonical";
import type { RunView } from "../../wire/api/runs";
import type { TaskView } from "../../wire/api/tasks";
import type { NameKind, NameView } from "../../wire/api/names";
import type { Client } from "../../wire/client";
import { CliError, EXIT } from "../failure";
import { WITH_TASKS } from "../typed/names";
import { hasBegun } from "../print/tasks";
import type { ElementName } from "./element";
import { readRun, readTasks } from "./pages";

export interface LogTarget {
  /** Null for a slot that has no task yet. */
  readonly id: string | null;
  readonly name: string;
}

export interface Targets {
  /**
   * `one`: a single task. `run`: a run with its attempts. `array`: one as a whole, of which only the progress is told.
   * `many`: the tasks of a workload or app, which may change.
   */
  readonly kind: "one" | "run" | "array" | "many";
  /** The element of an array that is the single task. */
  readonly element?: ElementName;
  readonly run: number | null;
  readonly tasks: readonly LogTarget[];
  /** Which of several runs is shown, and how to see another one; null where there is one only. */
  readonly note: string | null;
  /** With what the names of all these tasks begin, as `recs.api.`: those of an app or a workload. */
  readonly shared: string;
  /** Returns whether a later task belongs to the targets, such as a workload's next attempt. */
  readonly accepts: (task: TaskView) => boolean;
}

const none = (): boolean => false;
const one = (task: LogTarget): Targets => ({
  kind: "one",
  run: null,
  tasks: [task],
  note: null,
  shared: "",
  accepts: none,
});

/** The kinds whose tasks have output. */
const WITH_LOGS: readonly NameKind[] = [...WITH_TASKS, "app"];

/** `isWhole`: an array may be meant as a whole, to be followed to its end, or for the names of its elements. */
export async function logTargets(
  client: Client,
  typed: string | undefined,
  { attempt, isWhole }: { readonly attempt: number | null; readonly isWhole: boolean },
): Promise<Targets> {
  if (typed === undefined) {
    const last = await lastRun(client);
    if (last.array !== null) return ofArray(last.run, isWhole);
    return runTargets(client, last.run, attempt);
  }
  const found = await client.name(typed, { kinds: WITH_LOGS });
  const isElement = found.array && found.kind === "task" && found.task_id === null;
  if (isElement) {
    const { name, run, slot } = found;
    const named = one({ id: name, name });
    return run === null || slot === null ? named : { ...named, element: { name, run, slot } };
  }
  if (found.array && found.run !== null) return ofArray(found.run, isWhole && found.kind !== "task");
  switch (found.kind) {
    case "run": {
      const run = found.run ?? 0;
      const others = /^\d+$/.test(typed) ? [] : await othersCalled(client, typed, found);
      return { ...(await runTargets(client, run, attempt)), note: choiceOf(run, typed, others) };
    }
    case "app":
    case "workload": {
      const { app, workload } = found;
      const all = (await readTasks(client, { app: `${found.project}/${app}`, all: true })).items;
      const isOwn = (task: TaskView): boolean =>
        task.app === app &&
        task.project === found.project &&
        (workload === null || task.workload === workload) &&
        task.elements === null;
      const own = all.filter(isOwn);
      const runs = [...new Set(own.map((task) => task.run))].filter((run) => run !== null).sort((a, b) => b - a);
      const [run, ...others] = workload === null ? [] : runs;
      const note = run === undefined ? null : choiceOf(run, typed, others);
      const shared = workload === null ? `${app}.` : `${app}.${workload}.`;
      return { kind: "many", run: null, tasks: newestTasks(own, attempt), note, shared, accepts: isOwn };
    }
    default: {
      // The server finds an earlier attempt by the slot's name and the attempt's number, also long after its end.
      if (attempt !== null) return one({ id: typed, name: `${typed}#${attempt}` });
      return one(targetOf(await withOutput(client, await client.task(found.name))));
    }
  }
}

async function runTargets(client: Client, run: number, attempt: number | null): Promise<Targets> {
  const { tasks } = await readRun(client, run);
  return { kind: "run", run, tasks: newestTasks(tasks, attempt), note: null, shared: "", accepts: none };
}

const RUNS_LOOKED_AT = 1_000;
const NAMED = 5;

/** Returns the numbers of the other recent runs of a name and its user, newest first. */
async function othersCalled(client: Client, typed: string, { run, user, project }: NameView): Promise<number[]> {
  const name = typed.slice(typed.indexOf("/") + 1);
  const { runs } = await client.runs({ all: true, limit: RUNS_LOOKED_AT });
  return runs
    .filter((one) => one.app === null && one.name === name && one.user === user && one.project === project)
    .map((one) => one.run)
    .filter((one) => one !== run);
}

/** Says which run of a name is shown, and which others there are, newest first. */
function choiceOf(run: number, typed: string, others: readonly number[]): string | null {
  const [newest] = others;
  if (newest === undefined) return null;
  const why = run > newest ? `the newest called ${typed}` : `the one called ${typed} that is not over`;
  const more = others.length > NAMED ? ", …" : "";
  return `run ${run} is shown, ${why}; another: orch logs RUN (${others.slice(0, NAMED).join(", ")}${more})`;
}

/** Returns the task, or the slot's last attempt that ran if this one only waits, as in a crash loop. */
async function withOutput(client: Client, task: TaskView): Promise<TaskView> {
  if (hasBegun(task) || task.app === null) return task;
  const all = (await readTasks(client, { app: `${task.project}/${task.app}`, all: true })).items;
  const same = all.filter(
    (other) => other.workload === task.workload && other.slot === task.slot && other.member === task.member,
  );
  return same.filter(hasBegun).toSorted((a, b) => (isNewer(a, b) ? -1 : 1))[0] ?? task;
}

async function lastRun(client: Client): Promise<RunView> {
  const { user } = await client.me();
  const run = (await client.runs({ all: true, user, limit: 1 })).runs[0];
  if (run === undefined) {
    throw new CliError(EXIT.failed, "you have no run yet", "Name a task or workload: orch logs recs.api");
  }
  return run;
}

/**
 * Returns an array as a whole. Throws CliError where that is not what is asked for, since each element has its own
 * output.
 */
function ofArray(run: number, isWhole: boolean): Targets {
  if (isWhole) return { kind: "array", run, tasks: [], note: null, shared: "", accepts: none };
  throw new CliError(
    EXIT.usage,
    `run ${run} is an array, and each of its elements has its own output`,
    `Name one: orch logs ${run}_SLOT; which have failed: orch show ${run}; until all are over: orch logs -f ${run}`,
  );
}

const targetOf = ({ id, name }: TaskView): LogTarget => ({ id, name });

/**
 * Returns one task for each slot: the newest attempt that ran, of the newest run, or the attempt with the given number.
 */
export function newestTasks(tasks: readonly TaskView[], attempt: number | null): LogTarget[] {
  const best = new Map<string, TaskView>();
  for (const task of tasks) {
    // What no node took has no output, and asked for by its attempt it says so.
    if (attempt === null ? task.id === null || task.state === "rejected" : task.attempt !== attempt) continue;
    const key = `${task.workload}/${task.slot}/${task.member}`;
    const before = best.get(key);
    if (before === undefined || isNewer(task, before)) best.set(key, task);
  }
  return [...best.values()].toSorted(bySlot).map(targetOf);
}

const bySlot = (a: TaskView, b: TaskView): number =>
  compareText(a.workload, b.workload) || a.slot - b.slot || a.member - b.member;

const isNewer = (a: TaskView, b: TaskView): boolean =>
  (Number(hasBegun(a)) - Number(hasBegun(b)) ||
    (a.run ?? 0) - (b.run ?? 0) ||
    a.version - b.version ||
    a.attempt - b.attempt ||
    a.created_ms - b.created_ms) > 0;
