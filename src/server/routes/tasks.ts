// Routes for tasks and the slots that wait for one; on request also for tasks that have ended.

import { compareText } from "../../core/canonical";
import { z } from "zod";
import type { TaskRow } from "../../core/model/rows-task";
import { isPart, parseApp, seenSlot } from "../../core/model/task";
import { taskView } from "../../wire/api/tasks";
import { list } from "../../wire/api/answers";
import type { Api } from "./api";
import { notFound } from "../refused";
import { appOf, meantBy, tasksOf } from "../work/resolve";
import { route } from "./route";
import { type Ended, flag, page, pageOf, short } from "../http/query";
import { type Pending, pendingSlots, taskView as viewOf } from "../views/task";

/** The slots that wait now, of all owners or of some. */
export const pendingOf = (
  { store, loop }: Pick<Api, "store" | "loop">,
  isMeant?: Parameters<typeof pendingSlots>[1],
): Generator<Pending> =>
  pendingSlots({ state: store.state, spec: store.spec, blocked: loop.blocked(), now_ms: store.now() }, isMeant);

export const TASK_ROUTES = [
  route({
    method: "GET",
    path: "/v1/tasks",
    query: page.extend({
      app: short.optional().describe("only those of this app: `shop`, or `project/shop`"),
      all: flag.optional().describe("also those that are over"),
    }),
    answer: list("tasks", taskView),
    summary: "Living tasks and waiting slots, of one app or of all; with `all` also what is over, the newest first",
    handle({ api, query, who }) {
      const { state, history } = api.store;
      const uid = query.app === undefined ? null : requireApp(api, query.app, who.project);
      const isMeant = ({ app_uid }: { readonly app_uid: string | null }): boolean => uid === null || app_uid === uid;
      const living: Listed[] = [...state.tasks.values().filter(isMeant), ...pendingOf(api, isMeant)].sort(byName);
      const ended = (limit: number, after: string | null): Ended<Listed>[] =>
        history
          .tasks({ limit, ...(uid === null ? {} : { app_uid: uid }), ...(after === null ? {} : { before_uid: after }) })
          .map((task) => ({ key: task.uid, view: task }));
      const { items, next } = pageOf(query, living, query.all === true ? ended : null);
      return { tasks: items.map((one) => ("view" in one ? one.view() : viewOf(one, state))), next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/tasks/{ref}",
    answer: taskView,
    summary: "One task, by the start of its id or by its name: then its newest attempt, or the slot that waits",
    handle({ api, params, who }): z.infer<typeof taskView> {
      const meant = meantBy(api.store, params.ref, who.project);
      const task = tasksOf(api.store, meant)[0];
      const waiting =
        meant.attempt !== null
          ? undefined
          : pendingOf(api, ({ owner_uid }) => owner_uid === meant.owner_uid).find((one) => isPart(meant, one));
      const living = task !== undefined && api.store.state.tasks.has(task.uid);
      if (waiting !== undefined && !living) return waiting.view();
      if (task === undefined) throw notFound(`${params.ref} has no task`, "orch explain says what it waits for");
      return viewOf(task, api.store.state);
    },
  }),
];

function requireApp(api: Api, ref: string, own: string): string {
  const name = parseApp(ref);
  const uid = name === null ? null : appOf(api.store.state, name.project, name.app, own);
  if (uid === null) throw notFound(`there is no app ${ref}`, "orch ps shows what there is");
  return uid;
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
