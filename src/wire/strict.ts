// Reads a value by its schema and stops at the first fault. zod reads on and keeps every fault, so a list of a million
// wrong entries would occupy the reader for seconds. This costs no more than reading a right value of that size.

import type { z } from "zod";
import { readerOf, UNREAD } from "./compiled";
import { isObject, mostOf, shapeOf } from "./schema-parts";

export type StrictlyRead =
  { readonly is: "read"; readonly value: unknown } | { readonly is: "fault"; readonly why: string };

/** Returns the value as the schema gives it, or the first fault that was found. */
export function readStrictly(schema: z.ZodType, value: unknown): StrictlyRead {
  const found = readerOf(schema)(value);
  return found === UNREAD ? readByFaults(schema, value, "") : { is: "read", value: found };
}

function readByFaults(schema: z.ZodType, value: unknown, at: string): StrictlyRead {
  const read = readParts(schema, value, at);
  // A check of the whole comes after the parts, which have no fault then.
  return read.is === "read" && hasOwnChecks(schema) ? readWhole(schema, value, at) : read;
}

function readParts(schema: z.ZodType, value: unknown, at: string): StrictlyRead {
  if (!holdsLists(schema)) return readWhole(schema, value, at);
  const { type, innerType, element, valueType, shape, catchall, discriminator, options } = shapeOf(schema);
  if (innerType !== undefined && type !== "catch" && value !== null && value !== undefined)
    return readByFaults(innerType, value, at);
  if (type === "object" && shape !== undefined && catchall === undefined && isObject(value))
    return readObject(shape, value, at);
  if (type === "array" && element !== undefined && Array.isArray(value)) return readArray(schema, element, value, at);
  if (type === "record" && valueType !== undefined && isObject(value) && countOf(value) > mostOf(schema))
    return { is: "fault", why: `${at === "" ? "it" : at}: has more than ${mostOf(schema)} keys` };
  const option = type === "union" ? optionFor(options ?? [], discriminator, value) : undefined;
  return option === undefined ? readWhole(schema, value, at) : readByFaults(option, value, at);
}

const countOf = (value: object): number => Object.keys(value).length;

export function optionFor(
  options: readonly z.ZodType[],
  discriminator: string | undefined,
  value: unknown,
): z.ZodType | undefined {
  if (discriminator === undefined || !isObject(value)) return undefined;
  const word = (value as Record<string, unknown>)[discriminator];
  return options.find((one) => shapeOf(one).shape?.[discriminator]?.safeParse(word).success === true);
}

const inside = (at: string, step: string): string => (at === "" ? step : `${at}.${step}`);

function readObject(shape: Readonly<Record<string, z.ZodType>>, value: object, at: string): StrictlyRead {
  const made: Record<string, unknown> = {};
  for (const [name, schema] of Object.entries(shape)) {
    const isGiven = Object.hasOwn(value, name);
    const given = isGiven ? (value as Record<string, unknown>)[name] : undefined;
    const read = readByFaults(schema, given, inside(at, name));
    if (read.is === "fault") return read;
    if (isGiven || read.value !== undefined) made[name] = read.value;
  }
  return { is: "read", value: made };
}

function readArray(schema: z.ZodType, element: z.ZodType, value: readonly unknown[], at: string): StrictlyRead {
  const most = mostOf(schema);
  if (value.length > most) return { is: "fault", why: `${at === "" ? "it" : at}: has more than ${most} entries` };
  const made: unknown[] = [];
  for (const [n, one] of value.entries()) {
    const read = readByFaults(element, one, inside(at, String(n)));
    if (read.is === "fault") return read;
    made.push(read.value);
  }
  return { is: "read", value: made };
}

function readWhole(schema: z.ZodType, value: unknown, at: string): StrictlyRead {
  const read = schema.safeParse(value);
  if (read.success) return { is: "read", value: read.data };
  return { is: "fault", why: reasonOf(read.error, at) };
}

export function reasonOf(error: z.ZodError, at = ""): string {
  const [first] = error.issues;
  const path = [...(at === "" ? [] : [at]), ...(first?.path ?? [])].join(".");
  return `${path === "" ? "it" : path}: ${first?.message ?? "not as it should be"}`;
}

const known = new WeakMap<z.ZodType, boolean>();

/** Returns whether values of this schema contain lists or tables, so that one value may have many faults. */
function holdsLists(schema: z.ZodType): boolean {
  const before = known.get(schema);
  if (before !== undefined) return before;
  const { type, innerType, shape, options } = shapeOf(schema);
  const parts = [innerType, ...Object.values(shape ?? {}), ...(options ?? [])];
  const holds = type === "array" || type === "record" || parts.some((one) => one !== undefined && holdsLists(one));
  known.set(schema, holds);
  return holds;
}

/** Returns whether the schema of an object or of a list checks the whole value, besides its parts and its length. */
const hasOwnChecks = (schema: z.ZodType): boolean => {
  const { type, checks = [] } = shapeOf(schema);
  if (type !== "object" && type !== "array") return false;
  return holdsLists(schema) && checks.some((check) => check._zod?.def?.check !== "max_length");
};
