// Names of work are made and taken apart by one module: what is made is read back as the same parts, and no name is
// taken for the beginning of another.

import { describe, expect, test } from "bun:test";
import { isPart, parseApp, parseName, taskName, withUid } from "../../../src/core/model/task";
import type { TaskIdentity } from "../../../src/core/model/rows-task";
import { buildRun, buildTask, buildWorkload } from "../../support/build";

const OPEN = { slot: null, member: null, attempt: null };

describe("a name", () => {
  test.each([
    ["recs.api", { is: "workload", project: null, app: "recs", workload: "api", ...OPEN }],
    [
      "lab/recs.api.4#2",
      { is: "workload", project: "lab", app: "recs", workload: "api", ...OPEN, slot: 4, attempt: 2 },
    ],
    ["recs.train.0.3", { is: "workload", project: null, app: "recs", workload: "train", ...OPEN, slot: 0, member: 3 }],
    ["123", { is: "run", run: 123, ...OPEN }],
    ["123_4", { is: "run", run: 123, ...OPEN, slot: 4 }],
    ["123.1#2", { is: "run", run: 123, ...OPEN, member: 1, attempt: 2 }],
  ])("%s has parts", (text, parts) => expect(parseName(text)).toEqual(parts as ReturnType<typeof parseName>));

  test.each([
    "",
    "recs",
    "recs.",
    ".api",
    "recs.api.x",
    "a/b/recs.api",
    "12_x",
    "recs.api#",
    "recs.api.0 ",
    "Recs.api",
  ])("%p is none", (text) => expect(parseName(text)).toBeNull());

  test("that is made is read back", () => {
    const api = buildWorkload("recs", "api", "h");
    const run = buildRun(7, "h");
    const job = buildRun(8, "h", { app: "recs", name: "recs.train" });
    const tasks: TaskIdentity[] = [
      buildTask(api, "n1", { slot: 3, attempt: 2 }),
      buildTask(run, "n1", { member: 1 }),
      buildTask(job, "n1", { member: 2, attempt: 4 }),
    ];
    const names = tasks.map(taskName);
    expect(names).toEqual(["recs.api.3#2", "7.1", "recs.train.0.2#4"]);
    const within = names.map((name) => tasks.map((task) => isPart(parseName(name)!, task)));
    expect(within).toEqual([
      [true, false, false],
      [false, true, false],
      [false, false, true],
    ]);
  });
});

test("an app is named alone or with its project", () => {
  expect([parseApp("recs"), parseApp("lab/recs"), parseApp("lab/recs/x"), parseApp("recs.api")]).toEqual([
    { project: null, app: "recs" },
    { project: "lab", app: "recs" },
    null,
    null,
  ]);
});

test("the start of a uid finds every row that begins so, and a whole uid its own row", () => {
  const rows = ["abcd1", "abcd2", "abcd"];
  const found = (typed: string): string[] => withUid(rows, typed, (uid) => uid);
  expect([found("abcd1"), found("abcd"), found("abc"), found("web")]).toEqual([["abcd1"], ["abcd"], [], []]);
  expect(withUid(["abcd1", "abcd2"], "abcd", (uid) => uid)).toHaveLength(2);
});
