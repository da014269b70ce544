// What a route is: its path, the schemas of what comes and goes, and a handler. The table of routes makes app and
// OpenAPI.

import type { z } from "zod";
import type { Draft } from "../../store/store";
import type { Owned } from "../access/access";
import type { Api } from "./api";
import type { Principal } from "../access/auth";

/** Names in braces of a path: `/v1/apps/{project}/{app}` has `project` and `app`. */
export type ParamsOf<P extends string> = P extends `${string}{${infer N}}${infer Rest}` ? N | ParamsOf<Rest> : never;

/** What a handler may do with the connection that a request came on. */
export interface Link {
  /** The address it came from. */
  readonly source: string;
  /** Lets the connection be silent for as long as it likes. */
  readonly keepOpen: () => void;
  /** Makes it an agent's WebSocket; `false` when the request is none. */
  readonly upgrade: () => boolean;
}

export interface Ask<P extends string, Q, B> {
  readonly api: Api;
  readonly params: Readonly<Record<P, string>>;
  readonly query: Q;
  readonly body: B;
  readonly who: Principal;
  readonly request: Request;
  readonly link: Link;
  /** Refuses who may not look into or change the thing; every handler of scope `own` must call it. */
  readonly touch: (thing: Owned, what: string) => void;
  /** One durable transaction in the asker's name; a repeated request gets the first one's value. */
  readonly commit: <T>(transact: (draft: Draft) => T) => Promise<T>;
}

export type Media = "text/event-stream" | "application/octet-stream" | "application/x-pem-file" | "websocket";

export interface Route {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly summary: string;
  readonly query: z.ZodObject | null;
  readonly body: z.ZodType | null;
  /** JSON by a schema, a stream of that media type, or the switch to another protocol. */
  readonly answer: z.ZodType | Media;
  readonly handle: (ask: Ask<string, unknown, unknown>) => unknown;
}

export const keyOf = (route: Pick<Route, "method" | "path">): string => `${route.method} ${route.path}`;

interface Shape<P extends string, Q extends z.ZodObject, B extends z.ZodType> {
  readonly method: Route["method"];
  readonly path: P;
  readonly summary: string;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: Route["answer"];
  /** Gives what the answer's schema says, or a whole Response. */
  handle(ask: Ask<ParamsOf<P>, z.infer<Q>, z.infer<B>>): unknown;
}

/** Checks a route's parts against each other and forgets their types; the app validates before it calls the handler. */
export function route<const P extends string, Q extends z.ZodObject = z.ZodObject, B extends z.ZodType = z.ZodType>(
  shape: Shape<P, Q, B>,
): Route {
  const { method, path, summary, answer } = shape;
  return {
    method,
    path,
    summary,
    answer,
    query: shape.query ?? null,
    body: shape.body ?? null,
    handle: (ask) => shape.handle(ask as unknown as Ask<ParamsOf<P>, z.infer<Q>, z.infer<B>>),
  };
}
