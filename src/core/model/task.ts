// The names and derived facts of a task, in the one form that people see everywhere. Names are made and parsed only
// here.

import { type ElementBatch, isIn } from "./array";
import { NO_RESULT, type EndCause, type TaskFinal } from "./end";
import { hasBegun } from "./heirs";
import { isFinal } from "./lifecycle";
import type { Observed, TaskIdentity, TaskRow } from "./rows-task";
import type { TaskEnd } from "./rows-work";
import type { Ms } from "../units";

/** A task with the elements that it runs, if its run is an array. */
type NamedTask = TaskIdentity & { readonly batch?: Pick<ElementBatch, "label"> | null };

/**
 * Returns a task's name: `recs.api.0`, `123`, or `123.1` for a gang's member. From the second attempt on, `#2` follows.
 * One that runs elements of an array is named after them: `123_[0-99]`.
 */
export function taskName(task: NamedTask): string {
  if (task.batch !== undefined && task.batch !== null) {
    return `${task.app === null ? task.run : `${task.app}.${task.workload}`}_[${task.batch.label}]`;
  }
  const attempt = task.attempt > 1 ? `#${task.attempt}` : "";
  return slotName(task) + attempt;
}

/** Returns the name of a task's slot, without the attempt. */
export function slotName(task: Omit<TaskIdentity, "attempt">): string {
  if (task.kind === "job") {
    const member = task.member > 0 ? `.${task.member}` : "";
    // A task that the server took over from a node, to stop it, is of no run and no app: it has the name that it had.
    if (task.run === null && task.app === null) return task.workload;
    return task.app === null ? `${task.run}${member}` : `${task.app}.${task.workload}.${task.slot}${member}`;
  }
  return `${task.app}.${task.workload}.${task.slot}`;
}

/** Returns what a task of a run in no app is called by the name that its run was given: `sweep.1#2` for `12.1#2`. */
export function calledAs(given: string, { name, run }: { readonly name: string; readonly run: number | null }): string {
  return run === null ? name : `${given}${name.slice(String(run).length)}`;
}

/**
 * Returns a task's name for sentences. That of a run in no app has the name that the run was given: `sweep (run 12)`.
 */
export function fullName(task: NamedTask): string {
  const name = taskName(task);
  const { app, run, workload } = task;
  return app !== null || run === null ? name : `${calledAs(workload, { name, run })} (run ${run})`;
}

/**
 * Returns the name of a thing of an app as a reader of project `home` types it: `recs.api.0`, or `lab/recs.api.0` where
 * it is another project's. `null`: the reader's project is not known, so it is not written.
 */
export const nameFor = (home: string | null, project: string, name: string): string =>
  home === null || home === project ? name : `${project}/${name}`;

/** Returns a task's name for a sentence that people of any project read: `lab/recs.api.0`, or `sweep (run 12)`. */
export const nameForAll = (task: NamedTask): string =>
  task.app === null ? fullName(task) : `${task.project}/${taskName(task)}`;

/** Returns a run's name for sentences: `sweep (run 12)`. */
export const fullRunName = ({ name, run }: { readonly name: string; readonly run: number }): string =>
  `${name} (run ${run})`;

/** The tasks of a workload or run that a name means. Null: the name does not say it. */
export interface NamedPart {
  readonly slot: number | null;
  readonly member: number | null;
  readonly attempt: number | null;
}

/** The parsed name of a run, of a workload, or of tasks of either. */
export type WorkName =
  | ({ readonly is: "run"; readonly run: number } & NamedPart)
  | ({
      readonly is: "workload";
      readonly project: string | null;
      readonly app: string;
      readonly workload: string;
    } & NamedPart);

const RUN = /^(\d{1,15})(?:_(\d{1,7}))?(?:\.(\d{1,4}))?(?:#(\d{1,9}))?$/;
const WORKLOAD =
  /^(?:([a-z0-9-]{1,40})\/)?([a-z0-9-]{1,40})\.([a-z0-9-]{1,40})(?:\.(\d{1,7}))?(?:\.(\d{1,4}))?(?:#(\d{1,9}))?$/;

/**
 * Parses `123`, `123_4.1#2` (run, slot, member, attempt) or `lab/recs.api.0#2` (project, app, workload, slot, attempt).
 * Returns null if the text is no such name. Names are compared by their parts, since as texts `recs.api` would be a
 * beginning of `recs.api2`.
 */
export function parseName(text: string): WorkName | null {
  const run = RUN.exec(text);
  if (run !== null) return { is: "run", run: Number(run[1]), ...partOf(run[2], run[3], run[4]) };
  const [, project = null, app, workload, slot, member, attempt] = WORKLOAD.exec(text) ?? [];
  if (app === undefined || workload === undefined) return null;
  return { is: "workload", project, app, workload, ...partOf(slot, member, attempt) };
}

/** Parses `recs` or `lab/recs`. Returns null if the text is no name of an app. */
export function parseApp(text: string): { readonly project: string | null; readonly app: string } | null {
  const [, project = null, app] = /^(?:([a-z0-9-]{1,40})\/)?([a-z0-9-]{1,40})$/.exec(text) ?? [];
  return app === undefined ? null : { project, app };
}

const numberOr = (text: string | undefined): number | null => (text === undefined ? null : Number(text));

const partOf = (slot?: string, member?: string, attempt?: string): NamedPart => ({
  slot: numberOr(slot),
  member: numberOr(member),
  attempt: numberOr(attempt),
});

/** A part of something's tasks that a name means. `element`: the index of the element of an array, if it means one. */
type MeantPart = NamedPart & { readonly element?: number | null };

/** A task, or a slot that waits for one. */
type Part = Pick<TaskIdentity, "slot" | "member" | "attempt"> & {
  readonly batch?: Pick<ElementBatch, "parts" | "round"> | null;
};

/** Returns whether a task is one of those that a name means. A slot without a member is the slot that people see. */
export function isPart({ slot, member, attempt, element = null }: MeantPart, task: Part): boolean {
  if (element !== null) {
    const { batch = null } = task;
    return batch !== null && isIn(batch.parts, element) && (attempt === null || batch.round === attempt);
  }
  return (
    (slot === null || (member === null ? seenSlot(task) : task.slot) === slot) &&
    (member === null || task.member === member) &&
    (attempt === null || task.attempt === attempt)
  );
}

/** Returns whether a text can be the beginning of a uid. Fewer than 4 digits would match too many uids. */
export const isUidStart = (text: string): boolean => /^[0-9a-f]{4,32}$/.test(text);

/**
 * Returns the rows whose uid begins with the typed text, or only the row whose whole uid it is. Returns none for a text
 * that is no id.
 */
export function withUid<T>(rows: Iterable<T>, typed: string, uidOf: (row: T) => string): T[] {
  if (!isUidStart(typed)) return [];
  const found = [...rows].filter((row) => uidOf(row).startsWith(typed));
  const exact = found.find((row) => uidOf(row) === typed);
  return exact === undefined ? found : [exact];
}

/** Returns the name of a run's job within its app, or the run's own name if the run is in no app. */
export const jobName = ({ app, name }: { readonly app: string | null; readonly name: string }): string =>
  app === null ? name : name.slice(app.length + 1);

/** Returns the slot that people and tasks see: the index of a replica, or of a gang's member. */
export const seenSlot = ({ slot, member }: Pick<TaskIdentity, "slot" | "member">): number =>
  member > 0 ? member : slot;

/** Returns the short id that people type: the first 10 of the uid's 32 hex digits. */
export const shortId = (uid: string): string => uid.slice(0, 10);

/** Returns the key of the slot row that a task belongs to. */
export const slotKey = (owner_uid: string, slot: number): string => `${owner_uid}/${slot}`;

/** Returns whether the plan still counts on a task. What began before it could be taken back goes on. */
export const isWanted = (task: TaskRow): boolean => !isToStop(task) && task.written_off === null;

/** Returns whether a task has to stop. An order to take it back is void once it has begun. */
export const isToStop = (task: Pick<TaskRow, "desired" | "stop" | "observed">): boolean =>
  task.desired === "stop" && !(task.stop?.unbegun === true && hasBegun(task));

export const isEnd = (observed: Observed): observed is TaskFinal => isFinal(observed.state);

/**
 * Returns the end of a task whose agent has written none. `lost`: the task never completed. `unknown`: it began, and
 * nobody knows how it ended.
 */
export const finalWithoutReport = (
  task: TaskRow,
  state: "lost" | "unknown",
  cause: EndCause,
  reason: string,
  now_ms: Ms,
): TaskFinal => ({
  ...NO_RESULT,
  state,
  started_ms: "started_ms" in task.observed ? task.observed.started_ms : null,
  finished_ms: now_ms,
  cause,
  reason,
  tail: null,
});

/** Returns what a slot remembers of a task that has ended. */
export const slotEndOf = (task: TaskRow, final: TaskFinal): TaskEnd => ({
  uid: task.uid,
  version: task.version,
  attempt: task.attempt,
  member: task.member,
  node_id: task.node_id,
  state: final.state,
  reason: final.reason,
  exit_code: final.exit_code,
  signal: final.signal,
  at_ms: final.finished_ms,
  ...(final.state === "unknown" ? { started_ms: final.started_ms } : {}),
  ...(final.cause === undefined ? {} : { cause: final.cause }),
  ...(task.stop?.idle === true && final.state === "stopped" ? { idle: true } : {}),
});
