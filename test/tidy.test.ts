// The architecture, executable: what docs/architecture.md says of folders, imports and size, held against every file.

import { describe, expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generatedDocs } from "../scripts/docs";
import { refusedExpectations } from "./tidy/expectations";
import { deadFiles, importsOf, refusedImports, unusedPackages } from "./tidy/imports";
import { committedPaths, refusedLock, refusedTopLevel, textOf, unusedExamples, unusedScripts } from "./tidy/repository";
import { doubleTypes } from "./tidy/names";
import { medianLines, MEDIAN_LINES, refusedForm, refusedPatterns } from "./tidy/rules";
import { circles, houseOf, missingPlaces, refusedArrows, refusedMirrors, refusedPlaces } from "./tidy/rooms";
import { printed, readSources, ROOT, sourceOf, type Refusal } from "./tidy/source";

const sources = await readSources(["src", "test", "scripts"]);
const tests = sources.filter(({ path }) => path.startsWith("test/"));

/** What starts the program, or makes pages of it: from there every file of src must be reached. */
const isEntry = (path: string): boolean =>
  path === "src/main.ts" || path === "scripts/docs.ts" || /^src\/web\/[^/]+\.tsx$/.test(path);
/** Files that are started, not imported: scripts, adversaries, test files, and what package.json names. */
const isRoot = (path: string): boolean =>
  isEntry(path) ||
  /^(scripts|test\/adversary)\//.test(path) ||
  path.endsWith(".test.ts") ||
  textOf("package.json").includes(path);

const none = (refusals: readonly Refusal[]): void => expect(refusals.map(printed)).toEqual([]);

describe("the tree", () => {
  test("imports follow the two tables", () => none(sources.flatMap(refusedImports)));
  test("every package of the list is used", () => expect(unusedPackages(sources)).toEqual([]));
  test("nothing is written that the rules refuse", () => none(sources.flatMap(refusedPatterns)));
  test("every test can fail", () => none(tests.flatMap(refusedExpectations)));
  test("files have their size, their name and their opening comment", () => none(sources.flatMap(refusedForm)));
  test("a name of an exported type means one thing", () => none(doubleTypes(sources)));
  test("half of the files are short", () => expect(medianLines(sources)).toBeLessThanOrEqual(MEDIAN_LINES));
  test("no file is dead", () =>
    none([
      ...deadFiles(sources, isEntry).filter(({ path }) => path.startsWith("src/")),
      ...deadFiles(sources, isRoot).filter(({ path }) => !path.startsWith("src/")),
    ]));
  test("every script is started by something", () => none(unusedScripts(sources, textOf("package.json"))));
});

describe("the rooms of docs/architecture.md", () => {
  const house = houseOf(textOf("docs/architecture.md"));
  test("hold every file of src, and no more than a room can", () => none(refusedPlaces(house, sources)));
  test("are all there", () => expect(missingPlaces(house, sources)).toEqual([]));
  test("import only what stands below them", () => none(refusedArrows(house, sources)));
  test("are mirrored by the tests", () => none(refusedMirrors(house, tests)));
  test("have no circle, types counted", () =>
    expect(circles(sources.filter(({ path }) => path.startsWith("src/")))).toEqual([]));

  const small = houseOf(
    "### `src/core`\n| `units` | the ground |\n| `model/` | rows |\n| `plan/` `place/` | decisions |\n",
  );
  const refused = (...files: readonly (readonly [string, string])[]): string =>
    [refusedPlaces, refusedArrows, refusedMirrors]
      .flatMap((rule) =>
        rule(
          small,
          files.map(([path, text]) => sourceOf(path, text)),
        ),
      )
      .map(printed)
      .join("\n");
  test("refuse a file in no room, and say which rooms there are", () => {
    expect(refused(["src/core/misc/a.ts", ""])).toContain("no room misc/; put it where it belongs");
    expect(refused(["src/core/misc/a.ts", ""])).toContain("model/ (rows); plan/ place/ (decisions)");
    expect(refused(["src/core/stray.ts", ""])).toContain("src/core has no file stray at the root");
    expect(refused(["test/core/misc/a.test.ts", ""])).toContain("no room misc/");
  });
  test("refuse an import that leads up, also of a type, and say what is below", () => {
    const plan = ["src/core/plan/plan.ts", ""] as const;
    const up = refused(plan, ["src/core/model/a.ts", 'import type { Plan } from "../plan/plan";']);
    expect(up).toContain("core/model/ may not import core/plan/, which stands above it");
    expect(up).toContain("move what both need into model/ or below (units)");
    const beside = refused(plan, ["src/core/place/a.ts", 'import { plan } from "../plan/plan";']);
    expect(beside).toContain("which stands beside it");
    expect(refused(["src/core/model/a.ts", ""], ["src/core/plan/b.ts", 'import { a } from "../model/a";'])).toBe("");
  });
  test("refuse the file that is one too many", () => {
    const files = Array.from({ length: 26 }, (_, i) => [`src/core/model/f${i}.ts`, ""] as const);
    expect(refused(...files)).toContain("more than 25 files");
    expect(refused(...files.slice(1))).toBe("");
  });
  test("see a circle through a type", () => {
    const a = sourceOf("src/core/a.ts", 'import type { B } from "./b";');
    const b = sourceOf("src/core/b.ts", 'import { a } from "./a";');
    expect(circles([a, b])).toEqual([["src/core/a.ts", "src/core/b.ts"]]);
    expect(circles([a, sourceOf("src/core/b.ts", "")])).toEqual([]);
  });
});

describe("the repository", () => {
  const paths = committedPaths();
  test("holds at its top only what belongs there", () => none(refusedTopLevel(paths)));
  test("locks packages without naming a registry", () => none(refusedLock(textOf("bun.lock"))));
  test("has no example that no test applies", () =>
    none(
      unusedExamples(
        paths.filter((path) => path.startsWith("examples/")),
        tests,
      ),
    ));
  test("has generated pages that are fresh (else: bun run docs)", async () => {
    for (const [path, text] of Object.entries(await generatedDocs())) {
      expect(existsSync(join(ROOT, path)) ? textOf(path) : "missing", path).toBe(text);
    }
  });
  test("has no page that links to what is not there", () => {
    const broken = paths
      .filter((path) => path.endsWith(".md") && existsSync(join(ROOT, path)))
      .flatMap((path) =>
        [
          ...textOf(path)
            .replaceAll(/`[^`]*`/g, "")
            .matchAll(/\]\((?!https?:|#)([^)#\s]+)/g),
        ]
          .map((match) => join(path, "..", match[1] ?? ""))
          .filter((target) => !existsSync(join(ROOT, target)))
          .map((target) => `${path} → ${target}`),
      );
    expect(broken).toEqual([]);
  });
});

describe("tidy itself", () => {
  const refusedIn = (path: string, text: string): string[] => {
    const source = sourceOf(path, `// Why it exists.\n${text}\n`);
    return [refusedImports, refusedPatterns, refusedForm, refusedExpectations]
      .flatMap((refused) => refused(source))
      .map(printed);
  };
  const bad: readonly (readonly [string, string, string])[] = [
    ["src/core/a.ts", 'import { x } from "../os/clock";', "src/core may not import src/os"],
    ["src/core/a.ts", 'import { z } from "zod";', '"zod" may be used only in'],
    ["src/core/a.ts", "const at = Date.now();", "now_ms"],
    ["src/core/a.ts", "export const f = async () => 1;", "synchronous"],
    ["src/core/a.ts", "const k = Math.random();", "seed"],
    ["src/core/a.ts", 'console.log("x");', "a shell does it"],
    ["src/store/a.ts", 'import { parseApp } from "../spec/parse";', "only types of src/spec"],
    ["src/cli/a.ts", 'const m = await import("../server/server");', "src/cli may not import src/server"],
    ["src/agent/a.ts", 'import x from "left-pad";', "is not on the list"],
    ["src/agent/a.ts", 'import { step } from "../core/step.ts";', "extension"],
    ["src/agent/a.ts", 'import { at } from "../../test/support/wait";', "outside of src"],
    ["src/agent/a.ts", "try { f(); } catch {}", "swallowed"],
    ["src/agent/a.ts", "await f().catch(() => {});", "swallowed"],
    ["src/agent/a.ts", "process.exit(1);", "src/main.ts"],
    ["src/agent/a.ts", "const answer = await fetch(url);", "requestOptions"],
    ["src/cli/a.ts", "const socket = new WebSocket(url);", "pinnedTls"],
    ["src/os/a.ts", 'Bun.spawnSync(["true"]);', "blocks the loop"],
    ["src/server/a.ts", "const rows = `SELECT * FROM tasks WHERE id = ${id}`;", "prepared statement"],
    ["src/server/a.ts", "// TO" + "DO: later", "do it now"],
    ["src/server/a.ts", `const long = ${"1 + ".repeat(40)}1;`, "at most 120"],
    ["src/server/a.ts", "//\n".repeat(400), "at most 400"],
    ["src/agent/a.ts", "socket.onmessage = async () => {};", "nobody awaits"],
    ["src/server/utils.ts", "", "says nothing"],
    ["test/core/a.test.ts", "await Bun.sleep(50);", "waitUntil"],
    ["test/core/a.test.ts", "test.on" + 'ly("x", f);', "switched off"],
    ["test/core/a.test.ts", 'await waitUntil("it", () => Date.now() > at_ms);', "waits for time"],
    ["test/core/a.test.ts", "while (performance.now() < until) await turn();", "waits for time"],
    ["test/core/a.test.ts", "if (found.is) expect(found.why).toBe(1);", "under a condition"],
    ["test/core/a.test.ts", "expect(one.state ?? 7).toBe(7);", "on a default"],
    ["test/core/a.test.ts", "expect(await f({ a: 1 }, b ?? [])).toEqual([]);", "on a default"],
    ["test/core/a.test.ts", "expect(one.at_ms).toBeLessThan(two?.at_ms ?? Infinity);", "against a default"],
    ["test/core/a.test.ts", 'expect(one.id).not.toBe(two?.id ?? "");', "against a default"],
    ["test/core/a.test.ts", "expect(found).toBeTruthy();", "says little"],
    ["test/core/a.test.ts", "expect(f(a, [1])).toEqual(f(a, [1]));", "compared with itself"],
    ["test/core/a.test.ts", 'test("x", () => {\n  f();\n});', "a test expects nothing"],
  ];
  for (const [path, text, why] of bad) {
    test(`refuses in ${path} ${text.slice(0, 40).split("\n").join(" ")}: ${why}`, () =>
      expect(refusedIn(path, text).join("\n")).toContain(why));
  }

  test("takes what only looks alike", () => {
    const quoted = '// Date.now() is not for core\nconst s = "await console";\nconst r = /fetch`"/;';
    expect(refusedIn("src/core/a.ts", quoted)).toEqual([]);
    expect(refusedIn("src/store/a.ts", 'import type { Issue } from "../spec/parse";')).toEqual([]);
    expect(refusedIn("src/core/a.ts", 'const t = `x ${f({ a: "}" })} Date` + 6 / 2 / 3;')).toEqual([]);
  });
  test("takes expectations that can fail", () => {
    const text = [
      "function held(a: number): void {\n  expect(a).toBe(1);\n}",
      "const twice = (a: number): void => {\n  held(a);\n};",
      'test("x", () => twice(1));',
      'test.if(a === 1)("y", () => expect(list.filter((one) => (one.a ?? 0) > 1)).toEqual([]));',
      'test("z", async () => void (await waitUntil("it", () => at_ms)));',
      "expect([one?.by ?? null]).toEqual([null]);",
      "expect(one?.is).toBe(two?.is ?? 7);",
      "expect(a).not.toBe(b);",
    ];
    expect(refusedIn("test/core/a.test.ts", text.join("\n"))).toEqual([]);
  });
  test("sees code inside of a template", () =>
    expect(refusedIn("src/core/a.ts", "const t = `it is ${Date.now()}`;").join()).toContain("now_ms"));
  test("sees every kind of import", () => {
    const text =
      'import "a";\nimport b, { type B } from "b";\nexport * from "c";\nimport {\n  type D,\n  type E,\n} ' +
      'from "d";\nimport type { F } from "e";\nconst g = await import("f");\n';
    const found = importsOf(sourceOf("src/a.ts", text));
    expect(found.map(({ from, types_only }) => from + (types_only ? " (types)" : ""))).toEqual([
      "a",
      "b",
      "c",
      "d (types)",
      "e (types)",
      "f",
    ]);
  });
  test("finds a dead file, a registry address, a stray file and an unused example", () => {
    const alive = sourceOf("src/main.ts", 'import("./cli/ps");');
    const found = [
      ...deadFiles([alive, sourceOf("src/cli/ps.ts", ""), sourceOf("src/cli/old.ts", "")], isEntry),
      ...refusedLock('"a": ["a@1", "https://somewhere/a.tgz"]'),
      ...refusedTopLevel(["src/a.ts", "notes.txt"]),
      ...unusedExamples(["examples/lonely.yaml"], []),
    ];
    expect(found.map(({ path }) => path)).toEqual(["src/cli/old.ts", "bun.lock", "notes.txt", "examples/lonely.yaml"]);
  });
  test("finds a type whose name another file exports", () => {
    const one = sourceOf("src/core/a.ts", "// Why.\nexport interface Thing {}\nexport type Context = 1;\n");
    const two = sourceOf("src/cli/b.ts", "// Why.\ntype Thing = 1;\nexport type Context = 2;\n");
    const three = sourceOf("src/cli/c.ts", "// Why.\n\nexport class Thing {}\n");
    expect(doubleTypes([one, two, three]).map(printed)).toEqual([expect.stringContaining("src/cli/c.ts:3")]);
  });
  test("the lint rules refuse a long function and a promise whose failure nobody hears", async () => {
    const dir = await mkdtemp(join(tmpdir(), "orch-lint-"));
    const options = { strict: true, lib: ["esnext"], types: [] };
    await Bun.write(join(dir, "tsconfig.json"), JSON.stringify({ compilerOptions: options }));
    const body = "  await 1;\n".repeat(71);
    const calls = "void f();\nexport const g = () => void f();\nf().then(f, String);\n[1].forEach(f);\n";
    await Bun.write(join(dir, "a.ts"), `export async function f(): Promise<void> {\n${body}}\n${calls}`);
    const [oxlint, rules] = [join(ROOT, "node_modules/.bin/oxlint"), join(ROOT, "scripts/oxlint.json")];
    const lint = Bun.spawn([oxlint, "-c", rules, "--type-aware", dir], {
      stdout: "pipe",
      stderr: "pipe",
      stdin: "ignore",
      cwd: ROOT,
    });
    const [out, code] = await Promise.all([new Response(lint.stdout).text(), lint.exited]);
    await rm(dir, { recursive: true });
    expect(code).toBe(1);
    expect(out).toContain("max-lines-per-function");
    for (const rule of ["no-floating-promises", "no-misused-promises", "no-void", "prefer-catch"]) {
      expect(out).toContain(rule);
    }
  });
});
