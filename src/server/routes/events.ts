// Routes for events: what happened, and what happens now.

import { eventView } from "../../wire/api/watch";
import { list } from "../../wire/api/answers";
import { subjectOf } from "../../core/plan/events";
import { route } from "./route";
import { eventView as viewOf } from "../views/event";
import { number, page, pageOf, short } from "../http/query";
import { z } from "zod";

const EVENT_ID = /^[0-9a-z]{1,40}$/;
const NOTHING = { project: null, object: null };

export const EVENT_ROUTES = [
  route({
    method: "GET",
    path: "/v1/events",
    answer: list("events", eventView),
    query: page.extend({
      object: short.optional().describe("what is about it or its parts: `shop`, `shop.web`, a node"),
      since_ms: number.optional().describe("only those since this Unix time"),
    }),
    summary: "What people, nodes and the plan did, the newest first; with `object` what is about it or its parts",
    handle({ api, query }) {
      const { since_ms } = query;
      const { project, object } = query.object === undefined ? NOTHING : subjectOf(query.object);
      const named = project === null && object !== null;
      const node = named ? api.store.state.nodes.values().find(({ name }) => name === object) : undefined;
      const read = (limit: number, after: string | null) =>
        api.store.history
          .events({
            limit,
            ...(object === null ? {} : { object }),
            ...(node === undefined ? {} : { node_id: node.id }),
            ...(project === null ? {} : { project }),
            ...(since_ms === undefined ? {} : { since_ms }),
            ...(after === null ? {} : { before_id: after }),
          })
          .map((row) => ({ key: row.id, view: viewOf(row, api.store.state) }));
      const { items: events, next } = pageOf(query, [], read, EVENT_ID);
      return { events, next };
    },
  }),
  route({
    method: "GET",
    path: "/v1/watch",
    query: z.object({ since: number.optional().describe("the last revision that is known; left out: from now on") }),
    answer: "text/event-stream",
    summary: "Changes after the revision `since`, as server-sent events; `resync` says to read everything afresh",
    handle({ api, query, who, link }) {
      const release = api.quotas.take("watchers", who.name, link.source);
      const holds = (): boolean => api.auth.holds(who);
      const stream = api.longAnswers.keep(api.watch.open(query.since ?? null, holds), { release, holds });
      link.keepOpen();
      return new Response(stream, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
    },
  }),
];
