// Routes for tasks and the slots that wait for one; on request also for tasks that have ended.

import { compareText } from "../../core/canonical";
import { z } from "zod";
import type { State } from "../../core/model/rows-state";
import type { TaskRow } from "../../core/model/rows-task";
import { isPart, seenSlot } from "../../core/model/task";
import { taskView } from "../../wire/api/tasks";
import { list } from "../../wire/api/answers";
import type { Api } from "./api";
import { notFound, RefusedError } from "../refused";
import type { NameKind } from "../../wire/api/names";
import type { Principal } from "../access/auth";
import { wordingFor } from "../access/wording";
import { isWork } from "../work/named";
import { meantBy, resolve, tasksOf } from "../work/resolve";
import { route } from "./route";
import { type Ended, flag, page, pageOf, short } from "../http/query";
import { isPending, type Pending, pendingSlots, type TaskLook, taskView as viewOf } from "../views/task";
import { waitsIn, type Waits } from "../views/waits";

/** What waits now, and for what. */
export function waitsOf(api: Pick<Api, "store" | "loop" | "limits">, state: State = api.store.state): Waits {
  const { store, loop, limits } = api;
  const { spec } = store;
  return waitsIn({ state, now_ms: store.now(), blocked: loop.blocked(), queue: loop.queue(), spec, limits });
}

/** What tasks are looked at with now, for the caller. */
export const lookOf = ({ store, limits }: Pick<Api, "store" | "limits">, who: Principal): TaskLook => ({
  state: store.state,
  now_ms: store.now(),
  limits,
  wording: wordingFor(who, store),
});

/** The slots that wait now, of all owners or of some, as they are told to the caller. */
export function pendingOf(
  api: Pick<Api, "store" | "loop" | "limits">,
  who: Principal,
  isMeant?: Parameters<typeof pendingSlots>[1],
): ReturnType<typeof pendingSlots> {
  const { state, spec } = api.store;
  const wording = wordingFor(who, api.store);
  return pendingSlots({ state, spec, blocked: api.loop.blocked(), waits: waitsOf(api), wording }, isMeant);
}

export const TASK_ROUTES = [
  route({
    method: "GET",
    path: "/v1/tasks",
    query: page.extend({
      app: short.optional().describe("only those of this app: `shop`, or `project/shop`"),
      all: flag.optional().describe("also those that are over"),
      of: short.optional().describe("only those of what has this name: an app, a workload, a run, a task or a node"),
      pending: flag.optional().describe("only slots that wait"),
    }),
    answer: list("tasks", taskView),
    summary:
      "Living tasks and waiting slots: all, of one `app`, or `of` whatever has that name; with `all` also what is " +
      "over, the newest first; with `pending` only slots that wait",
    handle({ api, query, who }) {
      const { state, history } = api.store;
      const wish = wishOf(api, query, who);
      const waiting = [...pendingOf(api, who, wish.isOwner)].filter(wish.isPart);
      const look = lookOf(api, who);
      const shown = (task: TaskRow): boolean => query.pending !== true || isPending(task, look);
      const tasks = state.tasks.values().filter((task) => wish.isOwner(task) && wish.isPart(task) && shown(task));
      // What is over of one slot is short, and comes with what lives.
      const over = query.all === true ? (wish.over?.() ?? []) : [];
      const living: Listed[] = [...tasks, ...over, ...waiting].sort(byName);
      const ended = (limit: number, after: string | null): Ended<Listed>[] =>
        history
          .tasks({ limit, ...wish.ended, ...(after === null ? {} : { before_uid: after }) })
          .map((task) => ({ key: task.uid, view: task }));
      const { items, next } = pageOf(query, living, query.all === true && wish.over === null ? ended : null);
      return { tasks: items.map((one) => ("view" in one ? one.view() : viewOf(one, look))), next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/tasks/{ref}",
    answer: taskView,
    summary: "One task, by the start of its id or by its name: then its newest attempt, or the slot that waits",
    handle({ api, params, who }): z.infer<typeof taskView> {
      const meant = meantBy(api.store, params.ref, who);
      const task = tasksOf(api.store, meant)[0];
      const waiting =
        meant.attempt !== null
          ? undefined
          : pendingOf(api, who, ({ owner_uid }) => owner_uid === meant.owner_uid).find((one) => isPart(meant, one));
      const living = task !== undefined && api.store.state.tasks.has(task.uid);
      if (waiting !== undefined && !living) return waiting.view();
      if (task === undefined) throw notFound(`${params.ref} has no task`, "orch explain says what it waits for");
      return viewOf(task, lookOf(api, who));
    },
  }),
];

/** Which tasks and slots a list shows. */
interface Wish {
  readonly isOwner: (row: Owners) => boolean;
  readonly isPart: (row: Pick<TaskRow, "slot" | "member" | "attempt"> & { readonly node_id?: string }) => boolean;
  /** The filter of what is over. */
  readonly ended: { readonly app_uid?: string; readonly owner_uid?: string };
  /** What is over, of a single slot. */
  readonly over: (() => readonly TaskRow[]) | null;
}

type Owners = Pick<Pending, "owner_uid" | "app_uid">;

const OF_TASKS: readonly NameKind[] = ["app", "workload", "run", "task", "node"];
const every = (): boolean => true;

function wishOf(
  { store }: Api,
  { app, of, all }: { app?: string | undefined; of?: string | undefined; all?: boolean | undefined },
  who: Pick<Principal, "name" | "project">,
): Wish {
  const ref = app ?? of;
  if (ref === undefined) return { isOwner: every, isPart: every, ended: {}, over: null };
  const { name, project } = who;
  const found = resolve(store, ref, { name, project, kinds: app === undefined ? OF_TASKS : ["app"] });
  if (found.kind === "app") {
    const app_uid = found.app.uid;
    return { isOwner: (row) => row.app_uid === app_uid, isPart: every, ended: { app_uid }, over: null };
  }
  if (found.kind === "node") {
    if (all === true)
      throw new RefusedError(
        "bad_request",
        "all: what is over is not listed by node",
        "orch ps --all --node NODE looks through all",
      );
    return { isOwner: every, isPart: ({ node_id }) => node_id === found.node.id, ended: {}, over: null };
  }
  if (!isWork(found)) throw new RefusedError("bad_request", `${ref} has no tasks`);
  const { owner_uid, kind } = found;
  return {
    isOwner: (row) => row.owner_uid === owner_uid,
    isPart: (row) => isPart(found, row),
    ended: { owner_uid },
    over: kind === "task" ? () => tasksOf(store, found).filter(({ uid }) => !store.state.tasks.has(uid)) : null,
  };
}

/** What a list shows: a task, or a slot that waits for one. */
type Listed = TaskRow | Pending;

const byName = (a: Listed, b: Listed): number =>
  compareText(a.app ?? "", b.app ?? "") ||
  (a.run ?? 0) - (b.run ?? 0) ||
  compareText(a.workload, b.workload) ||
  seenSlot(a) - seenSlot(b) ||
  a.member - b.member ||
  a.attempt - b.attempt;
