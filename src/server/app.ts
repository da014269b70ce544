// The HTTP app without a socket. Every request passes the same checks in one order before a handler gets it.

import { Hono, type Context as HonoContext } from "hono";
import { z } from "zod";
import { assert } from "../core/assert";
import { HOUSE_LIMITS } from "../core/limits";
import type { Role } from "../core/model/rows-state";
import { ACCESS, requireTouch, mayCall } from "./access/access";
import type { Api } from "./routes/api";
import { type Principal, RANK, requireStill } from "./access/auth";
import { refuseForeign, secured } from "./http/gates";
import { bodyOf, hashOf, strictly } from "./http/body";
import { idempotencyOf } from "./http/idempotency";
import { refusalOf } from "./http/onerror";
import type { Draft } from "../store/store";
import { errorAnswer, RefusedError } from "./refused";
import { keyOf, type Ask, type PathLink, type Route } from "./routes/route";
import { ROUTES } from "./routes/table";

type Env = { Bindings: { link?: PathLink }; Variables: { who?: Principal } };

/** The link of requests that come without a socket, as in tests. */
const NO_LINK: PathLink = { source: "local", keepOpen: () => undefined, upgrade: () => false };
const NO_QUERY = z.object({});
const NO_BODY = z.object({});
const NOBODY: Principal = { name: "nobody", role: "agent", project: "", unix_user: "", accounts: [], token_id: "" };

export type App = Hono<Env>;

export function createApp(api: Api): App {
  const app = new Hono<Env>();
  app.use(async (c, next) => {
    refuseForeign(c.req.raw, api.hosts);
    await next();
  });
  for (const route of ROUTES) {
    app.on(route.method, route.path.replaceAll(/\{(\w+)\}/g, ":$1"), async (c) => answerOf(api, route, c));
  }
  app.notFound((c) => {
    const methods = methodsAt(c.req.path);
    if (methods.length > 0) return finish(api, c, otherMethod(c.req.method, shown(c.req.path), methods));
    const hint = c.req.path.startsWith("/v1/") ? "GET /v1/openapi.json lists what there is" : "the API is under /v1/";
    return finish(api, c, errorAnswer("not_found", `there is no ${c.req.method} ${shown(c.req.path)}`, hint, []));
  });
  app.onError((error, c) => {
    const { code, message, hint, issues } = refusalOf(error, api);
    return finish(api, c, errorAnswer(code, message, hint, issues));
  });
  return app;
}

const PATHS = ROUTES.map(({ method, path }) => ({
  method,
  pattern: new RegExp(`^${path.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`),
}));

const methodsAt = (path: string): string[] =>
  PATHS.filter(({ pattern }) => pattern.test(path)).map(({ method }) => method);

function otherMethod(method: string, path: string, methods: readonly string[]): Response {
  const allow = methods.join(", ");
  const answer = errorAnswer("method_not_allowed", `${path} does not take ${method}`, `It takes ${allow}`, []);
  answer.headers.set("allow", allow);
  return answer;
}

const shown = (path: string): string => (path.length > 100 ? `${path.slice(0, 100)}…` : path);

function finish(api: Api, c: HonoContext<Env>, response: Response): Response {
  // Strangers learn nothing of the cluster.
  if ((c.get("who") ?? NOBODY) !== NOBODY) response.headers.set("x-orch-timeline", api.store.state.cluster.timeline);
  // All times that the API tells and takes are on this clock. A client relates its own to it.
  response.headers.set("x-orch-now", String(api.store.now()));
  return secured(response);
}

async function answerOf(api: Api, route: Route, c: HonoContext<Env>): Promise<Response> {
  const request = c.req.raw;
  const key = keyOf(route);
  const link = (c.env as Env["Bindings"] | undefined)?.link ?? NO_LINK;
  // The stream that a HEAD gets has no reader and would never end.
  if (request.method === "HEAD" && typeof route.answer === "string") {
    return finish(api, c, otherMethod("HEAD", shown(c.req.path), ["GET"]));
  }
  const who = admit(api, key, request, link);
  c.set("who", who);
  const release = api.quotas.take("requests", who === NOBODY ? null : who.name, link.source);
  try {
    return await answered(api, route, c, link, who);
  } finally {
    release();
  }
}

async function answered(
  api: Api,
  route: Route,
  c: HonoContext<Env>,
  link: PathLink,
  who: Principal,
): Promise<Response> {
  const request = c.req.raw;
  const key = keyOf(route);
  if (route.method !== "GET") await api.store.turn();
  const { value: body, text } = await bodyOf(request, route.body ?? NO_BODY, HOUSE_LIMITS.body_bytes);
  // A body may come slowly: whoever was let in with it may have lost that right meanwhile.
  if (who !== NOBODY) requireStill(who, api.store.state, api.store.now());
  const query = queryOf(request, route.query);
  const idempotency = idempotencyOf(
    request.headers.get("idempotency-key"),
    api.store.state.cluster.timeline,
    api.store.now(),
  );
  let touched = false;
  const ask: Ask<string, unknown, unknown> = {
    api,
    params: c.req.param(),
    query,
    body,
    who,
    request,
    link,
    touch(thing, what) {
      touched = true;
      requireTouch(who, thing, what);
    },
    async commit(transact) {
      const named =
        idempotency === null
          ? undefined
          : {
              principal: who.name,
              key: idempotency,
              request_hash: hashOf(`${request.method}\n${pathOf(request.url)}\n${text}`),
            };
      const done = await api.store.commit(who.name, (draft) => transact(asStill(who, draft)), named);
      // A replayed answer needs no `touch`: the same principal was allowed when the answer was first given.
      touched ||= done.replayed;
      return done.value;
    },
  };
  const value = await route.handle(ask);
  const access = ACCESS[key];
  assert(access?.is !== "roles" || access.scope !== "own" || touched, `${key} did not ask whose the thing is`);
  return finish(api, c, value instanceof Response ? value : Response.json(value));
}

/** Returns the draft to whoever may still write to it: other commits of the same batch come before this one. */
function asStill(who: Principal, draft: Draft): Draft {
  requireStill(who, draft.state, draft.now_ms);
  return draft;
}

/** Returns the path of an address with its query. */
function pathOf(address: string): string {
  const { pathname, search } = new URL(address);
  return pathname + search;
}

/**
 * Returns the principal who sends the request. Throws RefusedError if the principal is not known, or if its role may
 * not call the route. Query and body are read later.
 */
function admit(api: Api, key: string, request: Request, link: PathLink): Principal {
  const access = Object.hasOwn(ACCESS, key) ? ACCESS[key] : undefined;
  if (access?.is === "open") return NOBODY;
  const who = api.auth.authenticate(request.headers.get("authorization"), link.source);
  if (mayCall(key, who.role)) return who;
  throw denied(key, who);
}

/** Returns the refusal of a caller whose role is not enough, and who it is that may do this. */
function denied(key: string, { name, role }: Principal): RefusedError {
  const access = Object.hasOwn(ACCESS, key) ? ACCESS[key] : undefined;
  const roles: readonly Role[] = access?.is === "roles" ? access.roles : [];
  if (role !== "agent" && roles.length === 1 && roles[0] === "agent") {
    return new RefusedError(
      "forbidden",
      `a token of ${name}'s own is not enough: a machine joins with a join token`,
      "Make one on the server: orch token new --role agent",
    );
  }
  const least = roles.toSorted((a, b) => RANK[a] - RANK[b])[0];
  return new RefusedError(
    "forbidden",
    `${name} may not do this: the role ${role} is not enough`,
    role === "agent"
      ? "This is a join token: it lets machines in, nothing else"
      : `Ask ${least === "operator" ? "an operator" : least === "user" ? "a user" : "an admin"} of this cluster`,
  );
}

function queryOf(request: Request, schema: z.ZodObject | null): unknown {
  const given: Record<string, string> = {};
  const twice: string[] = [];
  for (const [name, value] of new URL(request.url).searchParams) {
    if (Object.hasOwn(given, name)) twice.push(name);
    Object.defineProperty(given, name, { value, enumerable: true, configurable: true, writable: true });
  }
  if (twice.length > 0) throw badQuery(twice.map((name) => ({ name, message: "is given twice" })));
  const parsed = strictly(schema ?? NO_QUERY).safeParse(given);
  if (parsed.success) return parsed.data;
  throw badQuery(parsed.error.issues.map(({ path, message }) => ({ name: path.join("."), message })));
}

function badQuery(faults: readonly { readonly name: string; readonly message: string }[]): RefusedError {
  const issues = faults.map(({ name, message }) => ({ line: 0, column: 0, path: `?${name}`, message, hint: null }));
  const said = faults.map(({ name, message }) => (name === "" ? message : `${name}: ${message}`));
  const hint = "GET /v1/openapi.json says what it takes";
  return new RefusedError("bad_request", `the query is not of this route: ${said[0] ?? ""}`, hint, issues);
}
