// What is said of a name that means nothing, several things, or a thing of another kind.

import type { WorkloadRow } from "../../core/model/rows-work";
import type { State } from "../../core/model/rows-state";
import { isFinal } from "../../core/model/lifecycle";
import { nameFor } from "../../core/model/task";
import { nearest } from "../../spec/grammar/nearest";
import type { NameKind } from "../../wire/api/names";
import { notFound, RefusedError } from "../refused";
import { isWork, sayNamed, type NameWish, type NamedThing } from "./named";

/** The longest part of a typed name that is repeated. */
const SHOWN = 100;
/** The most things that a list of several shows. */
const LISTED = 10;

const shown = (ref: string): string => ref.slice(0, SHOWN);

const either = (words: readonly string[]): string =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;

/** Where the things of each kind are listed. */
const LISTS: Readonly<Record<NameKind, string>> = {
  task: "orch ps --all",
  workload: "orch ps",
  app: "orch apps",
  run: "orch runs",
  node: "orch nodes",
  card: "orch gpus",
};

const seeLists = (kinds: readonly NameKind[]): string => {
  const lists = [...new Set(kinds.map((kind) => LISTS[kind]))].filter((list, _n, all) =>
    list === "orch ps" ? !all.includes("orch ps --all") : true,
  );
  return `${lists.join(", ").replace(/, ([^,]*)$/, " and $1")} ${lists.length === 1 ? "shows" : "show"} what there is`;
};

/** Returns the refusal of a name that nothing has, with the name that was probably meant. */
export function noSuch(state: State, ref: string, { project, kinds }: Omit<NameWish, "name">): RefusedError {
  const meant = /^\d+$/.test(ref) ? null : suggestion(state, ref, project, kinds);
  return notFound(
    `there is no ${either(kinds)} called ${shown(ref)}`,
    meant === null ? seeLists(kinds) : `Did you mean ${meant}?`,
  );
}

/** Returns the refusal of a part of runs that was written behind a name, or as a list of elements. */
export function partOfNamed(ref: string, runs: readonly number[], part: string): RefusedError {
  const [slot = "0"] = /\d+/.exec(part) ?? [];
  const named = (one: string): string => either(runs.slice(0, LISTED).map((run) => `${run}_${one}`));
  if (!part.startsWith("["))
    return notFound(
      `there is no ${shown(ref)}: a part has the number of its run before it`,
      `Did you mean ${named(part)}?`,
    );
  const whole = either(runs.slice(0, LISTED).map(String));
  return notFound(
    `${shown(ref)} are elements of a batch, and no name`,
    `Name one of them, ${named(slot)}, the whole run, ${whole}, or the batch by its ID, which orch ps shows`,
  );
}

/** Returns the refusal of a user's name that nobody has. */
export function noUser({ users }: Pick<State, "users">, name: string): RefusedError {
  const meant = nearest(name, [...users.keys()]);
  const hint = meant === null ? "orch user ls shows them" : `Did you mean ${meant}?`;
  return notFound(`there is no user ${name.slice(0, 40)}`, hint);
}

/** Returns the refusal of a name whose thing is of another kind than what the command takes. */
export function ofOtherKind(state: State, ref: string, found: NamedThing, asked: NameWish): RefusedError {
  const { kinds } = asked;
  if (isWork(found) && found.element !== null && found.run !== null) {
    const { run } = found.run;
    return notFound(`${shown(ref)} is an element of run ${run}, not a ${either(kinds)}`, `The whole run is ${run}`);
  }
  const hint =
    (isWork(found) && found.workload !== null ? partHint(found.workload, asked) : null) ??
    (found.kind === "app" && kinds.includes("workload")
      ? `Name one of its workloads: ${workloadNames(state, found.app.uid, asked).slice(0, LISTED).join(", ")}`
      : seeLists(kinds));
  return notFound(`${shown(ref)} is ${sayNamed(found)}, not ${kinds[0] === "app" ? "an" : "a"} ${either(kinds)}`, hint);
}

/** Returns the hint for a workload, or a task of it, that a command does not take, or null. */
function partHint(workload: WorkloadRow, asked: NameWish): string | null {
  const name = nameFor(asked.project, workload.project, `${workload.app}.${workload.name}`);
  if (asked.kinds.includes("workload")) {
    // What changes a workload changes all of its tasks.
    return `Its workload is ${name}${asked.own === true ? ", whose tasks change together, never one alone" : ""}`;
  }
  if (asked.kinds[0] !== "app") return null;
  const app = `Its app is ${nameFor(asked.project, workload.project, workload.app)}`;
  return asked.own === true && workload.kind === "service" ? `${app}; to end it alone: orch scale ${name}=0` : app;
}

/** Returns the refusal of a name that several things have, with a list of them. */
export function several(ref: string, found: readonly NamedThing[]): RefusedError {
  const list = found.slice(0, LISTED).map(sayNamed);
  const more = found.length - list.length;
  return new RefusedError(
    "conflict",
    `${shown(ref)} is ${list.join(", and ")}${more > 0 ? `, and ${more} more` : ""}`,
    wayToOne(found),
  );
}

function wayToOne(found: readonly NamedThing[]): string {
  const are = (...kinds: readonly NameKind[]): boolean => found.every(({ kind }) => kinds.includes(kind));
  if (are("run")) return "Name the one that is meant by its number";
  if (are("app", "workload")) return "Write the project before it: PROJECT/NAME";
  return are("task", "card", "node") ? "Write more of it" : "Name a run by its number, and an app as PROJECT/APP";
}

const workloadNames = ({ workloads }: State, app_uid: string, asked: NameWish): string[] =>
  workloads
    .values()
    .filter((row) => row.app_uid === app_uid)
    .map((row) => nameFor(asked.project, row.project, `${row.app}.${row.name}`))
    .toArray();

/** Returns the name that was probably meant, with the part behind it, such as a slot, as it was typed. */
function suggestion(state: State, ref: string, project: string, kinds: readonly NameKind[]): string | null {
  const [, base = "", part = ""] = /^(.*?)((?:[._]\d+)*(?:#\d+)?)$/.exec(ref) ?? [];
  const names = [...new Set(namesOf(state, project, kinds))];
  // A workload is often typed without its app, and an app of another project without that.
  const bare = names.filter((name) => name.endsWith(`.${base}`) || name.endsWith(`/${base}`));
  const found =
    bare.length > 0 ? bare.slice(0, LISTED) : [nearest(base, near(base, names))].filter((one) => one !== null);
  // A name with a part that it does not have is no better than what was typed.
  const others = found.map((name) => `${name}${part}`).filter((name) => name !== ref);
  return others.length === 0 ? null : either(others);
}

/** Returns the names that are about as long as the typed one, since only so many are compared. */
const near = (typed: string, names: readonly string[]): string[] =>
  names.filter((name) => Math.abs(name.length - typed.length) <= 1 + typed.length / 3);

/** Gives the names of what there is, of the asker's project first. */
function* namesOf(state: State, mine: string, kinds: readonly NameKind[]): Generator<string> {
  const isOwn = (row: { readonly project: string }): boolean => row.project === mine;
  const ownFirst = <T extends { readonly project: string }>(rows: Iterable<T>): T[] =>
    [...rows].sort((a, b) => Number(isOwn(b)) - Number(isOwn(a)));
  const work = kinds.includes("task") || kinds.includes("workload");
  if (kinds.includes("app"))
    for (const app of ownFirst(state.apps.values())) yield nameFor(mine, app.project, app.name);
  if (work || kinds.includes("run"))
    for (const row of ownFirst(state.workloads.values()))
      if (work || row.kind === "job") yield nameFor(mine, row.project, `${row.app}.${row.name}`);
  if (kinds.includes("node")) for (const node of state.nodes.values()) yield node.name;
  if (kinds.includes("run"))
    for (const run of ownFirst(state.runs.values())) if (run.app === null && !isFinal(run.state)) yield run.name;
}
