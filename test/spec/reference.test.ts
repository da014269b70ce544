// The reference and the JSON Schema come from the schema, so every key has its line and its description.

import { describe, expect, test } from "bun:test";
import { specReference } from "../../src/spec/reference";
import { PLANNED } from "../../src/spec/check/planned";
import { knownKeys } from "../../src/spec/schema/lookup";
import { KIND_SCHEMAS, specJsonSchema } from "../../src/spec/schema/schema";

interface Json {
  description?: string;
  properties?: Record<string, Json>;
  additionalProperties?: Json | boolean;
  anyOf?: Json[];
}

/** Every key of every object below, with its path. */
function keysOf(schema: Json, path = ""): [path: string, key: string, schema: Json][] {
  const own = Object.entries(schema.properties ?? {}).flatMap(([key, value]): [string, string, Json][] => [
    [`${path}.${key}`, key, value],
    ...keysOf(value, `${path}.${key}`),
  ]);
  const free = typeof schema.additionalProperties === "object" ? keysOf(schema.additionalProperties, `${path}.*`) : [];
  return [...own, ...free, ...(schema.anyOf ?? []).flatMap((option) => keysOf(option, path))];
}

describe("the reference", () => {
  const page = specReference();
  const keys = keysOf(specJsonSchema() as Json);

  test("has a line for every key, which has a description", () => {
    expect(keys.length).toBeGreaterThan(90);
    expect(keys.filter(([, , schema]) => (schema.description ?? "") === "").map(([path]) => path)).toEqual([]);
    expect(
      keys
        .filter(([, key, schema]) => !page.includes(`| \`${key}\` | ${schema.description?.replaceAll("|", "\\|")} |`))
        .map(([path]) => path),
    ).toEqual([]);
  });

  test("lists what is not built yet", () => {
    for (const { key } of PLANNED) expect(page).toMatch(new RegExp(`\\| \`(resources\\.gpu\\.)?${key}\` \\|`));
  });

  test("has tables whose rows have as many cells as their heads", () => {
    const cells = (line: string): number => line.replaceAll("\\|", "").split("|").length;
    const rows = page
      .split("\n")
      .map((line, i, lines) => ({
        line,
        head: lines.slice(0, i + 1).findLast((_, j) => lines[j + 1]?.startsWith("| ---") === true),
      }))
      .filter(({ line }) => line.startsWith("|"));
    expect(rows.length).toBeGreaterThan(150);
    expect(rows.filter(({ line, head }) => cells(line) !== cells(head ?? "")).map(({ line }) => line)).toEqual([]);
  });
});

test("a key that is built is not planned any more", () => {
  const built = Object.values(KIND_SCHEMAS).flatMap(knownKeys);
  expect(PLANNED.map(({ key }) => key).filter((key) => built.includes(key))).toEqual([]);
});
