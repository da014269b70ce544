// The reference of the API, made from its OpenAPI document: rules, every route with a line of curl, every object.

import { join } from "node:path";
import { formatDuration } from "../../src/core/format";
import { HOUSE_LIMITS } from "../../src/core/limits";
import { openApi } from "../../src/server/routes/openapi";
import { ROUTES } from "../../src/server/routes/table";
import { ERROR_MEANS, ERROR_STATUS, type ErrorCode } from "../../src/wire/api/errors";

interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: Schema;
  readonly description?: string;
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
}

interface Parameter {
  readonly name: string;
  readonly in: "path" | "query" | "header";
  readonly required: boolean;
  readonly schema: Schema;
  readonly description?: string;
  readonly example?: string;
}

type Content = Readonly<Record<string, { readonly schema: Schema }>>;

interface Operation {
  readonly tags: readonly string[];
  readonly summary: string;
  readonly parameters: readonly Parameter[];
  readonly requestBody?: { readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly content?: Content }>>;
  readonly "x-orch-roles"?: readonly string[];
  readonly "x-orch-scope"?: "all" | "own";
}

interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

/** Routes that only agents speak: a body that they sign, and a WebSocket. */
const OF_AGENTS = ["/v1/agent", "/v1/join"];

const anchor = (name: string): string => `[${name}](#${name.toLowerCase()})`;
const nameIn = (ref: string): string => ref.split("/").at(-1) ?? ref;

/** Returns what a value is, in a few words of a table. */
function typeOf(schema: Schema): string {
  const { $ref, type, enum: words, anyOf, oneOf, items, additionalProperties } = schema;
  if ($ref !== undefined) return anchor(nameIn($ref));
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const)}\``;
  if (words !== undefined) return words.map((word) => `\`${String(word)}\``).join(" ");
  const options = anyOf ?? oneOf;
  if (options !== undefined) return options.map(typeOf).join(" or ");
  if (Array.isArray(type)) return type.map((one: string) => typeOf({ ...schema, type: one })).join(" or ");
  if (type === "array") return `list of ${items === undefined ? "anything" : plural(items)}`;
  if (type === "object" && schema.properties === undefined)
    return additionalProperties === undefined || Object.keys(additionalProperties).length === 0
      ? "object"
      : `names → ${typeOf(additionalProperties)}`;
  return (
    { string: "text", integer: "integer", number: "number", boolean: "true or false", null: "null" }[String(type)] ??
    "object"
  );
}

const plural = (items: Schema): string => (items.properties === undefined ? typeOf(items) : "objects");

/** Returns the objects inside of a schema that have no name: its own one, that of its entries, or of its options. */
function innerOf(schema: Schema): { readonly under: string; readonly schema: Schema }[] {
  if (schema.properties !== undefined) return [{ under: ".", schema }];
  const options = schema.anyOf ?? schema.oneOf ?? [];
  if (options.length > 0) return options.flatMap(innerOf);
  if (schema.items?.properties !== undefined) return [{ under: "[].", schema: schema.items }];
  return [];
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

/** Returns the rows of an object's fields; those of objects without a name follow theirs. */
function rowsOf({ properties = {}, required = [] }: Schema, before: string, asked: boolean): string[] {
  return Object.entries(properties).flatMap(([name, schema]) => {
    const words = [
      schema.description ?? "",
      ...(asked && required.includes(name) ? ["**needed**"] : []),
      ...(asked && isWorthSaying(schema.default) ? [`default \`${JSON.stringify(schema.default)}\``] : []),
    ].filter((one) => one !== "");
    const row = `| \`${before}${name}\` | ${cell(typeOf(schema))} | ${cell(words.join("; "))} |`;
    return [row, ...innerOf(schema).flatMap((one) => rowsOf(one.schema, `${before}${name}${one.under}`, asked))];
  });
}

const isWorthSaying = (value: unknown): boolean => value !== undefined && value !== null;

const fields = (schema: Schema, asked: boolean): string[] => [
  `| ${asked ? "body" : "answer"} | | |`,
  "| --- | --- | --- |",
  ...rowsOf(schema, "", asked),
  "",
];

/** Returns the largest named object whose fields are all in this one: what is "a Run, and more". */
function baseOf({ properties = {} }: Schema, named: Document["components"]["schemas"]): string | null {
  const isIn = ([, part]: [string, Schema]): boolean =>
    Object.entries(part.properties ?? {}).every(([key, one]) => Bun.deepEquals(properties[key], one));
  const found = Object.entries(named).filter(([name, part]) => name !== "Error" && isIn([name, part]));
  const size = (part: Schema): number => Object.keys(part.properties ?? {}).length;
  const [best] = found.toSorted(([, a], [, b]) => size(b) - size(a));
  return best === undefined || size(best[1]) < 3 ? null : best[0];
}

/** Returns what an answer is: a named object, a list, an object of its own, or a stream of bytes. */
function answerLines(content: Content | undefined, named: Document["components"]["schemas"]): string[] {
  const [media = "", { schema } = { schema: {} }] = Object.entries(content ?? {})[0] ?? [];
  if (media !== "application/json") return [`Answer: \`${media}\`.`, ""];
  if (schema.$ref !== undefined || schema.anyOf !== undefined) {
    const own = innerOf(schema).flatMap((one) => fields(one.schema, false));
    return [`Answer: ${typeOf(schema)}.`, "", ...own];
  }
  const entries = Object.entries(schema.properties ?? {});
  if (entries.length === 0) return ["Answer: an object.", ""];
  const base = baseOf(schema, named);
  const isList = entries.length === 2 && schema.properties?.["next"] !== undefined;
  const [[name, items] = ["", {}]] = entries;
  if (isList) return [`Answer: \`{ "${name}": \`${typeOf(items)}\`, "next" }\`.`, ""];
  if (base === null) return fields(schema, false);
  const known = named[base]?.properties ?? {};
  const more = Object.fromEntries(entries.filter(([name]) => known[name] === undefined));
  return [`Answer: ${anchor(base)}, and more:`, "", ...fields({ ...schema, properties: more }, false)];
}

/** Returns the line of curl for a route, which runs as it stands once its variables are set. */
function curlOf(method: string, path: string, { parameters, requestBody }: Operation): string {
  const examples = new Map(parameters.map(({ name, example }) => [name, example ?? ""]));
  const at = path.replaceAll(/\{(\w+)\}/g, (_whole, name: string) => examples.get(name) ?? "");
  const asked = parameters.filter((one) => one.in === "query" && one.required);
  const query = asked.map(({ name, example = "" }, n) => `${n === 0 ? "?" : "&"}${name}=${example}`).join("");
  const body = requestBody?.content["application/json"]?.schema.examples?.[0];
  if (requestBody?.content["application/octet-stream"] !== undefined) {
    return `    curl -K orch.curl -X ${method} "$ORCH_URL${at}${query}" --data-binary @part`;
  }
  const data = body === undefined || Object.keys(body as object).length === 0 ? "" : ` -d '${JSON.stringify(body)}'`;
  const verb = method === "GET" || (method === "POST" && data !== "") ? "" : ` -X ${method}`;
  return `    curl -K orch.curl${verb} "$ORCH_URL${at}"${data}`;
}

function routeLines(method: string, path: string, operation: Operation, document: Document): string[] {
  const roles = operation["x-orch-roles"];
  const own = operation["x-orch-scope"] === "own" ? "; users for things of their own and their project's" : "";
  const query = operation.parameters.filter((one) => one.in === "query");
  const body = operation.requestBody?.content["application/json"]?.schema;
  return [
    `### ${method} ${path}`,
    "",
    `${operation.summary}. For ${roles === undefined ? "everybody, without a token" : roles.join(", ")}${own}.`,
    "",
    ...(OF_AGENTS.includes(path) ? ["Spoken by agents: [what a node can say](../node-trust.md).", ""] : []),
    ...(OF_AGENTS.includes(path) ? [] : [curlOf(method, path, operation), ""]),
    ...(query.length === 0
      ? []
      : [
          "| query | | |",
          "| --- | --- | --- |",
          ...query.map(
            ({ name, schema, description = "" }) => `| \`${name}\` | ${cell(typeOf(schema))} | ${description} |`,
          ),
          "",
        ]),
    ...(body === undefined || OF_AGENTS.includes(path) ? [] : fields(body, true)),
    ...(OF_AGENTS.includes(path) ? [] : answerLines(operation.responses["200"]?.content, document.components.schemas)),
  ];
}

function errorTable(): string {
  const rows = (Object.entries(ERROR_STATUS) as [ErrorCode, number][]).map(
    ([code, status]) => `| ${status} | \`${code}\` | ${ERROR_MEANS[code]} |`,
  );
  return ["| status | code | |", "| --- | --- | --- |", ...rows].join("\n");
}

const counted = (count: number): string => count.toLocaleString("en");

/** Returns the page. */
export async function apiPage(): Promise<string> {
  const document = openApi(ROUTES, "") as unknown as Document;
  const facts: Readonly<Record<string, string>> = {
    body_bytes: `${HOUSE_LIMITS.body_bytes / 1024 ** 2} MiB`,
    url_chars: counted(HOUSE_LIMITS.url_chars),
    list_page: counted(HOUSE_LIMITS.list_page),
    idempotency_key_chars: counted(HOUSE_LIMITS.idempotency_key_chars),
    idempotency: formatDuration(HOUSE_LIMITS.idempotency_ms),
    errors: errorTable(),
    bounds: "[bounds](bounds.md)",
  };
  const head = await Bun.file(join(import.meta.dir, "api-head.md")).text();
  const client = await Bun.file(join(import.meta.dir, "client.py")).text();
  const operations = Object.entries(document.paths).flatMap(([path, at]) =>
    Object.entries(at).map(([method, operation]) => ({ method: method.toUpperCase(), path, operation })),
  );
  const parts = Object.entries(document.components.schemas).filter(([name]) => name !== "Error");
  return [
    head.replaceAll(/\{\{(\w+)\}\}/g, (_whole, name: string) => facts[name] ?? name).trimEnd(),
    "",
    "## Routes",
    "",
    ...operations.flatMap(({ method, path, operation }) => routeLines(method, path, operation, document)),
    "## Objects",
    "",
    ...parts.flatMap(([name, part]) => [
      `### ${name}`,
      "",
      "| field | | |",
      "| --- | --- | --- |",
      ...rowsOf(part, "", false),
      "",
    ]),
    "## A client in Python",
    "",
    "With nothing but the standard library: makes a run, follows its output, waits for its end, cancels another, lists",
    "nodes, applies an app.",
    "",
    "```python",
    client.trimEnd(),
    "```",
    "",
  ].join("\n");
}
