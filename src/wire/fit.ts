// Makes a value fit its schema: texts for people are cut, numbers are brought into their range, and entries that cannot
// be read are left out, each by name. The sender does this to every message. The receiver does it only to a message
// that does not pass as it is, so that a text or an entry never costs a session.

import type { z } from "zod";
import { cutText, lastOfText } from "../core/cut";
import { type Fitting, fittingOf } from "./scalars";

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

/** Returns the value in its schema's bounds, or why that is impossible. */
export function fit<T>(schema: z.ZodType<T>, value: unknown): Fitted<T> {
  const misfits: Misfit[] = [];
  const made = walk(schema, value, { at: "", exact: false, misfits });
  const read = schema.safeParse(made);
  return read.success ? { is: "fitted", value: read.data, misfits } : { is: "unfit", why: reasonOf(read.error) };
}

export type ReadMessage<T> =
  | { readonly is: "read"; readonly value: T; readonly misfits: readonly Misfit[] }
  | { readonly is: "unreadable"; readonly why: string };

/** Reads a message of the other end. What is beyond a bound in it costs that text or entry, not the message. */
export function messageFrom<T>(schema: z.ZodType<T>, text: string): ReadMessage<T> {
  const json = parsed(text);
  if (json === undefined) return { is: "unreadable", why: "it is not JSON" };
  const read = schema.safeParse(json);
  if (read.success) return { is: "read", value: read.data, misfits: [] };
  const made = fit(schema, json);
  return made.is === "fitted" ? { ...made, is: "read" } : { is: "unreadable", why: made.why };
}

/**
 * Returns a message as text, in the bounds of its schema. Orders are sent as they are, since their receiver answers
 * each one that it cannot read.
 */
export function messageText<T>(schema: z.ZodType<T>, message: T): string {
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

export function reasonOf(error: z.ZodError): string {
  const [first] = error.issues;
  const where = first === undefined || first.path.length === 0 ? "it" : first.path.join(".");
  return `${where}: ${first?.message ?? "not as it should be"}`;
}

interface Place {
  readonly at: string;
  /** Whether the value is an order, in which only prose may be changed. */
  readonly exact: boolean;
  readonly misfits: Misfit[];
}

const inside = ({ at, exact, misfits }: Place, step: string): Place => ({
  at: at === "" ? step : `${at}.${step}`,
  exact,
  misfits,
});

/** The parts of zod's own description of a schema that this walk needs. */
interface Shape {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly discriminator?: string;
  readonly options?: readonly z.ZodType[];
}

const shapeOf = (schema: z.ZodType): Shape => schema.def as unknown as Shape;

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
      return element !== undefined && Array.isArray(value)
        ? value.map((one: unknown, n) => walk(element, one, inside(place, String(n))))
        : value;
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
  if (place.exact || inner.safeParse(made).success) return made;
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
  if (discriminator === undefined || !isObject(value)) return value;
  const word = (value as Record<string, unknown>)[discriminator];
  const option = options.find((one) => shapeOf(one).shape?.[discriminator]?.safeParse(word).success === true);
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

function walkList(schema: z.ZodType, { is, most }: { is: string; most: number }, value: unknown[], place: Place) {
  const { element } = shapeOf(schema);
  if (element === undefined) return value;
  const kept: unknown[] = [];
  for (const [n, one] of value.entries()) {
    const at = inside({ ...place, exact: place.exact || is === "orders" }, String(n));
    const read = element.safeParse(walk(element, one, at));
    if (read.success && kept.length < most) kept.push(read.data);
    else {
      const why = read.success ? `there are more than ${most}` : reasonOf(read.error);
      place.misfits.push({ where: at.at, why, value: one });
    }
  }
  return kept;
}

function walkTable(schema: z.ZodType, most: number, value: object, place: Place): unknown {
  const { valueType } = shapeOf(schema);
  if (valueType === undefined || place.exact) return value;
  const kept: Record<string, unknown> = {};
  let count = 0;
  for (const [key, one] of Object.entries(value)) {
    const made = walk(valueType, one, inside(place, key));
    const why =
      count >= most
        ? `there are more than ${most}`
        : schema.safeParse({ [key]: made }).success
          ? null
          : "its key or its value cannot be read";
    if (why !== null) place.misfits.push({ where: inside(place, cutText(key, 100)).at, why, value: one });
    else {
      Object.defineProperty(kept, key, { value: made, enumerable: true, writable: true, configurable: true });
      count++;
    }
  }
  return kept;
}

/** Returns the number of the schema's range that is nearest, or the value itself if it is no number. */
function numberIn(schema: z.ZodType, value: unknown): unknown {
  if (typeof value !== "number" || Number.isNaN(value) || schema.safeParse(value).success) return value;
  const most = Number.MAX_SAFE_INTEGER;
  const near = Math.min(Math.max(Math.round(value), -most), most);
  const highest = (schema as { readonly maxValue?: number | null }).maxValue ?? most;
  return [near, Math.max(near, 0), highest].find((one) => schema.safeParse(one).success) ?? value;
}

const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
