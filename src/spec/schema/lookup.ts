// Finds the part of the schema behind a path, so that reading, errors and documentation need no second table.

import { z } from "zod";
import { KEY_RULES } from "./elements";
import type { Path, Parsed } from "../issue";

/** Returns the alternatives of a schema, looking through defaults, optionals and transforms. */
export function alternatives(schema: z.ZodType): z.ZodType[] {
  if (schema instanceof z.ZodOptional || schema instanceof z.ZodPrefault)
    return alternatives(schema.unwrap() as z.ZodType);
  if (schema instanceof z.ZodPipe) return alternatives(schema.in as z.ZodType);
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => alternatives(option as z.ZodType));
  return [schema];
}

/** Returns the schema below a key or an index, or null if there is none. */
export function below(schema: z.ZodType | null, step: string | number): z.ZodType | null {
  for (const each of schema === null ? [] : alternatives(schema)) {
    if (typeof step === "number") {
      if (each instanceof z.ZodArray) return each.element as z.ZodType;
    } else if (each instanceof z.ZodObject) {
      const found = Object.hasOwn(each.shape, step) ? each.shape[step] : each.def.catchall;
      if (found !== undefined && !(found instanceof z.ZodNever)) return found as z.ZodType;
    } else if (each instanceof z.ZodRecord) return each.valueType as z.ZodType;
  }
  return null;
}

/** Returns the schema at a path, or null if there is none. */
export const schemaAt = (schema: z.ZodType, path: Path): z.ZodType | null =>
  path.reduce<z.ZodType | null>((at, step) => below(at, step), schema);

/** Returns the keys that an object schema knows; none for a map with free keys. */
export function knownKeys(schema: z.ZodType | null): string[] {
  return schema === null
    ? []
    : alternatives(schema).flatMap((each) => (each instanceof z.ZodObject ? Object.keys(each.shape) : []));
}

/** Returns the rule for the keys of a map with free keys, or null. */
export function keyRule(schema: z.ZodType): ((key: string) => Parsed<unknown>) | null {
  for (const each of alternatives(schema)) {
    const rule = KEY_RULES.get(each);
    if (rule !== undefined) return rule.read;
  }
  return null;
}

/** Returns whether a text is expected here, so that `1.10` or `yes` is the text as it was written. */
export function wantsText(schema: z.ZodType | null): boolean {
  const all = schema === null ? [] : alternatives(schema);
  return all.some((each) => each instanceof z.ZodString) && !all.some((each) => each instanceof z.ZodNumber);
}
