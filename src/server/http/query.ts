// Parts of queries that several routes take: numbers and switches as text, pages of long lists.

import { z } from "zod";
import { HOUSE_LIMITS } from "../../core/limits";
import { RefusedError } from "../refused";

export const number = z
  .string()
  .regex(/^\d{1,15}$/, "must be a whole number")
  .transform(Number);
export const flag = z.enum(["true", "false"]).transform((text) => text === "true");
export const short = z.string().max(200);

/** `limit` and `next` of a list. */
export const page = z.object({ limit: number.optional(), next: short.optional() });

export const limitOf = (query: { readonly limit?: number | undefined }): number =>
  Math.min(Math.max(query.limit ?? HOUSE_LIMITS.list_page, 1), HOUSE_LIMITS.list_page);

/** Returns the offset at which a list goes on. Only the server interprets the text of `next`. */
export function offsetOf(next: string | undefined, max: number): number {
  if (next === undefined) return 0;
  const offset = /^\d{1,9}$/.test(next) ? Number(next) : -1;
  if (offset >= 0 && offset <= max) return offset;
  throw new RefusedError("bad_request", "`next` is not one that this list gave", "Begin the list again without it");
}
