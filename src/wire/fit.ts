// Makes a value fit its schema: texts for people are cut, numbers are brought into their range, and entries that cannot
// be read are left out, each by name. The sender does this to every message. The receiver does it only to a message
// that does not pass as it is, so that a text or an entry never costs a session.

import type { z } from "zod";
import { cutText, lastOfText } from "../core/cut";
import { type Fitting, fittingOf } from "./scalars";
import { isObject, mostOf, shapeOf } from "./schema-parts";
import { optionFor, readStrictly, reasonOf } from "./strict";

/** An entry that was left out, as it came, and why. */
export interface Misfit {
  /** Where the entry was, such as `entries.3`. */
  readonly where: string;
  readonly why: string;
  readonly value: unknown;
}

export type Fitted<T> =
  | { readonly is: "fitted"; readonly value: T; readonly misfits: readonly Misfit[] }
  | { readonly is: "unfit"; readonly why: string };

/**
 * How many faults of one value are looked at. Each costs time, so a value with more is unfit as a whole: what has so
 * many is no message of this protocol.
 */
const FAULTS = 5_000;

/** Returns the value in its schema's bounds, or why that is impossible. */
export function fit<T>(schema: z.ZodType<T>, value: unknown): Fitted<T> {
  const misfits: Misfit[] = [];
  const faults = { left: FAULTS };
  const made = walk(schema, value, { at: "", exact: false, misfits, faults });
  if (faults.left <= 0) return { is: "unfit", why: "too much of it cannot be read" };
  const read = readStrictly(schema, made);
  return read.is === "read" ? { is: "fitted", value: read.value as T, misfits } : { is: "unfit", why: read.why };
}

export type ReadMessage<T> =
  | { readonly is: "read"; readonly value: T; readonly misfits: readonly Misfit[] }
  | { readonly is: "unreadable"; readonly why: string };

/** Reads a message in which nothing may be beyond a bound. A stranger's is read so, since to make it fit takes time. */
export function strictlyFrom<T>(schema: z.ZodType<T>, text: string): ReadMessage<T> {
  const json = parsed(text);
  if (json === undefined) return { is: "unreadable", why: "it is not JSON" };
  const read = readStrictly(schema, json);
  return read.is === "read" ? { is: "read", value: read.value as T, misfits: [] } : { is: "unreadable", why: read.why };
}

/** Reads a message of the other end. What is beyond a bound in it costs that text or entry, not the message. */
export function messageFrom<T>(schema: z.ZodType<T>, text: string): ReadMessage<T> {
  const json = parsed(text);
  if (json === undefined) return { is: "unreadable", why: "it is not JSON" };
  const read = readStrictly(schema, json);
  if (read.is === "read") return { is: "read", value: read.value as T, misfits: [] };
  const made = fit(schema, json);
  return made.is === "fitted" ? { ...made, is: "read" } : { is: "unreadable", why: made.why };
}

/**
 * Returns a message as text, in the bounds of its schema. Orders are sent as they are, since their receiver answers
 * each one that it cannot read.
 */
export function messageText<T>(schema: z.ZodType<T>, message: T): string {
  const read = readStrictly(schema, message);
  if (read.is === "read") return JSON.stringify(read.value);
  const made = fit(schema, message);
  const whole = made.is === "fitted" && !made.misfits.some(({ where }) => where.startsWith("changes."));
  return JSON.stringify(whole ? made.value : message);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

interface Place {
  readonly at: string;
  /** Whether the value is an order, in which only prose may be changed. */
  readonly exact: boolean;
  readonly misfits: Misfit[];
  /** How many more faults are looked at, of the whole value. */
  readonly faults: { left: number };
}

const inside = (place: Place, step: string): Place => ({
  ...place,
  at: place.at === "" ? step : `${place.at}.${step}`,
});

/** Returns what the schema makes of the value, or undefined with the reason. Counts the faults. */
function tried(
  schema: z.ZodType,
  value: unknown,
  { faults }: Place,
): { readonly why: string | null; readonly data: unknown } {
  const read = schema.safeParse(value);
  if (read.success) return { why: null, data: read.data };
  faults.left -= read.error.issues.length;
  return { why: reasonOf(read.error), data: undefined };
}

function leftOut({ misfits, faults }: Place, misfit: Misfit): void {
  faults.left--;
  misfits.push(misfit);
}

function walk(schema: z.ZodType, value: unknown, place: Place): unknown {
  const fitting = fittingOf(schema);
  if (fitting !== undefined) return walkFitting(schema, fitting, value, place);
  const { type, innerType, element, shape, options, discriminator } = shapeOf(schema);
  switch (type) {
    case "nullable":
    case "optional":
    case "default":
    case "catch":
      return innerType === undefined ? value : walkInner(innerType, type, value, place);
    case "object":
      return shape !== undefined && isObject(value) ? walkObject(shape, value, place) : value;
    case "array":
      return element !== undefined && Array.isArray(value) ? walkArray(schema, element, value, place) : value;
    case "union":
      return walkUnion(options ?? [], discriminator, value, place);
    case "number":
      return place.exact ? value : numberIn(schema, value);
    default:
      return value;
  }
}

/** Puts null for a value that can be left open and cannot be read. */
function walkInner(inner: z.ZodType, type: string, value: unknown, place: Place): unknown {
  if (value === null || value === undefined) return value;
  const made = walk(inner, value, place);
  if (place.exact || place.faults.left <= 0 || tried(inner, made, place).why === null) return made;
  return type === "nullable" ? null : type === "catch" ? made : undefined;
}

function walkObject(shape: Readonly<Record<string, z.ZodType>>, value: object, place: Place): unknown {
  const made: Record<string, unknown> = { ...value };
  for (const [name, schema] of Object.entries(shape)) {
    if (name in made) made[name] = walk(schema, made[name], inside(place, name));
  }
  return made;
}

function walkUnion(
  options: readonly z.ZodType[],
  discriminator: string | undefined,
  value: unknown,
  place: Place,
): unknown {
  const option = optionFor(options, discriminator, value);
  return option === undefined ? value : walk(option, value, place);
}

function walkFitting(schema: z.ZodType, fitting: Fitting, value: unknown, place: Place): unknown {
  switch (fitting.is) {
    case "prose":
      return typeof value === "string" ? cutText(value, fitting.chars) : value;
    case "tail":
      return typeof value === "string" ? lastOfText(value, fitting.chars) : value;
    case "table":
      return isObject(value) ? walkTable(schema, fitting.most, value, place) : value;
    default:
      return Array.isArray(value) ? walkList(schema, fitting, value, place) : value;
  }
}

/** A list that is longer than its bound cannot be read, so the rest of it is not looked at. */
function walkArray(schema: z.ZodType, element: z.ZodType, value: readonly unknown[], place: Place): unknown[] {
  const made: unknown[] = [];
  for (const [n, one] of value.slice(0, mostOf(schema) + 1).entries()) {
    if (place.faults.left <= 0) return made;
    made.push(walk(element, one, inside(place, String(n))));
  }
  return made;
}

/** The entries beyond the bound are left out unread. */
function walkList(schema: z.ZodType, { is, most }: { is: string; most: number }, value: unknown[], place: Place) {
  const { element } = shapeOf(schema);
  if (element === undefined) return value;
  const kept: unknown[] = [];
  for (const [n, one] of value.entries()) {
    if (place.faults.left <= 0) return kept;
    const at = inside({ ...place, exact: place.exact || is === "orders" }, String(n));
    if (kept.length >= most) {
      leftOut(place, { where: at.at, why: `there are more than ${most}`, value: one });
      continue;
    }
    const read = tried(element, walk(element, one, at), place);
    if (read.why === null) kept.push(read.data);
    else leftOut(place, { where: at.at, why: read.why, value: one });
  }
  return kept;
}

function walkTable(schema: z.ZodType, most: number, value: object, place: Place): unknown {
  const { valueType } = shapeOf(schema);
  if (valueType === undefined || place.exact) return value;
  const kept: Record<string, unknown> = {};
  let count = 0;
  for (const key of Object.keys(value)) {
    if (place.faults.left <= 0) return kept;
    const one = (value as Record<string, unknown>)[key];
    const made = count < most ? walk(valueType, one, inside(place, key)) : one;
    const why =
      count >= most
        ? `there are more than ${most}`
        : schema.safeParse({ [key]: made }).success
          ? null
          : "its key or its value cannot be read";
    if (why !== null) leftOut(place, { where: inside(place, cutText(key, 100)).at, why, value: one });
    else {
      Object.defineProperty(kept, key, { value: made, enumerable: true, writable: true, configurable: true });
      count++;
    }
  }
  return kept;
}

/**
 * Returns the number of the schema's range that is nearest, or the value itself if it is no number. A fraction is
 * dropped and never rounded up: there is no more of anything than was said.
 */
function numberIn(schema: z.ZodType, value: unknown): unknown {
  if (typeof value !== "number" || Number.isNaN(value) || schema.safeParse(value).success) return value;
  const most = Number.MAX_SAFE_INTEGER;
  const near = Math.min(Math.max(Math.trunc(value), -most), most);
  const highest = (schema as { readonly maxValue?: number | null }).maxValue ?? most;
  return [near, Math.max(near, 0), highest].find((one) => schema.safeParse(one).success) ?? value;
}
