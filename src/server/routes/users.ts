// Routes for people: adding, listing and removing users, and showing a caller's own identity.

import { compareText } from "../../core/canonical";
import type { z } from "zod";
import { readName } from "../../spec/grammar/names";
import { meView, userRequest, userView } from "../../wire/api/access";
import { doneAnswer, list } from "../../wire/api/answers";
import { notFound, RefusedError } from "../refused";
import { page, wholeOrPage } from "../http/query";
import { route } from "./route";

export const USER_ROUTES = [
  route({
    method: "POST",
    path: "/v1/users",
    body: userRequest,
    answer: userView,
    summary: "Adds a person",
    handle: ({ body, commit }) =>
      commit((draft): z.infer<typeof userView> => {
        for (const name of [body.name, body.project ?? body.name]) {
          const read = readName(name);
          if (read.is === "invalid") throw new RefusedError("bad_request", read.message, read.hint);
        }
        const unix_user = body.unix_user ?? body.name;
        if (!/^[a-z_][a-z0-9_.-]{0,31}$/i.test(unix_user)) {
          throw new RefusedError("bad_request", "unix_user is not the name of a Unix account");
        }
        if (draft.state.users.has(body.name)) {
          throw new RefusedError(
            "conflict",
            `there is a user ${body.name} already`,
            "A further token: orch token new --user NAME",
          );
        }
        const row = {
          name: body.name,
          role: body.role,
          unix_user,
          project: body.project ?? body.name,
          created_ms: draft.now_ms,
        };
        draft.put([{ table: "users", key: row.name, row }]);
        draft.event({
          verb: "user_added",
          object: row.name,
          project: row.project,
          detail: `${row.role}, account ${unix_user}`,
        });
        return row;
      }),
  }),
  route({
    method: "GET",
    path: "/v1/users",
    answer: list("users", userView),
    summary: "All people",
    query: page,
    handle({ api, query }) {
      const all = api.store.state.users
        .values()
        .toArray()
        .sort((a, b) => compareText(a.name, b.name));
      const { items: users, next } = wholeOrPage(query, all);
      return { users, next };
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/users/{name}",
    answer: doneAnswer,
    summary: "Removes a person and revokes their tokens; their work goes on",
    handle: ({ params, who, commit }) =>
      commit((draft) => {
        const { users, tokens } = draft.state;
        const user = users.get(params.name);
        if (user === undefined)
          throw notFound(`there is no user ${params.name.slice(0, 40)}`, "orch user ls shows them");
        if (user.name === who.name)
          throw new RefusedError("conflict", "nobody removes themselves", "Ask another admin");
        const held = tokens.values().filter((row) => row.user === user.name && row.revoked_ms === null);
        draft.put([
          { table: "users", key: user.name, row: null },
          ...held.map((row) => ({ table: "tokens" as const, key: row.id, row: { ...row, revoked_ms: draft.now_ms } })),
        ]);
        draft.event({ verb: "user_removed", object: user.name, project: user.project, detail: "" });
        return { revision: draft.revision };
      }),
  }),
  route({
    method: "GET",
    path: "/v1/me",
    answer: meView,
    summary: "Who the token says one is",
    handle({ api, who }): z.infer<typeof meView> {
      const { cluster_id, revision } = api.store.state.cluster;
      return {
        user: who.name,
        role: who.role,
        project: who.project,
        unix_user: who.unix_user,
        token_id: who.token_id,
        cluster_id,
        revision,
      };
    },
  }),
];
