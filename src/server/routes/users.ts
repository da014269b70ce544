// Routes for people: adding, listing and removing users, and showing a caller's own identity.

import { descendantsOf, ownerOf } from "../access/tokens";
import { compareText } from "../../core/canonical";
import type { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import type { UserRow } from "../../core/model/rows-state";
import { readName } from "../../spec/grammar/names";
import { grantRequest, meView, userAnswer, userRequest, userView } from "../../wire/api/access";
import { doneAnswer, list } from "../../wire/api/answers";
import { noUser } from "../work/unresolved";
import { RefusedError } from "../refused";
import { page, pageOf } from "../http/query";
import { requireAccounts } from "../access/accounts";
import { userGrave } from "../access/people";
import { accountsOnNodes } from "../work/asking";
import type { Draft } from "../../store/store";
import type { Api } from "./api";
import { route } from "./route";

type UserView = z.infer<typeof userView>;
type UserAnswer = z.infer<typeof userAnswer>;

const viewOf = ({ name, role, unix_user, accounts, project, created_ms }: UserRow): UserView => ({
  name,
  role,
  unix_user,
  accounts: [...accounts],
  project,
  created_ms,
});

const ACCOUNTS_MOST = HOUSE_LIMITS.accounts_each;

/** Returns the granted accounts after a change, each once and in order. */
function withAccounts(before: readonly string[], grant: readonly string[], revoke: readonly string[]): string[] {
  const after = new Set([...before, ...grant]);
  for (const one of revoke) after.delete(one);
  if (after.size > ACCOUNTS_MOST) {
    throw new RefusedError("bad_request", `more than ${ACCOUNTS_MOST} accounts are not granted to one user`);
  }
  return [...after].sort(compareText);
}

function userOf({ state }: Draft, name: string): UserRow {
  const user = state.users.get(name);
  if (user === undefined) throw noUser(state, name);
  return user;
}

function requireNewName({ store }: Api, { state }: Draft, name: string, again: boolean): void {
  if (state.users.has(name)) {
    throw new RefusedError(
      "conflict",
      `there is a user ${name} already`,
      "A further token: orch token new --user NAME",
    );
  }
  if (again) return;
  const isOwner = [state.workloads, state.runs, state.tasks].some((rows) =>
    rows.values().some((row: { readonly user: string }) => row.user === name),
  );
  if (!isOwner && !store.history.hasGrave(userGrave(name))) return;
  throw new RefusedError(
    "conflict",
    `a user ${name} was removed, whose work a new one of that name would get`,
    `Choose another name; or, if it is the same person: orch user add ${name} --again`,
  );
}

export const USER_ROUTES = [
  route({
    method: "POST",
    path: "/v1/users",
    body: userRequest,
    answer: userAnswer,
    summary: "Adds a person, and says on which nodes their accounts are",
    async handle({ api, body, commit }): Promise<UserAnswer> {
      const unix_user = body.unix_user ?? body.name;
      const named = [...new Set([unix_user, ...body.accounts])];
      await requireAccounts(body.role, named);
      const on_nodes = await accountsOnNodes(api, named);
      return commit((draft) => {
        for (const name of [body.name, body.project ?? body.name]) {
          const read = readName(name);
          if (read.is === "invalid") throw new RefusedError("bad_request", read.message, read.hint);
        }
        requireNewName(api, draft, body.name, body.again);
        const row: UserRow = {
          name: body.name,
          role: body.role,
          unix_user,
          accounts: withAccounts([], body.accounts, []),
          project: body.project ?? body.name,
          created_ms: draft.now_ms,
        };
        draft.put([{ table: "users", key: row.name, row }]);
        draft.event({
          verb: "user_added",
          object: row.name,
          project: row.project,
          detail: `${row.role}, account ${[unix_user, ...row.accounts].join(", ")}`,
        });
        return { ...viewOf(row), on_nodes };
      });
    },
  }),
  route({
    method: "POST",
    path: "/v1/users/{name}/accounts",
    body: grantRequest,
    answer: userAnswer,
    summary: "Grants Unix accounts to a person, and takes them back",
    async handle({ api, params, body, commit }): Promise<UserAnswer> {
      await requireAccounts(api.store.state.users.get(params.name)?.role ?? "user", body.grant);
      const on_nodes = await accountsOnNodes(api, [...new Set(body.grant)]);
      return commit((draft) => {
        const user = userOf(draft, params.name);
        const accounts = withAccounts(user.accounts, body.grant, body.revoke);
        const row: UserRow = { ...user, accounts };
        draft.put([{ table: "users", key: row.name, row }]);
        const detail = [...body.grant.map((one) => `+${one}`), ...body.revoke.map((one) => `-${one}`)].join(" ");
        draft.event({ verb: "accounts_granted", object: row.name, project: row.project, detail });
        return { ...viewOf(row), on_nodes };
      });
    },
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
      const { items: users, next } = pageOf(query, all, null);
      return { users: users.map(viewOf), next };
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/users/{name}",
    answer: doneAnswer,
    summary:
      "Removes a person and revokes their tokens and those made with them. What runs goes on; nothing is placed anew",
    handle: ({ params, who, commit }) =>
      commit((draft) => {
        const { tokens } = draft.state;
        const user = userOf(draft, params.name);
        if (user.name === who.name)
          throw new RefusedError("conflict", "nobody removes themselves", "Ask another admin");
        // What was made with their tokens goes too: a join token of theirs would let their machines in.
        const own = tokens
          .values()
          .filter((row) => ownerOf(draft.state, row) === user.name)
          .toArray();
        const ids = own.map(({ id }) => id);
        const made = [...own, ...descendantsOf(draft.state, ids)];
        const held = new Map(made.filter((row) => row.revoked_ms === null).map((row) => [row.id, row]));
        draft.put([
          { table: "users", key: user.name, row: null },
          { table: "graves", key: userGrave(user.name), row: { uid: userGrave(user.name), at_ms: draft.now_ms } },
          ...held
            .values()
            .map((row) => ({ table: "tokens" as const, key: row.id, row: { ...row, revoked_ms: draft.now_ms } })),
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
        token_expires_ms: api.store.state.tokens.get(who.token_id)?.expires_ms ?? null,
        cluster_id,
        revision,
      };
    },
  }),
];
