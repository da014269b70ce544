// `orch run` sends one job as an object: the same keys and checks as in a file, and paths without lines.

import { describe, expect, test } from "bun:test";
import { parseApp, parseJob } from "../../src/spec/parse";

const issues = (job: Record<string, unknown>, name = "job"): string[] => {
  const parsed = parseJob(job, name);
  return parsed.is === "parsed"
    ? []
    : parsed.issues.map(({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`);
};

describe("a job of the command line", () => {
  test("is the same as in a file, but for where it came from", () => {
    const job = {
      command: ["python", "train.py"],
      env: { LR: "0.10" },
      resources: { gpu: 2, memory: "8GiB" },
      time_limit: "2h",
    };
    const alone = parseJob(job, "train");
    const filed = parseApp(JSON.stringify({ app: "a", jobs: { train: job } }), "a.json");
    if (alone.is === "invalid" || filed.is === "invalid") throw new Error("it does not parse");
    const [declared] = filed.app.workloads;
    expect(alone.workload.spec.origin).toBe("run");
    expect({ ...alone.workload, spec: { ...alone.workload.spec, origin: "entry" } }).toEqual(
      declared as typeof alone.workload,
    );
  });

  test("takes numbers and booleans where a text stands, and leaves out what is undefined", () => {
    const parsed = parseJob(
      { command: ["sleep", 5], env: { N: 1, B: true }, workdir: undefined, after: [12, "prep"] },
      "nap",
    );
    if (parsed.is === "invalid") throw new Error("it does not parse");
    expect(parsed.workload.spec.command).toEqual({ kind: "argv", argv: ["sleep", "5"] });
    expect(parsed.workload.spec.env).toEqual({ N: "1", B: "true" });
    expect(parsed.workload.settings.after).toEqual([
      { name: "12", when: "succeeded" },
      { name: "prep", when: "succeeded" },
    ]);
  });

  test("waits for a bounded number of others", () => {
    const numbers = (count: number): number[] => Array.from({ length: count }, (_, n) => n + 1);
    expect(issues({ run: "x", after: numbers(400), after_any: numbers(600) })).toEqual([]);
    expect(issues({ run: "x", after_any: numbers(600), after_failed: numbers(401) })).toEqual([
      "0:0 after_any: the job waits for 1001 others, more than 1000",
    ]);
  });

  test("has every error at once, with paths and no lines", () => {
    expect(
      issues({ comand: ["x"], resources: { memory: 5, gpu: 4090 }, image: "nginx", array: "9-0" }, "My Job"),
    ).toEqual([
      '0:0 array: "9-0" ends before it begins: 0 is below 9',
      "0:0 comand: `comand` is not a key here",
      "0:0 image: `image` is not built yet",
      '0:0 name: "My Job" is not a name',
      "0:0 resources.gpu: 4090 GPUs are more than 64",
      "0:0 resources.memory: 5 needs a unit",
    ]);
    expect(issues({})).toEqual(["0:0 : needs `run` or `command`"]);
    expect(issues({ run: "x", replicas: 2 })).toEqual(["0:0 replicas: only services have `replicas`"]);
  });
});
