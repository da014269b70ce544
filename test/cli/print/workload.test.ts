// What `orch show` prints of workloads, apps and cards: in the words of the file, texts with their lines, and no values
// of variables.

import { describe, expect, test } from "bun:test";
import { block } from "../../../src/cli/print/block";
import { style } from "../../../src/cli/print/color";
import { goingLines } from "../../../src/cli/print/plan";
import { appLines, workloadLines } from "../../../src/cli/print/workload";
import { parseApp } from "../../../src/spec/parse";
import { appDetail, workloadDetail } from "../../../src/wire/api/apps";
import { replicaOf } from "../../support/views";
import { goingView, type GoingView } from "../../../src/wire/api/plans";

const print = { now_ms: 1_700_000_000_000, style: style(false), width: 60 };
const TEXT = `app: lab
services:
  api:
    run: ./serve --with a-long-option-that-does-not-fit --in one-line-of-the-terminal
    env: { WANDB_KEY: secret1, my_name: x }
`;
const parsed = parseApp(TEXT, "lab.yaml");
const view = {
  name: "api",
  app: "lab",
  project: "search",
  user: "alice",
  kind: "service",
  version: 2,
  replicas: 1,
  removing: false,
  running: 1,
  pending: 0,
  last_run: null,
};

describe("a workload", () => {
  const [decl] = parsed.is === "parsed" ? parsed.app.workloads : [];
  const env_values = decl?.spec.env ?? {};
  const given = { ...view, spec: decl?.spec, settings: decl?.settings, tasks: [], env: Object.keys(env_values).sort() };
  const lines = workloadLines(workloadDetail.parse(given), print);
  test("names its variables as they are, without their values", () => {
    expect(lines.find((line) => line.includes("environment:"))).toEndWith(" WANDB_KEY, my_name");
    expect(lines.join("\n")).not.toContain("secret1");
  });
  test("has a line for each variable where the values were asked for", () => {
    const all = workloadLines(workloadDetail.parse({ ...given, env_values }), print);
    expect(all.slice(all.indexOf("environment:"))).toEqual(["environment:", "  WANDB_KEY: secret1", "  my_name:   x"]);
  });
  test("says what the file says, and nothing of what is not asked for", () => {
    expect(lines).toContain("version: 2 (of its spec)");
    expect(lines.join("\n")).not.toMatch(/origin|members|retries/);
  });
});

test("the text of an app keeps its lines and what they begin with, however narrow the terminal is", () => {
  const app = { name: "lab", project: "search", revision: 51, changed_by: "alice", changed_ms: 1_700_000_000_000 };
  const lines = appLines(appDetail.parse({ ...app, removing: false, workloads: [view], text: TEXT }), print);
  expect(lines.join("\n")).toContain(TEXT.trimEnd().replaceAll(/^/gm, "  "));
  expect(lines).toContain("revision: 51 (rises with each change of the app)");
});

test("batches of an array say how many of their elements failed and when they began, within 80 columns", () => {
  const began = new Date(2026, 10, 29, 23, 40, 12).getTime();
  const batch = (from: number, failed: number) => ({
    ...replicaOf("recs.sweep", 0),
    kind: "job" as const,
    run: 1_234,
    node: "a-node-with-a-long-name",
    state: "succeeded" as const,
    elements: `${from}-${from + 99_999}:3`,
    batch: { total: 34, over: 34, failed },
    started_ms: began + from,
    finished_ms: began + from + 61_000,
    peak_memory_bytes: 1_500_000_000,
  });
  const job = { ...view, kind: "job", spec: null, settings: {}, env: [], tasks: [batch(0, 34), batch(100_000, 0)] };
  const shown = workloadLines(workloadDetail.parse(job), { ...print, width: 80 });
  expect(Math.max(...shown.map((line) => line.length))).toBeLessThanOrEqual(80);
  const text = shown.join("\n");
  expect(text).toContain("2026-11-29 23:40:12");
  expect(text).toContain("2026-11-29 23:41:52");
  expect(text).toContain("34/34 done, 34 failed");
});

test("no two rows of a block are called the same, and keys of maps are shown as they are", () => {
  const card = { state: "ok", state_ms: 1_700_000_000_000, labels: { team_name: "a" } };
  const titles = block(card, style(false)).map((line) => line.trim().split(":")[0]);
  expect(titles).toEqual(["state", "state since", "labels", "team_name"]);
});

describe("on a terminal", () => {
  const tasks = Array.from({ length: 9 }, (_, slot) => replicaOf("lab.api", slot));
  const lines = (width: number | null): string[] =>
    workloadLines(workloadDetail.parse({ ...view, spec: null, settings: {}, tasks, env: [] }), { ...print, width });
  test("replicas that do the same are one row, as in orch ps", () => {
    expect(lines(60).filter((line) => line.startsWith("lab.api"))).toEqual([expect.stringContaining("9 running")]);
    expect(lines(null).filter((line) => line.startsWith("lab.api"))).toHaveLength(9);
  });
  test("a long name of a workload is cut in its middle, since its end tells it from others", () => {
    const workloads = ["east", "west"].map((end) => ({ ...view, name: `preprocessing-of-all-tokens-${end}` }));
    const app = { name: "lab", project: "search", revision: 51, changed_by: "alice", changed_ms: 1, removing: false };
    const shown = appLines(appDetail.parse({ ...app, workloads, text: null }), { ...print, width: 50 });
    expect(shown.filter((line) => line.startsWith("prep"))).toEqual([
      expect.stringMatching(/^prep\S+…\S+east /),
      expect.stringMatching(/^prep\S+…\S+west /),
    ]);
  });
});

describe("what goes", () => {
  const goes = (from: number, to: number, part: Partial<GoingView>): GoingView[] =>
    Array.from({ length: to - from + 1 }, (_, n) =>
      goingView.parse({ name: `web.${to - n}`, slot: to - n, why: "pending", detail: "it is pending", ...part }),
    );
  const many = [
    ...goes(14, 39, {}),
    ...goes(2, 13, { why: "highest", running: true, detail: "it has the highest number" }),
  ];
  test("is told by its reason, what runs first", () => {
    expect(goingLines(many, 80)).toEqual(["  12 running go: web.2 … web.13", "  26 pending go: web.14 … web.39"]);
  });
  test("is told one by one to programs, all of it", () => {
    const lines = goingLines(many, null);
    expect(lines).toHaveLength(38);
    expect(lines[0]).toBe("  web.13 goes: it has the highest number");
  });
});
