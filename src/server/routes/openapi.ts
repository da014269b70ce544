// The API's description of itself, made from the routes and the schemas that check them.

import { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import { ERROR_STATUS, errorBody } from "../../wire/api/errors";
import { RAW_BYTES } from "../http/body";
import { NUMBER_PATTERN } from "../http/query";
import { ACCESS } from "../access/access";
import { keyOf, type Route } from "./route";

type Json = Record<string, unknown>;

/** The parts of the document that schemas name: `Task`, `Run`. */
type Parts = Record<string, Json>;

/** Returns the OpenAPI 3.1 document of these routes. */
export function openApi(routes: readonly Route[], version: string): Json {
  const paths: Record<string, Json> = {};
  const parts: Parts = {};
  for (const route of routes) {
    const at = (paths[route.path] ??= {});
    at[route.method.toLowerCase()] = operationOf(route, parts);
  }
  const error = schemaOf(errorBody, "output", parts);
  return {
    openapi: "3.1.0",
    info: { title: "orch", version, description: "One cluster of a handful of machines. Times are Unix milliseconds." },
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer", description: "orch1-…, from orch token new" } },
      schemas: { Error: error, ...parts },
    },
  };
}

/** Returns a schema as JSON Schema. Its named parts are put into `parts`. */
function schemaOf(schema: z.ZodType, io: "input" | "output", parts: Parts): Json {
  const { $schema: _dialect, $defs = {}, ...own } = z.toJSONSchema(schema, { io, unrepresentable: "any" }) as Json;
  for (const [name, part] of Object.entries($defs as Parts)) parts[name] = tidied(part) as Json;
  return tidied(own) as Json;
}

const NAMED = "#/$defs/";

/**
 * Returns a schema whose named parts are looked for in the document, without the bounds of JavaScript's numbers. A
 * later release may add fields, so that none is ruled out.
 */
function tidied(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(tidied);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(
    ([key, one]) =>
      Math.abs(Number(one)) !== Number.MAX_SAFE_INTEGER && !(key === "additionalProperties" && one === false),
  );
  return Object.fromEntries(
    kept.map(([key, one]): [string, unknown] =>
      key === "$ref" && typeof one === "string"
        ? [key, one.replace(NAMED, "#/components/schemas/")]
        : [key, tidied(one)],
    ),
  );
}

/** `POST /v1/runs/{run}/cancel` is `postRunsRunCancel`: generators of clients name a function so. */
const operationId = ({ method, path }: Route): string =>
  [method.toLowerCase(), ...path.split(/[^a-z]+/).slice(2)]
    .map((word, n) => (n === 0 ? word : word.slice(0, 1).toUpperCase() + word.slice(1)))
    .join("");

function operationOf(route: Route, parts: Parts): Json {
  const access = ACCESS[keyOf(route)];
  const changes = route.method !== "GET";
  return {
    operationId: operationId(route),
    tags: [route.path.split("/")[2] ?? ""],
    summary: route.summary,
    ...(access?.is === "roles" ? { "x-orch-roles": access.roles, "x-orch-scope": access.scope } : { security: [] }),
    parameters: [...pathParameters(route.path), ...queryParameters(route.query), ...(changes ? [IDEMPOTENCY_KEY] : [])],
    ...bodyOf(route, parts),
    responses: {
      ...success(route, parts),
      default: {
        description: `An error; codes: ${Object.keys(ERROR_STATUS).join(", ")}`,
        content: { "application/json": { schema: { $ref: "#/components/schemas/Error" } } },
      },
    },
  };
}

function bodyOf({ body }: Route, parts: Parts): Json {
  if (body === null) return {};
  const content =
    body === RAW_BYTES
      ? { "application/octet-stream": { schema: { type: "string", format: "binary" } } }
      : { "application/json": { schema: schemaOf(body, "input", parts) } };
  return { requestBody: { required: true, content } };
}

const IDEMPOTENCY_KEY: Json = {
  name: "Idempotency-Key",
  in: "header",
  required: false,
  schema: { type: "string", minLength: 1, maxLength: HOUSE_LIMITS.idempotency_key_chars },
  description:
    "Any printable ASCII text: the same request of the same user under the same key has one effect, and gets the " +
    "same answer for 24 h",
};

/** What the names in paths mean, with an example of each. Ids that nobody can foresee are variables of a shell. */
const PARAMETERS: Readonly<Record<string, readonly [example: string, description: string]>> = {
  project: ["default", "a project"],
  app: ["shop", "an app of the project"],
  workload: ["web", "a workload of the app"],
  job: ["prep", "a job of the app"],
  node: ["box1", "a node's name, or the start of its id"],
  run: ["$RUN", "a run's number, or the name of an app's job: its newest run"],
  ref: ["shop.web.0", "a task's name or the start of its id, a workload, or a run's number"],
  device: ["$CARD", "the start of a card's id"],
  id: ["$TOKEN_ID", "a token's id"],
  name: ["alice", "a user"],
  uid: ["$ORPHAN", "an orphan's id"],
  sha256: ["$SHA256", "the hash of an input, in hex"],
};

const pathParameters = (path: string): Json[] =>
  [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => {
    const [example, description] = PARAMETERS[name] ?? ["", ""];
    return { name, in: "path", required: true, schema: { type: "string" }, description, example };
  });

function queryParameters(query: z.ZodObject | null): Json[] {
  if (query === null) return [];
  const { properties = {}, required = [] } = schemaOf(query, "input", {}) as {
    properties?: Record<string, Json & { readonly example?: string }>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, example, ...schema }]) => ({
    name,
    in: "query",
    required: required.includes(name),
    schema: asTyped(schema),
    ...(description === undefined ? {} : { description }),
    ...(example === undefined ? {} : { example }),
  }));
}

/** Returns what a text of a query stands for. */
function asTyped(schema: Json): Json {
  if (schema["pattern"] === NUMBER_PATTERN) return { type: "integer", minimum: 0 };
  return JSON.stringify(schema["enum"]) === '["true","false"]' ? { type: "boolean" } : schema;
}

function success({ answer }: Route, parts: Parts): Json {
  if (answer === "websocket") return { 101: { description: "The connection is a WebSocket now" } };
  const content =
    typeof answer === "string"
      ? { [answer]: { schema: { type: "string" } } }
      : { "application/json": { schema: schemaOf(answer, "output", parts) } };
  return { 200: { description: "Done", content } };
}
