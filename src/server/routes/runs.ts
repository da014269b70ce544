// Routes for runs: make one, look, cancel, and decide about one whose end nobody knows.

import { z } from "zod";
import type { RunRow, Settled } from "../../core/model/rows-work";
import type { WorkloadDecl } from "../../core/model/workload";
import { isFinal } from "../../core/model/lifecycle";
import { trace } from "../../os/trace";
import { legalName } from "../../spec/grammar/names";
import { readSignal } from "../../spec/grammar/units";
import { parseJob } from "../../spec/parse";
import type { Draft } from "../../store/store";
import {
  cancelRequest,
  retryAnswer,
  runAnswer,
  runDetail,
  runRequest,
  type RunView,
  runView,
  settleRequest,
} from "../../wire/api/runs";
import { list } from "../../wire/api/answers";
import type { Api } from "./api";
import { askNodes } from "../work/asking";
import { neverIn } from "../work/dry";
import { requirePerson } from "../access/people";
import { requireGrants, requireLeases } from "../access/grants";
import { RefusedError } from "../refused";
import { requireRoom, withinReplicas } from "../work/require-room";
import { route } from "./route";
import { type Ended, flag, number, page, pageOf, short } from "../http/query";
import { cancelRun, requireInput, requireSatisfiable, makeRun, type Making, withNodes } from "../work/runs";
import { repeatRun } from "../work/repeat";
import { settleRun } from "../work/settle";
import type { Principal } from "../access/auth";
import { requireRun, requireWholeRun } from "../work/resolve";
import { values } from "../views/environment";
import { runInside, runLook, runView as viewOf } from "../views/run";
import { shownRunState } from "../views/waits";
import { taskView } from "../views/task";
import { waitsOf } from "./tasks";

/** The order of the list: running runs, then the queue, then the rest. */
const ORDER: Readonly<Record<RunRow["state"], number>> = {
  running: 0,
  queued: 1,
  waiting: 2,
  succeeded: 3,
  failed: 3,
  cancelled: 3,
};

export const RUN_ROUTES = [
  route({
    method: "POST",
    path: "/v1/runs",
    body: runRequest,
    answer: runAnswer,
    summary: "Makes a job in no app and queues it; refused when no known node could ever run it",
    async handle({ api, body, who, touch, commit }): Promise<z.infer<typeof runAnswer>> {
      trace("server: read");
      const project = body.project ?? who.project;
      touch({ project }, "the run");
      const decl = declaredJob(body.job, body.name);
      const stdin = body.stdin ?? null;
      const { history, spec } = api.store;
      const making = { decl, project, who, uid: api.seed(), history, spec, stdin };
      await askNodes(api, who.name, [decl]);
      trace("server: asked the nodes");
      const made = await commit((draft) => {
        requireInput(api, who, stdin);
        requireGrants(who, [decl]);
        requireLeases(api.limits.lease_ms, [decl]);
        requireRoom(api, who.name);
        if (!body.wait_for_nodes) requirePossible(api, draft, making);
        const { run, name, state } = withinReplicas(draft, api.store.members, (noted) => makeRun(noted, making));
        return { run, name, state };
      });
      trace("server: answers");
      return withNodes(api, made);
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs",
    answer: list("runs", runView),
    query: page.extend({
      all: flag.optional().describe("also those that are over"),
      user: short.optional().describe("only this user's"),
      project: short.optional().describe("only this project's"),
      since_ms: number.optional().describe("also those that ended since this Unix time"),
    }),
    summary:
      "Runs that wait or run, in the order of the queue; with `all` or `since_ms` what is over too, newest first",
    handle({ api, query, who }) {
      const { state, history } = api.store;
      const waits = waitsOf(api);
      const wanted = (run: RunRow): boolean =>
        (query.user === undefined || run.user === query.user) &&
        (query.project === undefined || run.project === query.project) &&
        (query.since_ms === undefined || (run.finished_ms ?? Infinity) >= query.since_ms);
      const withEnded = query.all === true || query.since_ms !== undefined;
      const living = state.runs
        .values()
        .filter(wanted)
        .map((run) => ({ run, rank: ORDER[shownRunState(run, waits)], place: waits.order(run.uid) }))
        .toArray()
        .sort((a, b) =>
          withEnded ? b.run.run - a.run.run : a.rank - b.rank || a.place - b.place || a.run.run - b.run.run,
        )
        .map(({ run }) => run);
      const { user, project, since_ms } = query;
      const ended = (limit: number, after: string | null): Ended<RunRow>[] =>
        history
          .runs({
            limit,
            ...(user === undefined ? {} : { user }),
            ...(project === undefined ? {} : { project }),
            ...(since_ms === undefined ? {} : { since_ms }),
            ...(after === null ? {} : { before_run: Number(after) }),
          })
          .map((run) => ({ key: String(run.run), view: run }));
      const { items, next } = withEnded ? byNumber(query, living, ended) : pageOf(query, living, null);
      if (items.length === 0 && user !== undefined) requirePerson(api.store, user);
      const look = runLook(
        api,
        waits,
        who,
        items.map(({ uid }) => uid),
      );
      return { runs: items.map((run) => viewOf(run, look)), next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/runs/{run}",
    answer: runDetail,
    query: page.extend({ values }),
    summary: "One run with its tasks, the newest of them when they are many; by its number or its job's name",
    handle({ api, params, query, who }): z.infer<typeof runDetail> {
      const { state, history } = api.store;
      const run = requireRun(api.store, params.run, who);
      const living = state.tasks
        .values()
        .filter((task) => task.owner_uid === run.uid)
        .toArray();
      const { items, next } = pageOf(query, living, (limit, after) =>
        history
          .tasks({ owner_uid: run.uid, limit, ...(after === null ? {} : { before_uid: after }) })
          .map((task) => ({ key: task.uid, view: task })),
      );
      items.sort((a, b) => a.slot - b.slot || a.member - b.member || a.attempt - b.attempt);
      const look = runLook(api, waitsOf(api), who, [run.uid]);
      const tasks = items.map((task) => taskView(task, look));
      return { ...viewOf(run, look), ...runInside(run, look, api.store, who, items, query), tasks, next };
    },
  }),
  route({
    method: "POST",
    path: "/v1/runs/{run}/cancel",
    body: cancelRequest,
    answer: runView,
    summary: "Ends a run: what waits never starts, what runs is stopped. A run that is over stays as it is",
    async handle({ api, params, body, who, touch, commit }): Promise<z.infer<typeof runView>> {
      const signal = signalOf(body.signal);
      return commit((draft) => {
        const found = requireWholeRun(api.store, params.run, who);
        const run = draft.state.runs.get(found.uid) ?? found;
        touch(run, `run ${run.run}`);
        const after = draft.state.runs.has(run.uid) ? cancelRun(draft, run, who.name, signal) : run;
        return changedView(api, draft, after, who);
      });
    },
  }),
  route({
    method: "POST",
    path: "/v1/runs/{run}/retry",
    answer: retryAnswer,
    summary: "Runs a run again whose end nobody knows; of one that has ended it makes another run, as that one was",
    async handle({ api, params, who, touch, commit }): Promise<z.infer<typeof retryAnswer>> {
      const { spec_hash } = requireWholeRun(api.store, params.run, who);
      if (api.store.hasSpec(spec_hash)) await askNodes(api, who.name, [{ spec: api.store.spec(spec_hash) }]);
      const uid = api.seed();
      return commit((draft) => {
        const found = requireWholeRun(api.store, params.run, who);
        const run = draft.state.runs.get(found.uid) ?? found;
        if (!isFinal(run.state)) {
          return { ...settled({ api, ref: params.run, who, touch, draft }, "again"), retry_of: null };
        }
        touch(run, `run ${run.run}`);
        const row = repeatRun(draft, { context: api, run, who, uid });
        return { ...changedView(api, draft, row, who), retry_of: run.run };
      });
    },
  }),
  route({
    method: "POST",
    path: "/v1/runs/{run}/settle",
    body: settleRequest,
    answer: runView,
    summary: "Says how a run ended whose end nobody knows",
    async handle({ api, params, body, who, touch, commit }): Promise<z.infer<typeof runView>> {
      return commit((draft) => settled({ api, ref: params.run, who, touch, draft }, body.as));
    },
  }),
];

/** Returns a run as a transaction leaves it. */
const changedView = (api: Api, { state }: Draft, run: RunRow, who: Principal): RunView =>
  viewOf(run, runLook(api, waitsOf(api, state), who, [run.uid], state));

/**
 * Returns one page of living and ended runs together, the newest first. A page continues behind a run's number, so that
 * runs that are made or end meanwhile come neither twice nor not at all.
 */
function byNumber(
  query: Parameters<typeof pageOf>[0],
  living: readonly RunRow[],
  ended: (limit: number, after: string | null) => Ended<RunRow>[],
): { readonly items: RunRow[]; readonly next: string | null } {
  return pageOf<RunRow>(query, [], (limit, after) => {
    const alive = living.filter(({ run }) => after === null || run < Number(after)).slice(0, limit);
    const merged = [...alive.map((run) => ({ key: String(run.run), view: run })), ...ended(limit, after)];
    const once = new Map(merged.toReversed().map((one) => [one.key, one]));
    return [...once.values()].sort((a, b) => b.view.run - a.view.run).slice(0, limit);
  });
}

interface Settling {
  readonly api: Api;
  readonly ref: string;
  readonly who: Principal;
  readonly touch: (thing: RunRow, what: string) => void;
  readonly draft: Draft;
}

function settled({ api, ref, who, touch, draft }: Settling, as: Settled["as"]): RunView {
  const found = requireWholeRun(api.store, ref, who);
  const run = draft.state.runs.get(found.uid) ?? found;
  touch(run, `run ${run.run}`);
  settleRun(draft, run, as, who.name);
  return changedView(api, draft, run, who);
}

/**
 * Throws RefusedError if no node could run the run even if all nodes were empty. A run that only has to wait for others
 * to end is not refused, and they may make what nodes lack now.
 */
function requirePossible(api: Api, draft: Draft, making: Making): void {
  const { decl } = making;
  const alone = { ...making, decl: { ...decl, settings: { ...decl.settings, after: [] } } };
  const make = (dry: Draft): RunRow => makeRun(dry, alone);
  const asks = decl.settings.after.length === 0;
  const request = JSON.stringify([making.who.name, making.project, alone.decl, asks]);
  requireSatisfiable(neverIn(api, draft, { uid: making.uid, request, make, actor: making.who.name, asks }));
}

function declaredJob(job: Record<string, unknown>, name: string | null): WorkloadDecl {
  const parsed = parseJob(job, name ?? nameOf(job));
  if (parsed.is === "parsed") return parsed.workload;
  const [first] = parsed.issues;
  throw new RefusedError(
    "spec",
    first === undefined ? "this is not a job" : `${first.path === "" ? "" : `${first.path}: `}${first.message}`,
    first?.hint ?? null,
    parsed.issues,
  );
}

/**
 * Returns the name of a run that was given none: the name of its program. `python3 train.py` becomes `python3`. A
 * script that begins with a word of the shell's own is called by its shell.
 */
function nameOf({ command, run }: Record<string, unknown>): string {
  const first: unknown = Array.isArray(command) ? command[0] : typeof run === "string" ? programOf(run) : null;
  return typeof first === "string" ? (legalName(first.slice(0, 4_096).split("/").at(-1) ?? "") ?? "run") : "run";
}

/** Words with which a script begins that are no program. */
const SHELL_WORDS: ReadonlySet<string> = new Set(
  "for while until if case select function set export cd source eval trap ulimit umask . : ! [ [[".split(" "),
);

function programOf(script: string): string {
  const word = script
    .trim()
    .split(/\s+/)
    .find((one) => !/^[A-Za-z_]\w*=/.test(one) && one !== "exec" && one !== "time");
  return word === undefined || SHELL_WORDS.has(word) || /^[#{(]/.test(word) ? "sh" : word;
}

function signalOf(text: string | null): string | null {
  if (text === null) return null;
  const read = readSignal(text.slice(0, 40));
  if (read.is === "parsed") return read.value;
  throw new RefusedError("bad_request", read.message, read.hint);
}
