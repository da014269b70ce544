// Reads a right value by its schema without asking zod, which interprets its schemas: each is made once into functions
// that check and copy. Whatever they do not know, or find at fault, is zod's to judge.

import type { z } from "zod";
import { isObject, mostOf, shapeOf } from "./schema-parts";

/** Stands for a value that is not read: it has a fault, or only zod can tell. */
export const UNREAD: unique symbol = Symbol("unread");

/** Returns the value as its schema gives it, or UNREAD. */
export type ValueReader = (value: unknown) => unknown;

const readers = new WeakMap<z.ZodType, ValueReader>();

/** Returns the reader of a schema. */
export function readerOf(schema: z.ZodType): ValueReader {
  const known = readers.get(schema);
  if (known !== undefined) return known;
  const made = withChecks(schema, compile(schema));
  readers.set(schema, made);
  return made;
}

const byZod =
  (schema: z.ZodType): ValueReader =>
  (value) => {
    const read = schema.safeParse(value);
    return read.success ? read.data : UNREAD;
  };

/** The parts of zod's own description of a schema that are used here, beside those of schema-parts.ts. */
interface Parts {
  readonly keyType?: z.ZodType;
  readonly entries?: Readonly<Record<string, string | number>>;
  readonly values?: readonly unknown[];
  readonly defaultValue?: unknown;
  readonly items?: readonly z.ZodType[];
  readonly rest?: z.ZodType | null;
  readonly format?: string;
  readonly coerce?: boolean;
}

const partsOf = (schema: z.ZodType): Parts => schema.def as unknown as Parts;

function compile(schema: z.ZodType): ValueReader {
  const { type, innerType, element, valueType, shape, catchall, discriminator, options } = shapeOf(schema);
  const { keyType, entries, values, items, rest, coerce, format } = partsOf(schema);
  if (coerce === true || (type === "string" && format !== undefined)) return byZod(schema);
  switch (type) {
    case "string":
      return (value) => (typeof value === "string" ? value : UNREAD);
    case "boolean":
      return (value) => (typeof value === "boolean" ? value : UNREAD);
    case "number":
      return numberReader(schema);
    case "enum":
      return amongst(Object.values(entries ?? {}));
    case "literal":
      return amongst(values ?? []);
    case "nullable":
      return unless(null, innerType);
    case "optional":
      return unless(undefined, innerType);
    case "default":
      return defaultReader(schema, innerType);
    case "array":
      return element === undefined ? byZod(schema) : arrayReader(readerOf(element), mostOf(schema));
    case "object":
      return shape === undefined || catchall !== undefined ? byZod(schema) : objectReader(shape);
    case "record":
      return keyType === undefined || valueType === undefined
        ? byZod(schema)
        : recordReader(readerOf(keyType), readerOf(valueType));
    case "union":
      return unionReader(schema, discriminator, options ?? []);
    case "tuple":
      return items === undefined || rest !== null ? byZod(schema) : tupleReader(items.map(readerOf));
    case "catch":
      return catchReader(schema, innerType);
    default:
      return byZod(schema);
  }
}

const amongst = (values: readonly unknown[]): ValueReader => {
  const known = new Set(values);
  return (value) => (known.has(value) ? value : UNREAD);
};

/** Whole numbers are zod's `safeint`; those of other formats, and no numbers at all, are its to judge. */
function numberReader(schema: z.ZodType): ValueReader {
  const { format } = partsOf(schema);
  if (format === "safeint") return (value) => (Number.isSafeInteger(value) ? value : UNREAD);
  return format === undefined ? (value) => (Number.isFinite(value) ? value : UNREAD) : byZod(schema);
}

function unless(empty: null | undefined, inner: z.ZodType | undefined): ValueReader {
  if (inner === undefined) return () => UNREAD;
  const read = readerOf(inner);
  return (value) => (value === empty ? value : read(value));
}

function defaultReader(schema: z.ZodType, inner: z.ZodType | undefined): ValueReader {
  if (inner === undefined) return byZod(schema);
  const read = readerOf(inner);
  // A getter: a default that is an object is made anew each time.
  return (value) => (value === undefined ? partsOf(schema).defaultValue : read(value));
}

function catchReader(schema: z.ZodType, inner: z.ZodType | undefined): ValueReader {
  if (inner === undefined) return byZod(schema);
  const [read, caught] = [readerOf(inner), byZod(schema)];
  return (value) => {
    const found = read(value);
    return found === UNREAD ? caught(value) : found;
  };
}

function arrayReader(read: ValueReader, most: number): ValueReader {
  return (value) => {
    if (!Array.isArray(value) || value.length > most) return UNREAD;
    const made: unknown[] = [];
    for (const one of value) {
      const found = read(one);
      if (found === UNREAD) return UNREAD;
      made.push(found);
    }
    return made;
  };
}

/** The last items may be missing, where their schemas take that. */
function tupleReader(reads: readonly ValueReader[]): ValueReader {
  return (value) => {
    if (!Array.isArray(value) || value.length > reads.length) return UNREAD;
    const made: unknown[] = [];
    for (const [at, read] of reads.entries()) {
      const found = read(value[at]);
      if (found === UNREAD) return UNREAD;
      if (at < value.length) made.push(found);
    }
    return made;
  };
}

function objectReader(shape: Readonly<Record<string, z.ZodType>>): ValueReader {
  const fields = Object.entries(shape).map(([name, schema]) => ({ name, read: readerOf(schema) }));
  return (value) => {
    if (!isObject(value)) return UNREAD;
    const given = value as Readonly<Record<string, unknown>>;
    const made: Record<string, unknown> = {};
    for (const { name, read } of fields) {
      const one = Object.hasOwn(given, name) ? given[name] : undefined;
      const found = read(one);
      if (found === UNREAD) return UNREAD;
      if (found !== undefined || Object.hasOwn(given, name)) made[name] = found;
    }
    return made;
  };
}

function recordReader(readKey: ValueReader, readValue: ValueReader): ValueReader {
  return (value) => {
    if (!isObject(value)) return UNREAD;
    const made: Record<string, unknown> = {};
    for (const [key, one] of Object.entries(value)) {
      // It would set the prototype. zod knows what to do with such a key.
      if (key === "__proto__" || readKey(key) !== key) return UNREAD;
      const found = readValue(one);
      if (found === UNREAD) return UNREAD;
      made[key] = found;
    }
    return made;
  };
}

/** A union whose options have words that tell them apart; or the first option that takes the value. */
function unionReader(schema: z.ZodType, discriminator: string | undefined, options: readonly z.ZodType[]): ValueReader {
  if (discriminator === undefined) {
    const reads = options.map(readerOf);
    return (value) => {
      for (const read of reads) {
        const found = read(value);
        if (found !== UNREAD) return found;
      }
      return UNREAD;
    };
  }
  const byWord = new Map<unknown, ValueReader>();
  for (const option of options) {
    const word = shapeOf(option).shape?.[discriminator];
    const { entries, values } = word === undefined ? {} : partsOf(word);
    const words = values ?? (entries === undefined ? null : Object.values(entries));
    if (words === null) return byZod(schema);
    for (const one of words) byWord.set(one, readerOf(option));
  }
  return (value) => {
    if (!isObject(value)) return UNREAD;
    const read = byWord.get((value as Readonly<Record<string, unknown>>)[discriminator]);
    return read === undefined ? UNREAD : read(value);
  };
}

// ---- checks of a whole value

interface CheckParts {
  readonly check: string;
  readonly format?: string;
  readonly pattern?: RegExp;
  readonly maximum?: number;
  readonly minimum?: number;
  readonly value?: number;
  readonly inclusive?: boolean;
  readonly fn?: (value: unknown) => unknown;
}

type Check = (value: never) => boolean;

/** Returns the reader with the checks that its schema makes after it. */
function withChecks(schema: z.ZodType, read: ValueReader): ValueReader {
  const checks: Check[] = [];
  for (const { _zod } of shapeOf(schema).checks ?? []) {
    const check = checkOf(_zod?.def as CheckParts | undefined);
    if (check === null) return byZod(schema);
    checks.push(check);
  }
  if (checks.length === 0) return read;
  return (value) => {
    const found = read(value);
    if (found === UNREAD || found === null || found === undefined) return found;
    for (const check of checks) if (!check(found as never)) return UNREAD;
    return found;
  };
}

/** Returns the check that zod describes so, or null if it is none that is known here. */
function checkOf(def: CheckParts | undefined): Check | null {
  switch (def?.check) {
    case "max_length":
      return ({ length }: string) => length <= (def.maximum ?? 0);
    case "min_length":
      return ({ length }: string) => length >= (def.minimum ?? 0);
    case "greater_than":
      return (value: number) => (def.inclusive === true ? value >= (def.value ?? 0) : value > (def.value ?? 0));
    case "less_than":
      return (value: number) => (def.inclusive === true ? value <= (def.value ?? 0) : value < (def.value ?? 0));
    case "string_format": {
      const { format, pattern } = def;
      if (format !== "regex" || pattern === undefined || pattern.global || pattern.sticky) return null;
      return (value: string) => pattern.test(value);
    }
    case "custom": {
      const { fn } = def;
      return fn === undefined ? null : (value: unknown) => fn(value) === true;
    }
    default:
      return null;
  }
}
