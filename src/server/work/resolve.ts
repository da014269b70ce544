// Resolves what people type: one rule for every command and every route. A text means a run, a task, a workload, an
// app, a node or a card: by name, by number, or by the start of an id.

import { indexOf, sayArray } from "../../core/model/array";
import type { State } from "../../core/model/rows-state";
import type { AppRow, RunRow } from "../../core/model/rows-work";
import type { NodeRow } from "../../core/model/rows-node";
import type { TaskRow } from "../../core/model/rows-task";
import { isFinal } from "../../core/model/lifecycle";
import { saySlots, slotsOf } from "../../core/model/slots";
import { isPart, isUidStart, parseApp, parseName, taskName, withUid, type WorkName } from "../../core/model/task";
import { elementName } from "../../core/why/over";
import { notFound, RefusedError } from "../refused";
import { attemptsOf } from "./element-state";
import { hintName, isWork, WORK, type NameWish, type Searched, type Meant, type NamedThing } from "./named";
import { removedBefore } from "./removed";
import { noSuch, ofOtherKind, partOfNamed, several } from "./unresolved";

/** Returns the only thing that a text means. Throws RefusedError if there is none, or more than one. */
export function resolve(known: Searched, ref: string, asked: NameWish): NamedThing {
  const found = fitting(known, ref, asked);
  const [first, second] = found;
  if (first !== undefined && second === undefined) return first;
  throw several(ref, found);
}

/** Returns all things that a text means, at least one. Throws RefusedError if there is none. */
export function fitting(known: Searched, ref: string, asked: NameWish): readonly NamedThing[] {
  const every = everything(known, ref, asked);
  const found = every.filter(({ kind }) => asked.kinds.includes(kind));
  if (found.length > 0) return found;
  const [other] = every;
  if (other !== undefined) throw ofOtherKind(known.state, ref, other, asked);
  throw removedBefore(known, ref, asked) ?? misnamedPart(known, ref, asked) ?? noSuch(known.state, ref, asked);
}

/** Returns the task, workload or run that a text means. */
export function meantBy(known: Searched, ref: string, who: Pick<NameWish, "name" | "project">): Meant {
  const found = resolve(known, ref, { name: who.name, project: who.project, kinds: WORK });
  if (!isWork(found)) throw new Error(`${found.kind} is no work`);
  return found;
}

/** Returns the run that a text means to change. Throws RefusedError if it means a part of an array, as an element. */
export function requireWholeRun(known: Searched, ref: string, who: Pick<NameWish, "name" | "project">): RunRow {
  const run = requireRun(known, ref, who);
  const { element, task } = meantBy(known, ref, who);
  if (element === null && (task?.batch ?? null) === null) return run;
  throw new RefusedError("conflict", `${ref.slice(0, 100)} is a part of run ${run.run}`, `The whole run is ${run.run}`);
}

/** Returns the run that a text means: a run itself, the newest one of a job, or the one of a task. */
export function requireRun(known: Searched, ref: string, who: Pick<NameWish, "name" | "project">): RunRow {
  const { run, task, kind } = meantBy(known, ref, who);
  const found = run ?? (task === null ? null : known.history.run(task.owner_uid));
  if (found !== null) return found;
  throw notFound(
    `${ref.slice(0, 100)} has no run: ${kind === "task" ? "it is no job's" : "it has never run, or is no job"}`,
    "orch runs shows what there is",
  );
}

/**
 * Returns the refusal of a part of a run that is not named by the run's number: `sweep_3`, or `sweep_[0-63]` as lists
 * show the elements of a batch. Null for any other text.
 */
function misnamedPart(known: Searched, ref: string, asked: NameWish): RefusedError | null {
  const [, whole, part] = /^([a-z0-9/.-]{1,124})_(\d{1,7}(?:#\d{1,9})?|\[.*)$/.exec(ref) ?? [];
  if (whole === undefined || part === undefined || !asked.kinds.some((kind) => WORK.includes(kind))) return null;
  const runs = byName(known, whole, asked).flatMap((one) => (isWork(one) && one.run !== null ? [one.run.run] : []));
  return runs.length === 0 ? null : partOfNamed(ref, runs, part);
}

function everything(known: Searched, ref: string, asked: NameWish): NamedThing[] {
  const named = byName(known, ref, asked);
  // A number and a name that somebody gave win over an id that begins so: ids can be written longer.
  if (named.length > 0) return named;
  const { state, history } = known;
  const live = withUid(state.tasks.values(), ref, (task) => task.uid);
  const ended = live.length === 0 && isUidStart(ref) ? history.task(ref) : null;
  return [
    ...[...live, ...(ended === null ? [] : [ended])].map((task) => ofTask(state, task)),
    ...withUid(state.nodes.values(), ref, ({ id }) => id).map((node): NamedThing => ({ kind: "node", node })),
    ...cardsNamed(state, ref),
  ];
}

function byName(known: Searched, ref: string, asked: NameWish): NamedThing[] {
  const name = parseName(ref);
  if (name?.is === "run") {
    const run = runByNumber(known, name.run);
    return run === null ? [] : [partOf(known, ofRun(run), name, ref, asked)];
  }
  if (name?.is === "workload")
    return workloadsNamed(known, name, asked).map((one) => partOf(known, one, name, ref, asked));
  const word = parseApp(ref);
  if (word === null) return [];
  const { project, app } = word;
  const apps = appsNamed(known.state, project, app, asked);
  const node = project === null ? nodeNamed(known.state, app) : undefined;
  return [
    ...apps.map((row): NamedThing => ({ kind: "app", app: row })),
    ...runsNamed(known, project, app, asked).map(ofRun),
    ...(node === undefined ? [] : [{ kind: "node", node } as const]),
  ];
}

/** Returns what is meant of an owner's tasks. Throws RefusedError if the owner has no such part. */
function partOf(known: Searched, of: Meant, { slot, member, attempt }: WorkName, ref: string, asked: NameWish): Meant {
  if ((slot ?? member ?? attempt) === null) return of;
  const array = of.run?.array ?? null;
  if (array !== null && slot !== null) {
    const element = member === null ? indexOf(array, slot) : null;
    if (element !== null) {
      if (of.run !== null && attempt !== null) requireAttempt(attemptsOf(known, of.run, element), attempt, ref);
      return { ...of, kind: "task", slot, attempt, element };
    }
    const has = `its elements are ${sayArray(array)}`;
    throw notFound(`there is no ${ref.slice(0, 100)}: ${has}`, `orch show ${hintName(of, asked)}`);
  }
  const meant: Meant = { ...of, kind: "task", slot, member, attempt };
  if (tasksOf(known, meant).length > 0) return meant;
  const parts = partsOf(known, meant);
  if (!parts.includes(member ?? slot ?? 0)) {
    const has = parts.length === 1 ? `its only one is ${parts[0]}` : `it has ${parts.length}, ${saySlots(parts)}`;
    const said = parts.length === 0 ? "it has no slot" : has;
    throw notFound(`there is no ${ref.slice(0, 100)}: ${said}`, `orch show ${hintName(of, asked)}`);
  }
  if (attempt === null) return meant;
  throw notFound(
    `there is no attempt ${attempt} of ${ref.slice(0, 100).replace(/#\d+$/, "")}`,
    "orch ps --all shows what there was",
  );
}

/** Throws RefusedError if an element has had no such attempt, and is not in it. */
function requireAttempt({ had, goesOn }: ReturnType<typeof attemptsOf>, attempt: number, ref: string): void {
  if (attempt >= 1 && attempt <= had + Number(goesOn)) return;
  const name = elementName(ref);
  const said = had === 0 ? "none of it has ended" : had === 1 ? "it has had 1" : `it has had ${had}`;
  throw notFound(`there is no attempt ${attempt} of ${name}: ${said}`, `orch show ${name} says how the last one ended`);
}

/** Returns the slots that an owner has, or the members of a run's attempts. */
function partsOf({ state, spec }: Searched, { run, workload }: Meant): number[] {
  const first = (length: number): number[] => Array.from({ length }, (_, part) => part);
  if (run !== null) return isFinal(run.state) ? [] : first(spec(run.spec_hash).members);
  if (workload?.kind === "service") return slotsOf(workload);
  return workload?.kind === "daemon" ? first(state.cluster.next_ordinal) : [];
}

const WHOLE = { slot: null, member: null, attempt: null, element: null, task: null } as const;

const ofRun = (run: RunRow): Meant => ({
  ...WHOLE,
  kind: "run",
  owner_uid: run.uid,
  run,
  workload: null,
  project: run.project,
  user: run.user,
  name: run.name,
});

export const runByNumber = ({ state, history }: Pick<Searched, "state" | "history">, run: number): RunRow | null =>
  state.runs.values().find((row) => row.run === run) ?? (Number.isSafeInteger(run) ? history.run(run) : null);

/**
 * Returns the apps of that name: the one of the written project; else the one of the asker's; else those of all
 * others.
 */
export function appsNamed(
  state: State,
  project: string | null,
  name: string,
  { project: mine, own = false }: Pick<NameWish, "project" | "own">,
): AppRow[] {
  const named = state.apps
    .values()
    .filter((app) => app.name === name)
    .toArray();
  const near = named.filter((app) => app.project === (project ?? mine));
  return near.length > 0 || project !== null || own ? near : named;
}

function workloadsNamed(known: Searched, name: Extract<WorkName, { is: "workload" }>, asked: NameWish): Meant[] {
  const { state, history } = known;
  return appsNamed(state, name.project, name.app, asked).flatMap((app): Meant[] => {
    const workload = state.workloads.values().find((row) => row.app_uid === app.uid && row.name === name.workload);
    if (workload === undefined) return [];
    const { last_run, project, user } = workload;
    const run = last_run === null ? null : (state.runs.get(last_run.uid) ?? history.run(last_run.uid));
    const owner_uid = run?.uid ?? workload.uid;
    return [
      { ...WHOLE, kind: "workload", owner_uid, run, workload, project, user, name: `${app.name}.${name.workload}` },
    ];
  });
}

/**
 * Returns the runs of a name: those of the asker, else those of the project, else those of all others. Of these the
 * living ones are meant, or the newest that has ended. So nobody takes over the name of another's run by living longer.
 */
function runsNamed({ state, history }: Searched, project: string | null, name: string, asked: NameWish): RunRow[] {
  const near = { project: project ?? asked.project };
  const isFree = project === null && asked.own !== true;
  const mine = { user: asked.name, ...(isFree ? {} : near) };
  const named = [...state.runs.values()].filter((run) => run.name === name && run.app === null);
  for (const group of isFree ? [mine, near, {}] : [mine, near]) {
    const own = named.filter((run) => isIn(group, run));
    const living = own.filter((run) => !isFinal(run.state));
    if (living.length > 0) return living;
    const [newest] = [...own, ...history.runs({ ...group, name, limit: 1 })].sort((a, b) => b.run - a.run);
    if (newest !== undefined) return [newest];
  }
  return [];
}

const isIn = (group: { readonly user?: string; readonly project?: string }, { user, project }: RunRow): boolean =>
  (group.user ?? user) === user && (group.project ?? project) === project;

const nodeNamed = (state: State, name: string): NodeRow | undefined =>
  state.nodes.values().find((node) => node.name === name);

/** Returns the node with this name, or with an id that begins with `ref`. Throws RefusedError if there is none. */
export function requireNode(state: State, ref: string): NodeRow {
  const named = nodeNamed(state, ref);
  const [first, second] = named === undefined ? withUid(state.nodes.values(), ref, ({ id }) => id) : [named];
  if (first === undefined) throw noSuch(state, ref, { project: "", kinds: ["node"] });
  if (second === undefined) return first;
  const nodes = [first, second].map((node): NamedThing => ({ kind: "node", node }));
  throw several(ref, nodes);
}

function ofTask(state: State, task: TaskRow): Meant {
  const { owner_uid, project, user, slot, member, attempt } = task;
  return {
    kind: "task",
    owner_uid,
    run: state.runs.get(owner_uid) ?? null,
    workload: state.workloads.get(owner_uid) ?? null,
    project,
    user,
    name: taskName(task),
    slot,
    member,
    attempt,
    element: null,
    task,
  };
}

/** Removes the prefix that tools print before an id and people leave out. */
const plainId = (id: string): string => id.toLowerCase().replace(/^(gpu|mig)-/, "");

const SHORTEST_ID = 4;

/** Returns the card of this id, or those whose ids begin with `ref`. */
function cardsNamed(state: State, ref: string): NamedThing[] {
  const wanted = plainId(ref);
  const found = state.nodes
    .values()
    .flatMap((node) =>
      node.devices
        .filter(({ id }) => plainId(id).startsWith(wanted))
        .map(({ id }) => ({ kind: "card", id, node }) as const),
    )
    .toArray();
  const exact = found.filter(({ id }) => id === ref);
  return exact.length > 0 || wanted.length < SHORTEST_ID ? exact : found;
}

const ENDED_LOOKED_AT = 1_000;

/**
 * Returns the tasks that are meant, newest first: living tasks and ended ones. Of an element of an array they are the
 * batches that it is in.
 */
export function tasksOf({ state, history }: Pick<Searched, "state" | "history">, meant: Meant): TaskRow[] {
  if (meant.task !== null) return [meant.task];
  const { owner_uid, attempt, element } = meant;
  const part = element !== null ? { element } : attempt === null ? {} : { attempt };
  const all = [
    ...state.tasks.values().filter((task) => task.owner_uid === owner_uid),
    ...history.tasks({ owner_uid, limit: ENDED_LOOKED_AT, ...part }),
  ];
  return all
    .filter((task) => isPart(meant, task))
    .sort((a, b) => b.attempt - a.attempt || b.created_ms - a.created_ms || a.slot - b.slot || a.member - b.member);
}
