// Routes for events: what happened, and what happens now.

import { eventsAnswer } from "../../wire/api/watch";
import type { NameKind } from "../../wire/api/names";
import { taskName } from "../../core/model/task";
import { subjectOf } from "../../core/plan/events";
import type { Principal } from "../access/auth";
import { wordingFor } from "../access/wording";
import type { RunRow } from "../../core/model/rows-work";
import type { Store } from "../../store/store";
import { RefusedError } from "../refused";
import { isWork, type Meant, type NamedThing } from "../work/named";
import { resolve, runByNumber } from "../work/resolve";
import type { Api } from "./api";
import { route } from "./route";
import { eventView as viewOf } from "../views/event";
import { number, page, pageOf, short } from "../http/query";
import { z } from "zod";

const EVENT_ID = /^[0-9a-z]{1,40}$/;

/** What the events of a typed name are about. `unknown`: nothing that there is has the name. */
interface Subject {
  readonly subject: string;
  /** The whole run that is meant. Its events, and those of its tasks, tell its number. */
  readonly run: number | null;
  readonly unknown: RefusedError | null;
}

/** Returns the subject of events for a typed name: the name under which they were written. */
function subjectNamed({ store }: Api, ref: string, { name, project }: Pick<Principal, "name" | "project">): Subject {
  try {
    const found = resolve(store, ref, { name, project, kinds: WITH_EVENTS });
    const run = isWork(found) && isWholeRun(found) ? (found.run?.run ?? null) : null;
    return { subject: subjectIn(found) ?? ref, run, unknown: null };
  } catch (error) {
    if (!(error instanceof RefusedError) || error.code !== "not_found") throw error;
    return { subject: ref, run: null, unknown: error };
  }
}

/**
 * Returns whether the events of the whole run are told. Those of an app's job name a slot, which is the same in all
 * runs of the job, so that the run's number tells more than a part such as `123_0`. Elements of arrays have none.
 */
const isWholeRun = ({ kind, task, workload, run, element }: Meant): boolean =>
  kind === "run" || element !== null || (task === null && workload === null && run?.app !== null);

/** Returns a look-up of runs by number that asks for each once. */
function runsOf(store: Pick<Store, "state" | "history">): (run: number) => RunRow | null {
  const known = new Map<number, RunRow | null>();
  return (run) => {
    const found = known.get(run);
    if (found !== undefined) return found;
    const row = runByNumber(store, run);
    known.set(run, row);
    return row;
  };
}

const WITH_EVENTS: readonly NameKind[] = ["run", "task", "workload", "app", "node"];

function subjectIn(found: NamedThing): string | null {
  if (found.kind === "app") return `${found.app.project}/${found.app.name}`;
  if (found.kind === "node") return found.node.name;
  if (found.kind === "card") return null;
  const { task, run, workload, project, slot, member, attempt, element } = found;
  if (element !== null && run !== null) return `${project}/${run.run}`;
  if (task !== null) return `${project}/${taskName(task)}`;
  const tries = attempt === null || attempt === 1 ? "" : `#${attempt}`;
  if (workload !== null) {
    const part = [workload.app, workload.name, slot, member].filter((one) => one !== null).join(".");
    return `${project}/${part}${tries}`;
  }
  const at = member ?? slot ?? 0;
  return run === null ? null : `${project}/${run.run}${at === 0 ? "" : `.${at}`}${tries}`;
}

const NOTHING = { project: null, object: null };

export const EVENT_ROUTES = [
  route({
    method: "GET",
    path: "/v1/events",
    answer: eventsAnswer,
    query: page.extend({
      object: short.optional().describe("what is about it or its parts: `shop`, `shop.web`, a node"),
      since_ms: number.optional().describe("only those since this Unix time"),
    }),
    summary: "What people, nodes and the plan did, the newest first; with `object` what is about it or its parts",
    handle({ api, query, who }) {
      const { since_ms } = query;
      const about = query.object === undefined ? null : subjectNamed(api, query.object, who);
      const { project, object } = about === null ? NOTHING : subjectOf(about.subject);
      const named = project === null && object !== null;
      const node = named ? api.store.state.nodes.values().find(({ name }) => name === object) : undefined;
      const look = { state: api.store.state, runOf: runsOf(api.store), wording: wordingFor(who, api.store) };
      const read = (limit: number, after: string | null) =>
        api.store.history
          .events({
            limit,
            ...(object === null ? {} : { object }),
            ...(node === undefined ? {} : { node_id: node.id }),
            ...(about === null || about.run === null ? {} : { run: about.run }),
            ...(project === null ? {} : { project }),
            ...(since_ms === undefined ? {} : { since_ms }),
            ...(after === null ? {} : { before_id: after }),
          })
          .map((row) => ({ key: row.id, view: viewOf(row, look) }));
      const { items: events, next } = pageOf(query, [], read, EVENT_ID);
      // What is gone still has events, so that only a name without any is unknown.
      if (events.length === 0 && about !== null && about.unknown !== null) throw about.unknown;
      return { events, next, subject: about?.subject ?? null, run: about?.run ?? null };
    },
  }),
  route({
    method: "GET",
    path: "/v1/watch",
    query: z.object({ since: number.optional().describe("the last revision that is known; left out: from now on") }),
    answer: "text/event-stream",
    summary:
      "Changes after the revision `since`, as server-sent events; `resync` says to read everything afresh. All read " +
      "the same, so reasons name no command and no path",
    handle({ api, query, who, link }) {
      const release = api.quotas.take("watchers", who.name, link.source);
      const holds = (): boolean => api.auth.holds(who);
      const stream = api.longAnswers.keep(api.watch.open(query.since ?? null, holds), { release, holds });
      link.keepOpen();
      return new Response(stream, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
    },
  }),
];
