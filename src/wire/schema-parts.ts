// What zod says of a schema, as far as the readers of messages use it.

import type { z } from "zod";
import { fittingOf } from "./scalars";

/** The parts of zod's own description of a schema that are used here. */
export interface SchemaParts {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly catchall?: z.ZodType;
  readonly discriminator?: string;
  readonly options?: readonly z.ZodType[];
  readonly checks?: readonly { readonly _zod?: { readonly def?: { readonly check?: string } } }[];
}

export const shapeOf = (schema: z.ZodType): SchemaParts => schema.def as unknown as SchemaParts;

/** Returns the most entries that an array's or a table's schema lets through. */
export const mostOf = (schema: z.ZodType): number => {
  const fitting = fittingOf(schema);
  if (fitting !== undefined && "most" in fitting) return fitting.most;
  return (schema as { _zod?: { bag?: { maximum?: number } } })._zod?.bag?.maximum ?? Number.MAX_SAFE_INTEGER;
};

export const isObject = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);
