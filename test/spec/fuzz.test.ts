// The parser meets thousands of damaged specs: it always answers, its places lie inside the text, and it answers fast.

import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { formatIssue } from "../../src/spec/issue";
import { parseApp, parseJob } from "../../src/spec/parse";
import { diceOf, type Dice } from "../support/random";

const ROOT = join(import.meta.dir, "../..");
const texts = ["examples", "test/golden/spec"].flatMap((folder) =>
  readdirSync(join(ROOT, folder)).map(
    (name) => readFileSync(join(ROOT, folder, name), "utf8").split("\n----------\n")[0] ?? "",
  ),
);

const PIECES = [
  "{",
  "}",
  "[",
  "]",
  ":",
  ": ",
  "- ",
  "? ",
  "&a ",
  "*a",
  "<<: *a",
  "!x ",
  "!!int ",
  "|\n",
  ">\n",
  "'",
  '"',
  "#",
  " #",
  "\t",
  "\n",
  "\r\n",
  "  ",
  "%",
  "---\n",
  "...\n",
  "null",
  "~",
  "1.10",
  "-1",
  "1e999",
  ".nan",
  "0x1F",
  "9007199254740993",
  "true",
  "yes",
  "\u0000",
  "\u001b",
  "\ufffd",
  "\ud800",
  "ä",
  "𝕏",
  "__proto__",
  "constructor",
  "run",
  "command",
  "after",
  "gpu",
  "24GB..",
  "..",
  "image",
  "environment",
  "zone in (a",
  "4090",
  "1-00:00:00",
  "500m",
  ",",
  "(",
  ")",
  "$X",
  "\\",
  "\u2028",
];

function damaged(text: string, dice: Dice): string {
  let out = text;
  for (let n = 1 + dice.below(4); n > 0; n--) {
    const at = dice.below(out.length + 1);
    const until = Math.min(out.length, at + dice.below(dice.chance(0.2) ? 60 : 4));
    const lines = out.split("\n");
    const line = dice.below(lines.length);
    const how = dice.below(6);
    if (how === 0) out = out.slice(0, at) + out.slice(until);
    else if (how === 1) out = out.slice(0, at) + dice.pick(PIECES) + out.slice(at);
    else if (how === 2) out = out.slice(0, at) + dice.pick(PIECES) + out.slice(until);
    else if (how === 3) out = lines.toSpliced(line, 1, " ".repeat(dice.below(5)) + (lines[line] ?? "")).join("\n");
    else if (how === 4) out = lines.toSpliced(line, 0, dice.pick(dice.pick(texts).split("\n"))).join("\n");
    else out = out.slice(0, at) + out.slice(at, until).repeat(dice.below(5)) + out.slice(until);
  }
  return out;
}

function check(text: string): "parsed" | "invalid" {
  const parsed = parseApp(text, "fuzz.yaml");
  if (parsed.is === "parsed") {
    expect(parseApp(text, "other.yaml")).toEqual(parsed);
    return "parsed";
  }
  expect(parsed.issues.length).toBeGreaterThan(0);
  const lines = text.split("\n");
  const outside = parsed.issues.filter(
    ({ line, column }) => line < 1 || line > lines.length || column < 1 || column > (lines[line - 1] ?? "").length + 1,
  );
  expect(outside).toEqual([]);
  expect(
    parsed.issues.map((issue) => formatIssue("fuzz.yaml", issue)).filter((line) => /\n|undefined/.test(line)),
  ).toEqual([]);
  return "invalid";
}

const SEEDS = 2_000;

describe("damaged specs", () => {
  test(`${SEEDS} of them are answered, with places inside the text`, () => {
    const count = { parsed: 0, invalid: 0 };
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = diceOf(seed);
      const text = damaged(dice.pick(texts), dice);
      try {
        count[check(text)]++;
      } catch (error) {
        throw new Error(`seed ${seed}: ${JSON.stringify(text)}`, { cause: error });
      }
    }
    expect(Math.min(count.parsed, count.invalid)).toBeGreaterThan(SEEDS / 30);
  }, 60_000);

  const anything = (dice: Dice, depth: number): unknown => {
    const how = dice.below(depth > 0 ? 8 : 6);
    if (how < 2) return dice.pick(PIECES);
    if (how < 3) return dice.below(100) - 10;
    if (how < 4) return dice.pick([null, true, 1.5, Number.NaN, Infinity, "", "a", undefined]);
    if (how < 6) return dice.pick(["auto", "1GiB", "30s", "a", "TERM", "zone=a"]);
    const items = Array.from({ length: dice.below(4) }, () => anything(dice, depth - 1));
    return how < 7 ? items : Object.fromEntries(items.map((item) => [dice.pick(KEYS), item]));
  };
  const KEYS = [
    ...PIECES,
    "run",
    "command",
    "env",
    "resources",
    "place",
    "labels",
    "ports",
    "restart",
    "stop",
    "nodes",
    "gpu",
    "after",
  ];

  test("jobs that come as objects are answered too", () => {
    const [silent, counts]: [number[], { parsed: number; invalid: number }] = [[], { parsed: 0, invalid: 0 }];
    for (let seed = 0; seed < SEEDS; seed++) {
      const dice = diceOf(seed);
      const job = Object.fromEntries(
        Array.from({ length: 1 + dice.below(5) }, () => [dice.pick(KEYS), anything(dice, 4)]),
      );
      const parsed = parseJob(job, dice.chance(0.9) ? "job" : dice.pick(PIECES));
      counts[parsed.is]++;
      if (parsed.is === "invalid" && parsed.issues.length === 0) silent.push(seed);
    }
    expect(silent).toEqual([]);
    expect(Math.min(counts.parsed, counts.invalid)).toBeGreaterThan(0);
  }, 60_000);
});
