// What people type becomes what they mean: a task, a slot, a workload or a run, by name, by number or by the start
// of an id.

import type { State } from "../../core/model/rows-state";
import type { RunRow, WorkloadRow } from "../../core/model/rows-work";
import type { TaskRow } from "../../core/model/rows-task";
import { seenSlot } from "../../core/model/task";
import type { Store } from "../../store/store";
import { findApp } from "./apply";
import { notFound, RefusedError } from "../refused";
import { runByNumber } from "./runs";

/** Something that has tasks, and which of them are meant; `null` leaves it open. */
export interface Meant {
  /** The uid that its tasks have as their owner. */
  readonly owner_uid: string;
  readonly run: RunRow | null;
  readonly workload: WorkloadRow | null;
  readonly project: string;
  readonly user: string;
  readonly name: string;
  readonly slot: number | null;
  readonly member: number | null;
  readonly attempt: number | null;
  /** The one task that an id named. */
  readonly task: TaskRow | null;
}

const RUN = /^(\d{1,15})(?:_(\d{1,7}))?(?:\.(\d{1,4}))?(?:#(\d{1,9}))?$/;
const NAME =
  /^(?:([a-z0-9-]{1,40})\/)?([a-z0-9-]{1,40})\.([a-z0-9-]{1,40})(?:\.(\d{1,7}))?(?:\.(\d{1,4}))?(?:#(\d{1,9}))?$/;
const ID = /^[0-9a-f]{4,32}$/;

/** Throws RefusedError when nothing, or more than one thing, is called so. Names of the asker's project come first. */
export function meantBy(store: Store, ref: string, project: string): Meant {
  const meant = byRun(store, ref) ?? byName(store, ref, project) ?? byId(store, ref);
  if (meant !== null) return meant;
  throw notFound(
    `there is no task, workload or run called ${ref.slice(0, 100)}`,
    "orch ps --all and orch runs show what there is; write PROJECT/APP.WORKLOAD for another project's",
  );
}

const numberOr = (text: string | undefined): number | null => (text === undefined ? null : Number(text));

function byRun({ state, history }: Store, ref: string): Meant | null {
  const match = RUN.exec(ref);
  const run = match === null ? null : runByNumber(state, history, Number(match[1]));
  if (match === null || run === null) return null;
  return { ...ofRun(run), slot: numberOr(match[2]), member: numberOr(match[3]), attempt: numberOr(match[4]) };
}

const ofRun = (run: RunRow): Meant => ({
  owner_uid: run.uid,
  run,
  workload: null,
  project: run.project,
  user: run.user,
  name: run.name,
  slot: null,
  member: null,
  attempt: null,
  task: null,
});

function byName({ state, history }: Store, ref: string, own: string): Meant | null {
  const match = NAME.exec(ref);
  if (match === null) return null;
  const [, project, app = "", name = "", slot, member, attempt] = match;
  const found = appOf(state, project, app, own);
  const workload = state.workloads.values().find((row) => row.app_uid === found && row.name === name);
  if (workload === undefined) return null;
  const { last_run } = workload;
  const run = last_run === null ? null : (state.runs.get(last_run.uid) ?? history.run(last_run.uid));
  return {
    owner_uid: run?.uid ?? workload.uid,
    run,
    workload,
    project: workload.project,
    user: workload.user,
    name: `${app}.${name}`,
    slot: numberOr(slot),
    member: numberOr(member),
    attempt: numberOr(attempt),
    task: null,
  };
}

/** The uid of the app of that name: of the project that is named, else of one's own, else the only one there is. */
export function appOf(state: State, project: string | undefined, name: string, own: string): string | null {
  const near = findApp(state, project ?? own, name);
  if (near !== undefined || project !== undefined) return near?.uid ?? null;
  const [first, second] = state.apps.values().filter((app) => app.name === name);
  if (second !== undefined) {
    throw new RefusedError("conflict", `several projects have an app called ${name}`, "Write PROJECT/APP");
  }
  return first?.uid ?? null;
}

function byId({ state, history }: Store, ref: string): Meant | null {
  if (!ID.test(ref)) return null;
  const live = state.tasks
    .values()
    .filter((task) => task.uid.startsWith(ref))
    .toArray();
  if (live.length > 1) throw new RefusedError("conflict", `several ids begin with ${ref}`, "Write more of it");
  const task = live[0] ?? history.task(ref);
  if (task === null) return null;
  const { owner_uid, project, user, slot, member, attempt } = task;
  return {
    owner_uid,
    run: state.runs.get(owner_uid) ?? null,
    workload: state.workloads.get(owner_uid) ?? null,
    project,
    user,
    name: ref,
    slot,
    member,
    attempt,
    task,
  };
}

const ENDED_LOOKED_AT = 1_000;

/** The tasks that are meant, the newest first: living ones and those that are over. */
export function tasksOf({ state, history }: Store, meant: Meant): TaskRow[] {
  if (meant.task !== null) return [meant.task];
  const { owner_uid, slot, member, attempt } = meant;
  const all = [
    ...state.tasks.values().filter((task) => task.owner_uid === owner_uid),
    ...history.tasks({ owner_uid, limit: ENDED_LOOKED_AT }),
  ];
  return all
    .filter(
      (task) =>
        (slot === null || (member === null ? seenSlot(task) : task.slot) === slot) &&
        (member === null || task.member === member) &&
        (attempt === null || task.attempt === attempt),
    )
    .sort((a, b) => b.attempt - a.attempt || b.created_ms - a.created_ms || a.slot - b.slot || a.member - b.member);
}
