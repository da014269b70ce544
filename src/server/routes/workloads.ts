// Routes for one workload of an app: look, scale, restart.

import { z } from "zod";
import type { WorkloadRow } from "../../core/model/rows-work";
import { ASK_LIMITS } from "../../spec/limits";
import type { Draft } from "../../store/store";
import { scaleRequest, type WorkloadDetail, workloadDetail } from "../../wire/api/apps";
import { doneAnswer } from "../../wire/api/answers";
import { mayTouch } from "../access/access";
import { withinReplicas } from "../work/require-room";
import { askedAgain, findApp, putWorkload } from "../work/apps";
import { notFound, RefusedError } from "../refused";
import { route, type Ask } from "./route";
import { countsOf, workloadView } from "../views/app";
import { taskView } from "../views/task";
import { pendingOf } from "./tasks";

type Where = "project" | "app" | "workload";

export const WORKLOAD_ROUTES = [
  route({
    method: "GET",
    path: "/v1/workloads/{project}/{app}/{workload}",
    answer: workloadDetail,
    summary: "One workload with its tasks; its spec for its owners",
    handle({ api, params, who }): WorkloadDetail {
      const { state } = api.store;
      const row = requireWorkload({ state }, params);
      const pending = pendingOf(api, ({ workload_uid }) => workload_uid === row.uid).toArray();
      const tasks = state.tasks
        .values()
        .filter((task) => task.app_uid === row.app_uid && task.workload === row.name)
        .map((task) => taskView(task, state))
        .toArray();
      return {
        ...workloadView(row, state, countsOf(state, pending)),
        settings: { ...row.settings },
        tasks: [...tasks, ...pending.map(({ view }) => view())],
        spec: mayTouch(who, row) ? { ...api.store.spec(row.spec_hash) } : null,
      };
    },
  }),
  route({
    method: "POST",
    path: "/v1/workloads/{project}/{app}/{workload}/scale",
    body: scaleRequest,
    answer: doneAnswer,
    summary: "Changes how many replicas a service keeps, until the next apply",
    async handle(ask): Promise<z.infer<typeof doneAnswer>> {
      const { replicas } = ask.body;
      if (replicas > ASK_LIMITS.replicas) {
        throw new RefusedError("bad_request", `replicas: at most ${ASK_LIMITS.replicas}`);
      }
      return ask.commit((draft) =>
        withinReplicas(draft, ask.api.store.members, (noted) =>
          changed(noted, ask, "scaled", `to ${replicas}`, (row) => {
            if (row.kind !== "service") throw notOne(row, "a service is scaled");
            return { ...row, settings: { ...row.settings, replicas } };
          }),
        ),
      );
    },
  }),
  route({
    method: "POST",
    path: "/v1/workloads/{project}/{app}/{workload}/restart",
    answer: doneAnswer,
    summary: "Replaces a workload's tasks by new ones of the same spec",
    handle: async (ask): Promise<z.infer<typeof doneAnswer>> =>
      ask.commit((draft) =>
        changed(draft, ask, "restarted", "", (row) => {
          if (row.kind === "job") throw notOne(row, "a job is run again, not restarted");
          return { ...row, version: row.version + 1 };
        }),
      ),
  }),
];

const notOne = (row: WorkloadRow, rule: string): RefusedError =>
  new RefusedError("conflict", `${row.app}.${row.name} is a ${row.kind}: ${rule}`);

function requireWorkload(
  { state }: Pick<Draft, "state">,
  { project, app, workload }: Readonly<Record<Where, string>>,
): WorkloadRow {
  const uid = findApp(state, project, app)?.uid;
  const row = state.workloads.values().find((one) => one.app_uid === uid && one.name === workload);
  if (row === undefined)
    throw notFound(`there is no workload ${app}.${workload} in project ${project}`, "orch ps shows what there is");
  return row;
}

/** Changes one workload. The change counts as a change of its app, so that a plan that was shown before is refused. */
function changed(
  draft: Draft,
  { params, who, touch }: Ask<Where, unknown, unknown>,
  verb: string,
  detail: string,
  change: (row: WorkloadRow) => WorkloadRow,
): z.infer<typeof doneAnswer> {
  const before = requireWorkload(draft, params);
  touch(before, `the app ${before.app}`);
  const app = draft.state.apps.get(before.app_uid);
  if (before.removing || app === undefined) {
    throw new RefusedError("conflict", `${before.app}.${before.name} is being removed`, null);
  }
  const changes = [...putWorkload(draft, change(before), before, who.name), ...askedAgain(draft.state, before.uid)];
  if (changes.length === 0) return { revision: app.revision };
  draft.put([
    ...changes,
    {
      table: "apps",
      key: app.uid,
      row: { ...app, revision: draft.revision, changed_by: who.name, changed_ms: draft.now_ms },
    },
  ]);
  draft.event({ verb, object: `${before.app}.${before.name}`, project: before.project, detail });
  return { revision: draft.revision };
}
