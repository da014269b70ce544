// What a plan says of a changed file: which keys, whether in place or as a new version, and what runs again.

import { describe, expect, test } from "bun:test";
import type { AppDecl } from "../../src/core/model/workload";
import { diffApp, type CurrentWorkload } from "../../src/spec/diff";
import { parseApp } from "../../src/spec/parse";

function parse(text: string): AppDecl {
  const parsed = parseApp(`app: a\n${text}`, "a.yaml");
  if (parsed.is === "invalid")
    throw new Error(parsed.issues.map(({ path, message }) => `${path}: ${message}`).join("; "));
  return parsed.app;
}

const asIs = (app: AppDecl): { workloads: CurrentWorkload[] } => ({
  workloads: app.workloads.map((workload) => ({ ...workload, version: 3 })),
});

const diff = (before: string | null, next: string): string[] =>
  diffApp(before === null ? null : asIs(parse(before)), parse(next)).map(
    ({ name, change, detail }) => `${change} ${name}: ${detail}`,
  );

describe("the difference between a file and what is there", () => {
  test("a new app adds its services and daemons and runs its jobs", () => {
    expect(
      diff(
        null,
        `
services: { web: { run: x, replicas: 2 }, db: { run: x } }
jobs: { prep: { run: x }, train: { run: x, nodes: 2, after: [prep] }, one: { run: x, array: 5-5 } }
daemons: { mon: { run: x } }`,
      ),
    ).toEqual([
      "add web: new service, 2 replicas",
      "add db: new service, 1 replica",
      "run prep: new job, no time limit",
      "run train: new job of 2 members, after prep, no time limit",
      "run one: new job of 1 element, no time limit",
      "add mon: new daemon, one on every matching node",
    ]);
  });

  test("the same file changes nothing, in whatever order its keys stand", () => {
    expect(
      diff(
        "services: { web: { run: x, env: { A: 1, B: 2 }, resources: { cpu: 1, memory: 1GiB } } }",
        "services: { web: { resources: { memory: 1024MiB, cpu: 1000m }, env: { B: 2, A: 1 }, run: x } }",
      ),
    ).toEqual(["none web: version 3, as it is"]);
  });

  test("settings change in place, what makes a task makes a version", () => {
    const before = "services: { web: { run: x, resources: { memory: 1GiB } } }";
    expect(
      diff(before, "services: { web: { run: x, replicas: 3, priority: -1, resources: { memory: 1GiB } } }"),
    ).toEqual(["change web: in place: replicas: 1 -> 3 (now), priority: 0 -> -1 (now)"]);
    expect(diff(before, "services: { web: { run: y, resources: { memory: 2GiB, gpu: 1 } } }")).toEqual([
      "change web: version 4: run: x -> y, resources.memory: 1GiB -> 2GiB, resources.gpu: none -> 1",
    ]);
    expect(diff(before, "services: { web: { run: x, replicas: 2, ports: { http: auto } } }")).toEqual([
      "change web: version 4: resources.memory: 1GiB -> none, ports.http: none -> auto; " +
        "in place: replicas: 1 -> 2 (now)",
    ]);
  });

  test("a changed job runs again, one whose settings alone changed does not", () => {
    const before = "jobs: { train: { run: x, retries: 1 } }";
    expect(diff(before, "jobs: { train: { run: x --fast, retries: 1 } }")).toEqual([
      "run train: version 4: run: x -> x --fast",
    ]);
    expect(diff(before, "jobs: { train: { run: x, retries: 2 } }")).toEqual([
      "change train: in place: retries: 1 -> 2 (now)",
    ]);
  });

  test("each setting says when it acts", () => {
    const before = "services: { web: { run: x } }\njobs: { a: { run: x }, b: { run: x } }";
    expect(
      diff(
        before,
        "services: { web: { run: x, restart: { offline: false, backoff: 2s..1m } } }\n" +
          "jobs: { a: { run: x }, b: { run: x, time_limit: 1h, after: [a] } }",
      ),
    ).toEqual([
      "change web: in place: restart.backoff: 1s..1m -> 2s..1m (now), " +
        "restart.offline: true -> false (from the next attempt)",
      "none a: version 3, as it is",
      "change b: in place: time_limit: unlimited -> 1h (now), after: none -> a (from the next run)",
    ]);
    expect(
      diff(before, "services: { web: { run: x } }\njobs: { a: { run: x }, b: { run: y, retries: 1 } }").at(-1),
    ).toBe("run b: version 4: run: x -> y; in place: retries: 0 -> 1 (with the new run)");
  });

  test("values of variables are not shown", () => {
    expect(
      diff(
        "services: { web: { run: x, env: { A: old, B: b } } }",
        "services: { web: { run: x, env: { A: new, C: c } } }",
      ),
    ).toEqual(["change web: version 4: env.A changed, env.B removed, env.C added"]);
  });

  test("each key stands by itself, with whole values, as the file has it", () => {
    const fieldsOf = (before: string, next: string): unknown =>
      diffApp(asIs(parse(before)), parse(next))[0]?.fields.map(({ key, before: old, after, acts }) => [
        key,
        old,
        after,
        acts,
      ]);
    const long = "x".repeat(200);
    expect(
      fieldsOf(
        `services: { web: { run: ${long}, env: { A: old, HF_TOKEN: a } } }`,
        `services: { web: { run: "${long}\\n1", replicas: 2, env: { A: new, HF_TOKEN: b, B: c },
          resources: { gpu: 1 } } }`,
      ),
    ).toEqual([
      ["run", long, `${long}\n1`, "new_version"],
      ["env.A", "old", "new", "new_version"],
      ["env.HF_TOKEN", "", "", "new_version"],
      ["env.B", null, "c", "new_version"],
      ["resources.gpu", null, "1", "new_version"],
      ["replicas", "1", "2", "now"],
    ]);
    expect(fieldsOf("services: { web: { run: x } }", "services: { web: { run: x } }")).toEqual([]);
    expect(fieldsOf("jobs: { a: { run: x, retries: 1 } }", "jobs: { a: { run: y } }")).toEqual([
      ["run", "x", "y", "new_version"],
      ["retries", "1", "0", "new_version"],
    ]);
  });

  test("a long command that differs late still says that it differs", () => {
    const long = "x".repeat(200);
    expect(diff(`jobs: { a: { run: ${long}1 } }`, `jobs: { a: { run: ${long}2 } }`)).toEqual([
      "run a: version 4: run changed",
    ]);
  });

  test("what is gone is removed, what changed its kind is said to", () => {
    expect(
      diff(
        "services: { web: { run: x } }\njobs: { j: { run: x } }\ndaemons: { d: { run: x } }",
        "jobs: { web: { run: x } }",
      ),
    ).toEqual([
      "run web: was a service, becomes a job: new job, no time limit",
      "remove j: its runs are cancelled",
      "remove d: its tasks are stopped on every node",
    ]);
  });

  test("a key without words of its own is shown by its name and unit", () => {
    const app = parse("services: { web: { run: x } }\njobs: { j: { run: x } }");
    const [web, job] = asIs(app).workloads;
    const before = { workloads: [web, job].filter((one) => one !== undefined) };
    const later = {
      ...app,
      workloads: app.workloads.map((workload) => ({
        ...workload,
        spec: { ...workload.spec, warm_up_ms: 90_000, nice: 5, caps: ["a", "b"], quiet: false, probe: { path: "/up" } },
        settings: { ...workload.settings, keep_bytes: 1024 ** 3 },
      })),
    };
    const what = "version 4: caps: none -> a, b, nice: none -> 5, probe.path: none -> /up, warm_up: none -> 1m30s";
    expect(diffApp(before, later).map(({ change, name, detail }) => `${change} ${name}: ${detail}`)).toEqual([
      `change web: ${what}; in place: keep: none -> 1GiB`,
      `run j: ${what}; in place: keep: none -> 1GiB (with the new run)`,
    ]);
  });
});
