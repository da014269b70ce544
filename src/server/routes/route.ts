// What a route is: a path, the schemas of request and answer, and a handler. The app and the OpenAPI document are made
// from the table of routes.

import type { z } from "zod";
import type { Draft } from "../../store/store";
import type { Owned } from "../access/access";
import type { Api } from "./api";
import type { Principal } from "../access/auth";

/** The names in braces in a path: `/v1/apps/{project}/{app}` has `project` and `app`. */
export type ParamsOf<P extends string> = P extends `${string}{${infer N}}${infer Rest}` ? N | ParamsOf<Rest> : never;

/** What a handler may do with the connection of a request. */
export interface PathLink {
  /** The address that the request came from. */
  readonly source: string;
  /** Lets the connection stay silent without being closed. */
  readonly keepOpen: () => void;
  /** Turns the connection into an agent's WebSocket. Returns false if the request did not ask for one. */
  readonly upgrade: () => boolean;
}

export interface Ask<P extends string, Q, B> {
  readonly api: Api;
  readonly params: Readonly<Record<P, string>>;
  readonly query: Q;
  readonly body: B;
  readonly who: Principal;
  readonly request: Request;
  readonly link: PathLink;
  /**
   * Throws RefusedError if the caller may not change the thing or see its inside. Every handler of scope `own` must
   * call it.
   */
  readonly touch: (thing: Owned, what: string) => void;
  /** Runs one durable transaction in the caller's name. A repeated request gets the first one's result. */
  readonly commit: <T>(transact: (draft: Draft) => T) => Promise<T>;
}

export type Media = "text/event-stream" | "application/octet-stream" | "application/x-pem-file" | "websocket";

export interface Route {
  readonly method: "GET" | "PUT" | "POST" | "DELETE";
  readonly path: string;
  readonly summary: string;
  readonly query: z.ZodObject | null;
  readonly body: z.ZodType | null;
  /** JSON that a schema describes, a stream of a media type, or the switch to another protocol. */
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
  /** Returns the value that the answer's schema describes, or a whole Response. */
  handle(ask: Ask<ParamsOf<P>, z.infer<Q>, z.infer<B>>): unknown;
}

/**
 * Checks the parts of a route against each other and forgets their types. The app validates before it calls the
 * handler.
 */
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
