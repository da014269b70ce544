// Numbers, texts and lists in messages, each with its bound. Both ends use these schemas: the sender cuts to the
// bounds, and the receiver leaves out what is beyond them (see fit.ts).

import { z } from "zod";
import { HOUSE_LIMITS } from "../core/limits";

/** A time in Unix milliseconds. */
export const ms = z.int();

/** A count, an amount or an age. */
export const int = z.int().nonnegative();

/**
 * A length of time in milliseconds. Its sum with a point in time is always a whole number, so that no node can put a
 * time into the database that nobody can read.
 */
export const MOST_SPAN_MS = 100_000_000_000_000;
export const span = z.int().nonnegative().max(MOST_SPAN_MS);

/** An amount of memory, disk or time of a processor. */
export const amount = z.int().nonnegative().max(HOUSE_LIMITS.amount);

/** How many there are of something that is counted. */
export const countable = z.int().nonnegative().max(HOUSE_LIMITS.countable);

/** The number of a port. */
export const port = z.int().nonnegative().max(HOUSE_LIMITS.port);

/** How a value that is beyond its bound is made to fit. Values of other schemas are never changed. */
export type Fitting =
  /** A text that people read keeps its beginning. */
  | { readonly is: "prose"; readonly chars: number }
  /** The last output of a task keeps its end. */
  | { readonly is: "tail"; readonly chars: number }
  /** A list loses the entries that cannot be read, and those beyond the bound. */
  | { readonly is: "entries"; readonly most: number }
  /** A list of orders. Nothing in an order is changed except prose: an order that was changed is another order. */
  | { readonly is: "orders"; readonly most: number }
  /** A table of keys and values loses the keys that cannot be read, and those beyond the bound. */
  | { readonly is: "table"; readonly most: number };

const fittings = new WeakMap<z.ZodType, Fitting>();

export const fittingOf = (schema: z.ZodType): Fitting | undefined => fittings.get(schema);

function fitted<S extends z.ZodType>(schema: S, fitting: Fitting): S {
  fittings.set(schema, fitting);
  return schema;
}

const wellFormed = (chars: number) =>
  z
    .string()
    .max(chars)
    .refine((text) => text.isWellFormed(), "has half of a character");

/** An identifier or a name. It means nothing when it is cut, so what holds a longer one is refused. */
export const text = wellFormed(HOUSE_LIMITS.text_chars);

/** A text for people: a reason, a model, a line. */
export const proseOf = (chars: number) => fitted(wellFormed(chars), { is: "prose", chars });
export const prose = proseOf(HOUSE_LIMITS.text_chars);

/** The last output of a stream. A byte becomes at most one character. */
export const tailText = fitted(wellFormed(HOUSE_LIMITS.log_tail_bytes), {
  is: "tail",
  chars: HOUSE_LIMITS.log_tail_bytes,
});

/** A list whose entries stand for themselves: one that cannot be read costs that entry. */
export const entriesOf = <S extends z.ZodType>(entry: S, most: number) =>
  fitted(z.array(entry).max(most), { is: "entries", most });

/** A list of orders: one that cannot be read is answered by itself. */
export const ordersOf = <S extends z.ZodType>(order: S, most: number) =>
  fitted(z.array(order).max(most), { is: "orders", most });

/** A table with texts as keys, such as labels. */
export const tableOf = <S extends z.ZodType>(value: S, most: number = HOUSE_LIMITS.label_count) =>
  fitted(
    z.record(wellFormed(HOUSE_LIMITS.text_chars), value).refine((table) => Object.keys(table).length <= most, {
      message: `has more than ${most} keys`,
    }),
    { is: "table", most },
  );

/** What tables call a thing. An answer of a server of an earlier release has none, and the name stands for it. */
export const title = z
  .string()
  .nullable()
  .default(null)
  .describe("the name for people: of a run in no app the one that it was given; null from an earlier release");
