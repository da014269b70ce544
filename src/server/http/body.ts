// A request's body: read up to a bound, decoded, parsed and checked. Every fault is reported with its place.

import { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Issue } from "../../spec/issue";
import { parseJson, readUtf8 } from "./json";
import { readStrictly } from "../../wire/strict";
import { RefusedError } from "../refused";

export interface Body {
  readonly value: unknown;
  /** The text as it came. A repeated request is compared by it. */
  readonly text: string;
}

/** The schema of bodies that are taken as they are, and not as JSON. */
export const RAW_BYTES = z.instanceof(Uint8Array);

export const hashOf = (text: string): string => new Bun.CryptoHasher("sha256").update(text).digest("hex");

/** Returns the body that the schema describes. No body at all counts as `{}`. Throws RefusedError. */
export async function bodyOf(request: Request, schema: z.ZodType, max_bytes: number): Promise<Body> {
  const bytes = await readBytes(request, max_bytes);
  if (schema === RAW_BYTES) return { value: bytes, text: "" };
  if (bytes.length === 0) return { value: valueOf({ value: {}, text: "" }, schema), text: "" };
  const type = request.headers.get("content-type");
  if (type === null || !/^application\/json\s*(;\s*charset="?utf-8"?\s*)?$/i.test(type)) {
    throw new RefusedError(
      "unsupported",
      `the body must be application/json, not ${type === null ? "untyped" : type.slice(0, 80)}`,
      "Send the header content-type: application/json",
    );
  }
  const decoded = readUtf8(bytes);
  if (decoded.is === "invalid") throw badBody({ line: 0, column: 0, message: `is not UTF-8 at byte ${decoded.at}` });
  const parsed = parseJson(decoded.text, HOUSE_LIMITS.spec_depth);
  if (parsed.is === "invalid") throw badBody(parsed);
  return { value: valueOf({ value: parsed.value, text: decoded.text }, schema), text: decoded.text };
}

function badBody({ line, column, message }: Pick<Issue, "line" | "column" | "message">): RefusedError {
  const at = line > 0 ? ` (line ${line}, column ${column})` : "";
  return new RefusedError("bad_request", `the body ${message}${at}`, null, [
    { line, column, path: "", message, hint: null },
  ]);
}

const strict = new WeakMap<z.ZodType, z.ZodType>();

/**
 * Returns the schema with unknown keys refused. The result is kept, since a new schema is compiled at its first use.
 */
export function strictly(schema: z.ZodType): z.ZodType {
  if (!(schema instanceof z.ZodObject)) return schema;
  const made = strict.get(schema) ?? schema.strict();
  strict.set(schema, made);
  return made;
}

/** A longer body is first read up to its first fault, since a list of all faults would take seconds. */
const ALL_FAULTS_CHARS = 4_096;

function valueOf({ value, text }: Body, schema: z.ZodType): unknown {
  const fault = text.length > ALL_FAULTS_CHARS ? readStrictly(schema, value) : null;
  if (fault?.is === "fault") {
    throw new RefusedError(
      "bad_request",
      `the body is not of this route: ${fault.why}`,
      "GET /v1/openapi.json says what it takes",
    );
  }
  const checked = strictly(schema).safeParse(value);
  if (checked.success) return checked.data;
  const issues = checked.error.issues
    .slice(0, 100)
    .map((issue): Issue => ({ line: 0, column: 0, path: pathOf(issue.path), message: issue.message, hint: null }));
  const first = issues[0];
  throw new RefusedError(
    "bad_request",
    first === undefined
      ? "the body is not of this route"
      : `the body is not of this route: ${first.path === "" ? "" : `${first.path}: `}${first.message}`,
    "GET /v1/openapi.json says what it takes",
    issues,
  );
}

const pathOf = (path: readonly PropertyKey[]): string =>
  path
    .map((step) => (typeof step === "number" ? `[${step}]` : `.${String(step)}`))
    .join("")
    .replace(/^\./, "");

async function readBytes(request: Request, max_bytes: number): Promise<Uint8Array> {
  const tooLarge = (): RefusedError =>
    new RefusedError("too_large", `the body is larger than ${max_bytes} bytes`, "Put large texts into files");
  if (Number(request.headers.get("content-length") ?? 0) > max_bytes) throw tooLarge();
  // A body that states its size is read at once: what comes beyond it is the next request.
  if (request.headers.has("content-length")) return request.bytes();
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > max_bytes) throw tooLarge();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
