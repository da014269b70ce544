// The elements of which the schema is made: each reads a small grammar, words its own errors and carries its own
// documentation.

import { z } from "zod";
import { readName } from "../grammar/names";
import { invalid, parsed, kindOf, type Parsed } from "../issue";

/** The rules for keys of maps. check/keys.ts checks them, so that a bad key does not hide what is below it. */
export const KEY_RULES = z.registry<{ read: (key: string) => Parsed<unknown> }>();

/**
 * Makes the error of a schema whose input has the wrong shape. A hint is put on the second line, since zod carries one
 * text.
 */
export const expects = (what: string, hint?: (input: unknown) => string | null) => ({
  error: (issue: { input?: unknown }): string => {
    if (issue.input === undefined) return "is missing";
    const indent = issue.input === null && what.startsWith("a map") ? "its keys stand further in, below it" : null;
    const more = hint?.(issue.input) ?? indent;
    return `must be ${what}, not ${kindOf(issue.input)}${more === null ? "" : `\n${more}`}`;
  },
});

/** Adds to a key its one-line description and examples, which the reference and the JSON Schema show. */
export const key = <T extends z.ZodType>(schema: T, description: string, ...examples: unknown[]): T =>
  schema.meta(examples.length > 0 ? { description, examples } : { description });

/**
 * Adds an error about a value, or about the part of it at `path`. A hint is put on the second line, since zod carries
 * one text.
 */
export function complain(
  context: z.RefinementCtx,
  { message, hint }: Extract<Parsed<unknown>, { is: "invalid" }>,
  input: unknown,
  path: readonly number[] = [],
): void {
  const text = hint === null ? message : `${message}\n${hint}`;
  context.issues.push({ code: "custom", message: text, input, path: [...path] });
}

/** Makes a schema that passes a value of the right shape to the reader of its grammar. */
export const reads = <I, T>(schema: z.ZodType<I>, read: (value: I) => Parsed<T>) =>
  schema.transform((value, context): T => {
    const result = read(value);
    if (result.is === "parsed") return result.value;
    complain(context, result, value);
    return z.NEVER;
  });

/**
 * Makes a schema for any text. Under this schema YAML's `1.10`, `yes` and `007` stay as they were written (see
 * read/tree.ts).
 */
export const text = (what = "a text", hint?: (input: unknown) => string | null) => z.string(expects(what, hint));

export const filled = (what: string, hint?: (input: unknown) => string | null) =>
  reads(text(what, hint), (value) => (value.trim() === "" ? invalid("is empty") : parsed(value)));

/** Makes a schema for a quantity, written as a text or a bare number. */
export const quantity = <T>(what: string, read: (value: string | number) => Parsed<T>) =>
  reads(z.union([z.string(), z.number()], expects(what)), read);

const isNumeral = (input: unknown): boolean => typeof input === "string" && /^-?\d+$/.test(input);

export const whole = (min: number, max: number) =>
  z
    .int(expects("a whole number", (input) => (isNumeral(input) ? "write it without quotes" : null)))
    .min(min, `must be at least ${min}`)
    .max(max, `must be at most ${max}`);

export const flag = () => z.boolean(expects("`true` or `false`", hintFlag));

/** Returns the hint for a word that YAML 1.1 read as true or false, or null. */
export const hintFlag = (input: unknown): string | null =>
  typeof input === "string" && /^(yes|no|on|off|y|n)$/i.test(input) ? `write \`${/^(yes|on|y)$/i.test(input)}\`` : null;

export const choice = <const V extends readonly [string, ...string[]]>(...values: V) =>
  z.enum(values, expects(values.map((value) => `\`${value}\``).join(" or ")));

/** Makes a schema for one item or a list of them. */
export const oneOrMany = <T extends z.ZodType>(item: T, what: string) =>
  z
    .union([item, z.array(item)], expects(what))
    .transform((value): z.output<T>[] => (Array.isArray(value) ? (value as z.output<T>[]) : [value as z.output<T>]));

/** Makes a schema for a map whose keys obey a rule. */
export const mapOf = <T extends z.ZodType>(
  what: string,
  value: T,
  read: (key: string) => Parsed<unknown>,
  hint?: (input: unknown) => string | null,
) => z.record(z.string(), value, expects(what, hint)).register(KEY_RULES, { read });

/** Makes a schema for an object that has these keys only. */
export const block = <S extends z.ZodRawShape>(
  shape: S,
  what = "a map of keys",
  hint?: (input: unknown) => string | null,
) => z.strictObject(shape, expects(what, hint));

/** Returns a short value as it is written in a hint, or null for any other. */
export const asWritten = (input: unknown): string | null =>
  (typeof input === "string" && /^[\w.:/@ -]{1,40}$/.test(input)) || typeof input === "number" ? String(input) : null;

export const name = (what: string) => reads(text(what), readName);
export const names = (what: string) => oneOrMany(filled("a name"), what);
