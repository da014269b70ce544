// Routes for one workload of an app: look, scale, restart.

import { z } from "zod";
import type { RunRow, WorkloadRow } from "../../core/model/rows-work";
import { scale, type Going, type ScaleFacts } from "../../core/plan/scale";
import { ASK_LIMITS } from "../../spec/limits";
import type { Draft } from "../../store/store";
import { scaleAnswer, scaleRequest, type WorkloadDetail, workloadDetail } from "../../wire/api/apps";
import { doneAnswer } from "../../wire/api/answers";
import { runAgainRequest, runAnswer } from "../../wire/api/runs";
import { requireGrants, requireLeases } from "../access/grants";
import { jobAgain, makeRunAgain } from "../work/again";
import { askNodes } from "../work/asking";
import { neverIn } from "../work/dry";
import { requireInput, requireSatisfiable, withNodes } from "../work/runs";
import { mayTouch } from "../access/access";
import { requireRoom, withinReplicas } from "../work/require-room";
import { askedAgain, findApp, putWorkload } from "../work/apps";
import { notFound, RefusedError } from "../refused";
import { route, type Ask } from "./route";
import { environmentOf, values } from "../views/environment";
import { countsOf, workloadView } from "../views/app";
import { runLook, runView } from "../views/run";
import { taskView } from "../views/task";
import { lookOf, pendingOf, waitsOf } from "./tasks";

type Where = "project" | "app" | "workload";

/** The most tasks of a job's last run that are shown once they are over. */
const OVER_SHOWN = 20;

export const WORKLOAD_ROUTES = [
  route({
    method: "GET",
    path: "/v1/workloads/{project}/{app}/{workload}",
    answer: workloadDetail,
    query: z.object({ values }),
    summary: "One workload with its tasks; its spec for its owners",
    handle({ api, params, query, who }): WorkloadDetail {
      const { state, history } = api.store;
      const row = requireWorkload({ state }, params);
      const look = lookOf(api, who);
      const pending = pendingOf(api, who, ({ workload_uid }) => workload_uid === row.uid).toArray();
      const tasks = state.tasks
        .values()
        .filter((task) => task.app_uid === row.app_uid && task.workload === row.name)
        .toArray();
      const run = row.last_run === null ? null : (state.runs.get(row.last_run.uid) ?? history.run(row.last_run.uid));
      const over = run === null ? [] : history.tasks({ owner_uid: run.uid, limit: OVER_SHOWN });
      over.sort((a, b) => a.attempt - b.attempt || a.member - b.member);
      const inside = mayTouch(who, row) ? api.store.spec(row.spec_hash) : null;
      const { env: _env, ...spec } = inside ?? {};
      return {
        ...workloadView(row, state, countsOf(look, pending)),
        settings: { ...row.settings },
        tasks: [...[...over, ...tasks].map((task) => taskView(task, look)), ...pending.map(({ view }) => view())],
        newest_run: run === null ? null : runView(run, runLook(api, waitsOf(api), who, [run.uid])),
        spec: inside === null ? null : spec,
        ...environmentOf(inside, query.values),
      };
    },
  }),
  route({
    method: "POST",
    path: "/v1/workloads/{project}/{app}/{workload}/scale",
    body: scaleRequest,
    answer: scaleAnswer,
    summary: "Changes how many replicas a service keeps, until the next apply",
    async handle(ask): Promise<z.infer<typeof scaleAnswer>> {
      const { replicas } = ask.body;
      const { store, limits } = ask.api;
      if (replicas > ASK_LIMITS.replicas) {
        throw new RefusedError("bad_request", `replicas: at most ${ASK_LIMITS.replicas}`);
      }
      return ask.commit((draft) =>
        withinReplicas(draft, store.members, (noted) =>
          changed(noted, ask, "scaled", (row) => {
            if (row.kind !== "service")
              throw notOne(row, "a service is scaled", "orch run and orch cancel begin and end a job");
            const facts = { state: noted.state, now_ms: noted.now_ms, limits, spec: store.spec };
            return scaled(facts, row, replicas);
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
    async handle(ask): Promise<z.infer<typeof doneAnswer>> {
      const { revision } = await ask.commit((draft) =>
        changed(draft, ask, "restarted", (row) => {
          if (row.kind === "job") throw ranAgain(row);
          return { row: { ...row, version: row.version + 1 }, detail: "", goes: [] };
        }),
      );
      return { revision };
    },
  }),
  route({
    method: "POST",
    path: "/v1/workloads/{project}/{app}/{job}/run",
    body: runAgainRequest,
    answer: runAnswer,
    summary: "Runs an app's job once more, with further arguments and variables",
    async handle({ api, params, body, who, touch, commit }): Promise<z.infer<typeof runAnswer>> {
      const named = { ...params, workload: params.job };
      const known = requireWorkload(api.store, named);
      touch(known, `the app ${known.app}`);
      await askNodes(api, who.name, [{ spec: api.store.spec(known.spec_hash) }]);
      const made = await commit((draft) => {
        const job = requireWorkload(draft, named);
        touch(job, `the app ${job.app}`);
        if (job.kind !== "job") throw notOne(job, "only a job is run", "orch restart begins a service anew");
        if (job.removing) throw new RefusedError("conflict", `${job.app}.${job.name} is being removed`);
        const decl = jobAgain(job, api.store.spec(job.spec_hash), body);
        const stdin = body.stdin ?? null;
        requireInput(api, who, stdin);
        requireGrants(who, [decl]);
        requireLeases(api.limits.lease_ms, [decl]);
        requireRoom(api, who.name);
        const again = { job, decl, user: who.name, uid: api.seed(), stdin };
        if (!body.wait_for_nodes) {
          const alone = { ...again, decl: { ...decl, settings: { ...decl.settings, after: [] } } };
          const make = (dry: Draft): RunRow => makeRunAgain(dry, alone);
          const asks = decl.settings.after.length === 0;
          const request = JSON.stringify([who.name, job.uid, alone.decl, asks]);
          requireSatisfiable(neverIn(api, draft, { uid: again.uid, request, make, actor: who.name, asks }));
        }
        const { run, name, state } = withinReplicas(draft, api.store.members, (noted) => makeRunAgain(noted, again));
        return { run, name, state };
      });
      return withNodes(api, made);
    },
  }),
];

const notOne = (row: WorkloadRow, rule: string, hint: string): RefusedError =>
  new RefusedError("conflict", `${row.app}.${row.name} is a ${row.kind}: ${rule}`, hint);

const ranAgain = ({ app, name }: WorkloadRow): RefusedError =>
  new RefusedError("bad_request", `${app}.${name} is a job`, `Run it again: orch run ${app}.${name}`);

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

/** A workload as somebody has changed it. */
interface ChangedWorkload {
  readonly row: WorkloadRow;
  /** What its event says of the change. */
  readonly detail: string;
  readonly goes: readonly Going[];
}

/** Returns a service with another number of replicas. */
function scaled(facts: ScaleFacts, row: WorkloadRow, replicas: number): ChangedWorkload {
  const { without, goes } = scale(facts, row, replicas, facts.spec(row.spec_hash).exclusive);
  const said = goes.slice(0, GOES_SAID).map(({ slot, why }) => `${slot} goes (${why})`);
  if (goes.length > GOES_SAID) said.push(`and ${goes.length - GOES_SAID} more`);
  const detail = `to ${replicas}${said.length === 0 ? "" : `: ${said.join(", ")}`}`;
  return { row: { ...row, settings: { ...row.settings, replicas }, without }, detail, goes };
}

const GOES_SAID = 5;

/** Changes one workload. The change counts as a change of its app, so that a plan that was shown before is refused. */
function changed(
  draft: Draft,
  { params, who, touch }: Ask<Where, unknown, unknown>,
  verb: string,
  change: (row: WorkloadRow) => ChangedWorkload,
): z.infer<typeof scaleAnswer> {
  const before = requireWorkload(draft, params);
  touch(before, `the app ${before.app}`);
  const app = draft.state.apps.get(before.app_uid);
  if (before.removing || app === undefined) {
    throw new RefusedError("conflict", `${before.app}.${before.name} is being removed`, null);
  }
  const { row, detail, goes } = change(before);
  const changes = [...putWorkload(draft, row, before, who.name), ...askedAgain(draft.state, before.uid)];
  if (changes.length === 0) return { revision: app.revision, goes: [] };
  draft.put([
    ...changes,
    {
      table: "apps",
      key: app.uid,
      row: { ...app, revision: draft.revision, changed_by: who.name, changed_ms: draft.now_ms },
    },
  ]);
  draft.event({ verb, object: `${before.app}.${before.name}`, project: before.project, detail });
  return { revision: draft.revision, goes: [...goes] };
}
