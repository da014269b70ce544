// The API's description of itself, made from the routes and the schemas that check them.

import { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import { ERROR_STATUS, errorBody } from "../../wire/api/errors";
import { ACCESS } from "../access/access";
import { keyOf, type Route } from "./route";

type Json = Record<string, unknown>;

/** Returns the OpenAPI 3.1 document of these routes. */
export function openApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const at = (paths[route.path] ??= {});
    at[route.method.toLowerCase()] = operationOf(route);
  }
  return {
    openapi: "3.1.0",
    info: { title: "orch", version, description: "One cluster of a handful of machines. Times are Unix milliseconds." },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "orch1-…, from orch token new" } },
      schemas: { Error: schemaOf(errorBody, "output") },
    },
  };
}

function schemaOf(schema: z.ZodType, io: "input" | "output"): Json {
  const { $schema: _dialect, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  return rest;
}

function operationOf(route: Route): Json {
  const access = ACCESS[keyOf(route)];
  const changes = route.method !== "GET";
  return {
    summary: route.summary,
    ...(access?.is === "roles" ? { "x-orch-roles": access.roles } : { security: [] }),
    parameters: [
      ...pathParameters(route.path),
      ...queryParameters(route.query),
      ...(changes
        ? [
            {
              name: "Idempotency-Key",
              in: "header",
              required: false,
              schema: { type: "string", minLength: 1, maxLength: HOUSE_LIMITS.idempotency_key_chars },
              description:
                "Any printable ASCII text: the same request of the same user under the same key has one effect, and " +
                "gets the same answer for 24 h",
            },
          ]
        : []),
    ],
    ...(route.body === null
      ? {}
      : {
          requestBody: { required: true, content: { "application/json": { schema: schemaOf(route.body, "input") } } },
        }),
    responses: {
      ...success(route),
      default: {
        description: `An error; codes: ${Object.keys(ERROR_STATUS).join(", ")}`,
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));

function queryParameters(query: z.ZodObject | null): Json[] {
  if (query === null) return [];
  const { properties = {} } = schemaOf(query, "input") as { properties?: Record<string, Json> };
  return Object.entries(properties).map(([name, schema]) => ({ name, in: "query", required: false, schema }));
}

function success({ answer }: Route): Json {
  if (answer === "websocket") return { 101: { description: "The connection is a WebSocket now" } };
  const content =
    typeof answer === "string"
      ? { [answer]: { schema: { type: "string" } } }
      : { "application/json": { schema: schemaOf(answer, "output") } };
  return { 200: { description: "Done", content } };
}
