// Reads text from the other end by a schema. The result is a value of the schema's shape, or why the text has none. No
// message is used before this check.

import type { z } from "zod";

export type WireText<T> =
  { readonly is: "read"; readonly value: T } | { readonly is: "unreadable"; readonly why: string };

/** Reads JSON of a schema's shape. */
export function fromText<T>(schema: z.ZodType<T>, text: string): WireText<T> {
  try {
    return fromValue(schema, JSON.parse(text));
  } catch (error) {
    if (error instanceof SyntaxError) return { is: "unreadable", why: "it is not JSON" };
    throw error;
  }
}

/**
 * Reads JSON whose lists may have entries that cannot be read. These are left out and told, so that one bad entry hides
 * none of the others. An answer of which no entry can be read is unreadable.
 */
export function fromListText<T>(schema: z.ZodType<T>, text: string, leftOut: (why: string) => void): WireText<T> {
  const read = fromText(schema, text);
  if (read.is === "read" || read.why === "it is not JSON") return read;
  const value = JSON.parse(text) as unknown;
  const { shape } = schema.def as unknown as { readonly shape?: Readonly<Record<string, z.ZodType>> };
  if (shape === undefined || typeof value !== "object" || value === null) return read;
  const whys: string[] = [];
  const kept = Object.entries(value).map(([name, one]: [string, unknown]): [string, unknown] => {
    const { element } = (shape[name]?.def ?? {}) as { readonly element?: z.ZodType };
    return [name, element !== undefined && Array.isArray(one) ? readable(element, one, name, whys) : one];
  });
  const isEmpty = kept.every(([, one]) => !Array.isArray(one) || one.length === 0);
  const again = isEmpty ? read : fromValue(schema, Object.fromEntries(kept));
  if (again.is === "read") for (const why of whys) leftOut(why);
  return again.is === "read" ? again : read;
}

/** Returns the entries that can be read, as they came. Adds to `whys` why the others cannot. */
function readable(element: z.ZodType, list: readonly unknown[], name: string, whys: string[]): unknown[] {
  return list.filter((one, n) => {
    const read = fromValue(element, one);
    if (read.is === "unreadable") whys.push(`${name}.${n}.${read.why}`);
    return read.is === "read";
  });
}

/**
 * Returns the whole text of an answer, or null if it is longer than `most` bytes: whoever answers may not be ours, and
 * may never stop.
 */
export async function wholeText(answer: Response, most: number): Promise<string | null> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of answer.body ?? []) {
    size += chunk.length;
    if (size > most) return null;
    chunks.push(chunk);
  }
  return new TextDecoder().decode(Buffer.concat(chunks));
}

/** Reads JSON that is already parsed. */
export function fromValue<T>(schema: z.ZodType<T>, value: unknown): WireText<T> {
  const result = schema.safeParse(value);
  if (result.success) return { is: "read", value: result.data };
  const [first] = result.error.issues;
  const where = first === undefined || first.path.length === 0 ? "it" : first.path.join(".");
  return { is: "unreadable", why: `${where}: ${first?.message ?? "not as it should be"}` };
}
