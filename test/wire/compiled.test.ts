// The compiled readers give what zod gives, for values of every schema that travels and for damaged ones; and the
// messages of every second are not left to zod.

import { describe, expect, test } from "bun:test";
import type { z } from "zod";
import { toAgent, toServer } from "../../src/wire/agent";
import { readerOf, UNREAD } from "../../src/wire/compiled";
import { ROUTES } from "../../src/server/routes/table";
import { shapeOf } from "../../src/wire/schema-parts";
import { diceOf, type Dice } from "../support/random";

const UID = "0123456789abcdef0123456789abcdef";
const TEXTS = ["", "x", UID, "\ud800", "y".repeat(9_000)];
const NUMBERS = [0, 1, -1, 1.5, 2 ** 53, Number.NaN];
const PARTS = [[], [1], {}, { kind: "shell" }, JSON.parse('{"__proto__": 1}')] as const;
const STRANGE: readonly unknown[] = [null, undefined, true, false, ...TEXTS, ...NUMBERS, ...PARTS];

interface Parts {
  readonly keyType?: z.ZodType;
  readonly entries?: Readonly<Record<string, unknown>>;
  readonly values?: readonly unknown[];
  readonly items?: readonly z.ZodType[];
}

/** Makes a value that its schema probably takes. */
function valueOf(schema: z.ZodType, dice: Dice, depth = 0): unknown {
  const { type, innerType, element, valueType, shape, options } = shapeOf(schema);
  const { entries, values, items } = schema.def as unknown as Parts;
  const inner = (): unknown => (innerType === undefined ? null : valueOf(innerType, dice, depth + 1));
  switch (type) {
    case "string":
      return dice.pick([UID, UID + UID, "name", "a b", ""]);
    case "number":
      return dice.pick([0, 1, 7, 80, 65_535]);
    case "boolean":
      return dice.chance(0.5);
    case "enum":
      return dice.pick(Object.values(entries ?? {}));
    case "literal":
      return values?.[0];
    case "nullable":
      return dice.chance(0.3) ? null : inner();
    case "optional":
    case "default":
      return dice.chance(0.3) ? undefined : inner();
    case "array":
      return Array.from({ length: depth > 6 ? 0 : dice.below(3) }, () => valueOf(element!, dice, depth + 1));
    case "tuple":
      return items!.map((item) => valueOf(item, dice, depth + 1));
    case "record":
      return Object.fromEntries(["a", "b"].map((key) => [key, valueOf(valueType!, dice, depth + 1)]));
    case "object":
      return Object.fromEntries(Object.entries(shape!).map(([name, one]) => [name, valueOf(one, dice, depth + 1)]));
    case "union":
      return valueOf(dice.pick(options!), dice, depth + 1);
    default:
      return innerType === undefined ? "x" : inner();
  }
}

/** Returns the value with one place of it changed, added or left out. */
function damaged(value: unknown, dice: Dice): unknown {
  if (typeof value !== "object" || value === null || dice.chance(0.15)) return dice.pick(STRANGE);
  if (Array.isArray(value)) {
    const at = dice.below(value.length + 1);
    return [...value.slice(0, at), damaged(value[at], dice), ...value.slice(at + 1)];
  }
  const names = Object.keys(value);
  const name = dice.chance(0.1) || names.length === 0 ? "more" : dice.pick(names);
  const { [name]: one, ...rest } = value as Record<string, unknown>;
  return dice.chance(0.15) ? rest : { ...rest, [name]: damaged(one, dice) };
}

function sameAsZod(schema: z.ZodType, value: unknown): "read" | "left" | "refused" {
  const [found, told] = [readerOf(schema)(value), schema.safeParse(value)];
  if (found !== UNREAD) {
    expect(told.success).toBe(true);
    expect(found).toStrictEqual(told.data);
    expect(JSON.stringify(found)).toBe(JSON.stringify(told.data));
    return "read";
  }
  return told.success ? "left" : "refused";
}

const SCHEMAS: readonly (readonly [name: string, schema: z.ZodType, times: number])[] = [
  ["what an agent says", toServer, 1_500],
  ["what an agent is told", toAgent, 1_500],
  ...ROUTES.flatMap(({ method, path, body, answer }) =>
    [body, answer].flatMap((schema, n) => {
      // Some answers are bytes or streams.
      if (typeof schema !== "object" || schema === null) return [];
      return [[`${method} ${path} ${n === 0 ? "body" : "answer"}`, schema, 60] as const];
    }),
  ),
];

describe("a compiled reader", () => {
  test.each(SCHEMAS)("gives what zod gives: %s", (_name, schema, times) => {
    const dice = diceOf(times);
    const seen = new Set<string>();
    for (let n = 0; n < times; n++) {
      const value = valueOf(schema, dice);
      seen.add(sameAsZod(schema, value));
      sameAsZod(schema, damaged(value, dice));
    }
    // Right values are read here, and none is left to zod.
    expect([...seen]).not.toContain("left");
  });
});
