// Answers that fit a schema and whose every text is made to disturb a terminal, for each schema of the API.

import type { z } from "zod";

const ESC = "\x1b";

/** Texts that move cursors, set titles, write clipboards, reverse text, hide it, or begin a line of their own. */
export const HOSTILE: readonly string[] = [
  `a${ESC}[2J${ESC}[Hb`,
  `a${ESC}[31mb${ESC}[8mhidden`,
  `a${ESC}]8;;https://evil.example/${ESC}\\link${ESC}]8;;${ESC}\\`,
  `a${ESC}]52;c;ZXZpbA==\x07b`,
  `a${ESC}]0;title`,
  `a${ESC}P1;2|dcs${ESC}\\b${ESC}c`,
  "a\x9b2Jb\x9d0;t\x9cc",
  "a\x07\b\x7f\x00b",
  "a\rorch: all is well\r\nb",
  "a\nfake: line\tb",
  "a\u202eb\u2066c\u200fd\u061ce",
  "a\u200bb\u2060c\ufeffd\u{e0041}\u2028e",
  `${ESC}`,
  `a${ESC}[`,
  `x`.repeat(20_000) + `${ESC}[5m`,
];

/** What none of it may leave on a terminal: control characters, marks of direction, and characters without width. */
export const LEFT =
  /[\x00-\x09\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\u{e0000}-\u{e007f}]/u;

/** The definition of a schema, as far as the API's schemas use the library. */
interface Def {
  readonly type: string;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly shape?: Readonly<Record<string, z.ZodType>>;
  readonly options?: readonly z.ZodType[];
  readonly items?: readonly z.ZodType[];
  readonly entries?: Readonly<Record<string, string>>;
  readonly values?: readonly unknown[];
}

const defOf = (schema: z.ZodType): Def => (schema as unknown as { def: Def }).def;

/** What fits where no text does but a hash. */
const HASH = "0".repeat(64);

/** Returns a value of the schema. `text` gives its texts and its keys, `n` chooses among the options of a union. */
export function hostileAnswer(schema: z.ZodType, text: () => string, n: number): unknown {
  const def = defOf(schema);
  const inner = (one: z.ZodType | undefined): unknown => (one === undefined ? null : hostileAnswer(one, text, n));
  switch (def.type) {
    case "string": {
      const said = text();
      return schema.safeParse(said).success ? said : HASH;
    }
    case "number":
    case "int":
      return schema.safeParse(1).success ? 1 : 0;
    case "boolean":
      return n % 2 === 0;
    case "null":
      return null;
    case "literal":
      return def.values?.[0];
    case "enum":
      return Object.values(def.entries ?? {})[n % Object.keys(def.entries ?? {}).length];
    case "array":
      return [inner(def.element), inner(def.element)];
    case "tuple":
      return (def.items ?? []).map(inner);
    case "record":
      return { [text()]: inner(def.valueType), [text()]: inner(def.valueType) };
    case "object":
      return Object.fromEntries(Object.entries(def.shape ?? {}).map(([key, one]) => [key, inner(one)]));
    case "union":
      return inner(def.options?.[n % def.options.length]);
    case "pipe":
      return inner(def.in);
    case "unknown":
    case "any":
      return text();
    default:
      return inner(def.innerType);
  }
}
