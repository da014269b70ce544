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
