// Routes for apps: apply, look, remove.

import { compareText } from "../../core/canonical";
import { z } from "zod";
import { formatIssue } from "../../spec/issue";
import { parseApp } from "../../spec/parse";
import type { AppDecl } from "../../core/model/workload";
import { appDetail, applyAnswer, applyRequest, appView, validateAnswer, validateRequest } from "../../wire/api/apps";
import { doneAnswer, list } from "../../wire/api/answers";
import { mayTouch } from "../access/access";
import type { Api } from "./api";
import { applyApp, type Applied, type Applying } from "../work/apply";
import { findApp, removeWorkload, workloadsOf } from "../work/apps";
import type { Principal } from "../access/auth";
import { requireGrants, requireLeases } from "../access/grants";
import { notFound, RefusedError } from "../refused";
import { page, pageOf } from "../http/query";
import { route } from "./route";
import { requireRoom, withinReplicas } from "../work/require-room";
import { appView as viewOf, countsOf } from "../views/app";
import { lookOf, pendingOf } from "./tasks";

/** Returns the app that a text declares, in the project that the text names or else in `project`. */
export function declared(
  text: string,
  file: string,
  project: string,
): { readonly decl: AppDecl; readonly project: string } {
  const parsed = parseApp(text, file);
  if (parsed.is === "parsed") return { decl: parsed.app, project: parsed.app.project ?? project };
  const [first] = parsed.issues;
  const more = parsed.issues.length - 1;
  throw new RefusedError(
    "spec",
    first === undefined
      ? `${file} is not a spec`
      : `${formatIssue(file, { ...first, hint: null })}${more > 0 ? ` (and ${more} more)` : ""}`,
    null,
    parsed.issues,
  );
}

/** Turns a request to apply into the value that the transaction applies. */
export function applying(api: Api, asked: z.infer<typeof applyRequest>, who: Principal, project: string): Applying {
  return {
    ...declared(asked.text, asked.file, project),
    text: asked.text,
    revision: asked.revision,
    user: who.name,
    fresh: api.seed,
    spec: api.store.spec,
    limits: api.limits,
  };
}

export const APP_ROUTES = [
  route({
    method: "PUT",
    path: "/v1/apps/{project}/{app}",
    body: applyRequest,
    answer: applyAnswer,
    summary: "Applies a spec: the cluster becomes what it declares",
    async handle({ api, params, body, who, touch, commit }): Promise<z.infer<typeof applyAnswer>> {
      const wanted = applying(api, body, who, params.project);
      if (wanted.decl.app !== params.app || wanted.project !== params.project) {
        throw new RefusedError(
          "bad_request",
          `the spec is of ${wanted.project}/${wanted.decl.app}, the address of ` + `${params.project}/${params.app}`,
        );
      }
      touch({ project: wanted.project }, `the app ${wanted.decl.app}`);
      const done: Applied = await commit((draft) => {
        requireGrants(who, wanted.decl.workloads);
        requireLeases(api.limits.lease_ms, wanted.decl.workloads);
        requireRoom(api, who.name);
        return withinReplicas(draft, api.store.members, (noted) => applyApp(noted, wanted));
      });
      return {
        ...done,
        runs: [...done.runs],
        changes: done.changes.map(({ name, change, detail }) => ({ name, change, detail })),
        goes: [...done.goes],
      };
    },
  }),
  route({
    method: "POST",
    path: "/v1/validate",
    body: validateRequest,
    answer: validateAnswer,
    summary: "Checks a spec without looking at the cluster",
    handle({ body, who }): z.infer<typeof validateAnswer> {
      const { decl, project } = declared(body.text, body.file, who.project);
      return { app: decl.app, project, workloads: decl.workloads.map(({ name, kind }) => ({ name, kind })) };
    },
  }),
  route({
    method: "GET",
    path: "/v1/apps",
    answer: list("apps", appView),
    summary: "All apps",
    query: page,
    handle({ api, query, who }) {
      const { state } = api.store;
      const counts = countsOf(lookOf(api, who), pendingOf(api, who));
      const workloads = Map.groupBy(state.workloads.values(), ({ app_uid }) => app_uid);
      const all = state.apps
        .values()
        .toArray()
        .sort((a, b) => compareText(a.project, b.project) || compareText(a.name, b.name));
      const { items, next } = pageOf(query, all, null);
      return { apps: items.map((app) => viewOf(app, state, counts, workloads.get(app.uid) ?? [])), next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/apps/{project}/{app}",
    answer: appDetail,
    summary: "One app and, for its owners, its spec",
    handle({ api, params, who }): z.infer<typeof appDetail> {
      const app = requireApp(api, params.project, params.app);
      const { state } = api.store;
      const counts = countsOf(
        lookOf(api, who),
        pendingOf(api, who, ({ app_uid }) => app_uid === app.uid),
      );
      return { ...viewOf(app, state, counts), text: mayTouch(who, app) ? app.text : null };
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/apps/{project}/{app}",
    answer: doneAnswer,
    summary: "Removes an app: its tasks are stopped, its jobs cancelled; the name is free when the last one is over",
    async handle({ params, who, touch, commit }): Promise<z.infer<typeof doneAnswer>> {
      return commit((draft) => {
        const app = findApp(draft.state, params.project, params.app);
        if (app === undefined) throw noApp(params.project, params.app);
        touch(app, `the app ${app.name}`);
        if (app.removing) return { revision: app.revision };
        const going = workloadsOf(draft.state, app.uid).filter((workload) => !workload.removing);
        const row = {
          ...app,
          removing: true,
          revision: draft.revision,
          changed_by: who.name,
          changed_ms: draft.now_ms,
        };
        draft.put([
          { table: "apps", key: app.uid, row },
          ...going.flatMap((workload) => removeWorkload(draft, workload, who.name)),
        ]);
        draft.event({ verb: "removed", object: app.name, project: app.project, detail: `${going.length} workloads` });
        return { revision: draft.revision };
      });
    },
  }),
];

const noApp = (project: string, app: string): RefusedError =>
  notFound(`there is no app ${project}/${app}`, "orch apps shows what there is");

function requireApp(api: Api, project: string, name: string) {
  const app = findApp(api.store.state, project, name);
  if (app === undefined) throw noApp(project, name);
  return app;
}
