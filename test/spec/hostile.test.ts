// Texts made to hurt: too large, too deep, growing with aliases, oddly encoded. Each is refused with a place.

import { describe, expect, test } from "bun:test";
import { parseApp, parseJob } from "../../src/spec/parse";
import { decodeSpec } from "../../src/spec/read/text";

const first = (text: string): string => {
  const parsed = parseApp(text, "x.yaml");
  const issue = parsed.is === "parsed" ? undefined : parsed.issues[0];
  return issue === undefined ? "fine" : `${issue.line}:${issue.column}: ${issue.message}`;
};

const twenty = (line: (i: number) => string): string => Array.from({ length: 20 }, (_, i) => line(i)).join("\n");

const app = (rest: string): string => `app: a\nservices:\n  web: { run: x }\n${rest}`;

describe("hostile texts", () => {
  const N = 256 * 1024;
  const cases: Record<string, [text: string, refusal: string]> = {
    "larger than the limit": ["#".repeat(N + 1), "1:1: is larger than 256KiB"],
    "larger than the limit in UTF-8 only": ["ä".repeat(N / 2 + 1), "1:1: is larger than 256KiB"],
    "nested brackets": ["[".repeat(N), "1:65: is nested deeper than 64"],
    "nested maps": ["{a: ".repeat(N / 4), "1:257: is nested deeper than 64"],
    "nested block lists on one line": ["- ".repeat(2_000), "1:131: is nested deeper than 64"],
    "nested block lists, more than there may be pieces": [
      "- ".repeat(N / 2),
      "1:100000: has more than 100000 pieces of YAML",
    ],
    "nested keys": ["? ".repeat(2_000), "1:131: is nested deeper than 64"],
    "nested by indentation": [
      Array.from({ length: 80 }, (_, i) => `${" ".repeat(i)}a:`).join("\n"),
      "66:66: is nested deeper than 64",
    ],
    "a flood of lines": ["\n".repeat(N), "100001:1: has more than 100000 pieces of YAML"],
    "a flood of aliases": [`a: &a 1\nb: [${"*a, ".repeat(10_001)}]`, "1:1: has more than 10000 values"],
    "aliases that double": [
      `a0: &a0 [x, x]\n${twenty((i) => `a${i + 1}: &a${i + 1} [*a${i}, *a${i}]`)}`,
      "1:1: has more than 10000 values",
    ],
    "merges that double": [
      `a0: &a0 { k: {} }\n${twenty((i) => `a${i + 1}: &a${i + 1} { x: *a${i}, y: *a${i} }`)}`,
      "1:1: has more than 10000 values",
    ],
    "many keys": [Array.from({ length: 10_001 }, (_, i) => `k${i}: 1`).join("\n"), "1:1: has more than 10000 values"],
    "a NUL": [app("#\u0000"), "4:2: has the control character U+0000"],
    "an escape character": [app("# \u001b[31m"), "4:3: has the control character U+001B"],
    "a lone carriage return": [app("x\ry"), "4:2: has the control character U+000D"],
    "half a surrogate pair": [app("# \ud800!"), "4:3: is not UTF-8 here"],
    "bytes that were no UTF-8": [app("# caf\ufffd"), "4:6: is not UTF-8 here"],
    "an anchor within itself": ["app: &a [*a]\nservices: { a: { run: x } }", "1:9: must be a name, not a list"],
    "a merge with itself": ["app: a\nservices: &s\n  <<: *s\n  web: { run: x }", "3:3: `*s` has no anchor above it"],
    "an unclosed quote": [app(`jobs: { a: { run: "x } }`), '4:25: YAML: missing closing "quote'],
  };
  for (const [name, [text, refusal]] of Object.entries(cases)) {
    test(`${name}: refused`, () => expect(first(text)).toBe(refusal));
  }

  test("more aliases than a file used to have are read: what they stand for is counted", () => {
    const lines = Array.from({ length: 200 }, (_, i) => `  w${i}: { run: x, env: *env }`);
    expect(first(`x-env: &env { A: "1" }\napp: a\nservices:\n${lines.join("\n")}`)).toBe("fine");
  });

  test("a whole file of the largest size is read", () => {
    const lines = Array.from({ length: 900 }, (_, i) => `  w${i}: { run: "${"x".repeat(250)}" }`);
    expect(first(`app: a\nservices:\n${lines.join("\n")}`)).toBe("fine");
  });

  test("a byte order mark and Windows line ends change nothing", () => {
    const text = app("jobs: { a: { run: y } }\n");
    const plain = parseApp(text, "x");
    expect(plain.is === "parsed").toBe(true);
    expect(parseApp(`\ufeff${text.replaceAll("\n", "\r\n")}`, "x")).toEqual(plain);
  });

  test("environments have a limit in names and in bytes", () => {
    const env = (names: number, bytes: number): string => {
      const pairs = Array.from({ length: names }, (_, i) => `K${i}: ${"v".repeat(bytes)}`);
      return app(`jobs: { a: { run: x, env: { ${pairs.join(", ")} } } }`);
    };
    expect(first(env(1_001, 1))).toBe("4:27: has 1001 entries, more than 1000");
    expect(first(env(14, 10_000))).toMatch(/^4:27: holds 140\d+ bytes, more than 131072$/);
    expect(first(env(900, 100))).toBe("fine");
  });

  test("more issues than anybody reads are counted", () => {
    const parsed = parseApp(
      `app: a\nservices: { ${Array.from({ length: 150 }, (_, i) => `A${i}: { run: x }`).join(", ")} }`,
      "x",
    );
    if (parsed.is === "parsed") throw new Error("it parsed");
    expect(parsed.issues).toHaveLength(101);
    expect(parsed.issues.at(-1)?.message).toBe("and 50 more");
  });
});

describe("bytes", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

  test("that are UTF-8 are the text", () => {
    expect(decodeSpec(bytes("app: ä"))).toEqual({ is: "text", text: "app: ä" });
  });

  test("of another encoding are refused with the place of the first", () => {
    const latin1 = decodeSpec(new Uint8Array([...bytes("app: a\n# caf"), 0xe9, 0x0a]));
    expect(latin1).toMatchObject({ is: "invalid", issues: [{ line: 2, column: 6, message: "is not UTF-8 here" }] });
    const utf16 = decodeSpec(new Uint8Array([0xff, 0xfe, 0x61, 0, 0x3a, 0]));
    expect(utf16.is === "text" ? [] : utf16.issues.map(({ message }) => message)).toContain("is not UTF-8 here");
    expect(decodeSpec(new Uint8Array([0x61, 0, 0x3a, 0]))).toMatchObject({
      is: "invalid",
      issues: [{ message: "is not UTF-8" }],
    });
  });

  test("that are too many are refused before they are read", () => {
    expect(decodeSpec(new Uint8Array(10_000_000))).toMatchObject({
      is: "invalid",
      issues: [{ message: "is larger than 256KiB" }],
    });
  });
});

describe("hostile objects", () => {
  const refused = (job: Record<string, unknown>): string => {
    const parsed = parseJob(job, "job");
    return parsed.is === "parsed" ? "fine" : parsed.issues.map(({ path, message }) => `${path}: ${message}`).join("; ");
  };

  test("are refused like texts", () => {
    const deep: Record<string, unknown> = {};
    for (let i = 0, at = deep; i < 200; i++) at = (at["env"] = {}) as Record<string, unknown>;
    expect(refused({ run: "x", ...deep })).toInclude("is nested deeper than 64");
    const round: Record<string, unknown> = { run: "x" };
    round["env"] = round;
    expect(refused(round)).toInclude("is nested deeper than 64");
    expect(refused({ run: "x", command: Array.from({ length: 20_000 }, () => "a") })).toInclude(
      "has more than 10000 values",
    );
    expect(refused(JSON.parse('{"run":"x","__proto__":{"env":1}}') as Record<string, unknown>)).toInclude(
      "cannot be a key",
    );
    expect(refused({ run: "a\u0000b" })).toBe("run: holds a NUL character");
    expect(refused({ run: "\ud800" })).toBe("run: is not valid Unicode");
    expect(refused({ run: () => 1, env: { A: Symbol("x") } })).toInclude("env.A: must be a text");
  });
});
