// An app's job that is run again, with more arguments and variables, against the real binary.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RunView } from "../../src/wire/api/runs";
import { Cluster } from "../support/cluster";
import { waitUntil } from "../support/wait";

const SPEC = `
app: recs
services:
  web: { run: exec sleep 1000, resources: { cpu: 20m, memory: 16MiB } }
jobs:
  prep: { run: "true", resources: { cpu: 20m, memory: 16MiB } }
  train:
    run: |
      printf '%s|' "$MODE" "$LR"; printf '<%s>'
    env: { MODE: fast, LR: "1" }
    after: [prep]
    resources: { cpu: 20m, memory: 16MiB }
  argv: { command: [printf, "<%s>"], resources: { cpu: 20m, memory: 16MiB } }
`;

let cluster: Cluster;
let dir: string;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "again", agents: ["n1"] });
  dir = await mkdtemp(join(tmpdir(), "orch-again-"));
  await Bun.write(join(dir, "recs.yaml"), SPEC);
  await cluster.ok("apply", join(dir, "recs.yaml"), "--yes", "--wait");
});
afterAll(async () => {
  await rm(dir, { recursive: true });
  expect(await cluster.close()).toEqual([]);
});

const runs = async (): Promise<RunView[]> => (await cluster.json<{ runs: RunView[] }>("runs")).runs;

test("orch run APP.JOB follows another run of the same version, with more arguments and other variables", async () => {
  const before = await runs();
  const { code, out } = await cluster.orch("run", "recs.train", "--env", "LR=3", "--", "a b", "it's");
  expect([code, out]).toEqual([0, "fast|3|<a b><it's>"]);
  const [made] = await runs();
  const first = before.find(({ name }) => name === "recs.train");
  expect(made).toMatchObject({ app: "recs", workload: "train", name: "recs.train", version: 1, state: "succeeded" });
  expect(made!.run).toBeGreaterThan(first!.run);
  expect((await cluster.orch("run", "recs.argv", "--", "x y", "-z")).out).toBe("<x y><-z>");
  expect((await cluster.orch("logs", "recs.train")).out).toContain("fast|3|");
});

test("orch submit APP.JOB prints the run's number, and it runs with what its file says", async () => {
  const run = (await cluster.ok("submit", "recs.train")).trim();
  expect(run).toMatch(/^\d+$/);
  await waitUntil("the run to succeed", async () =>
    (await runs()).some((one) => String(one.run) === run && one.state === "succeeded"),
  );
  expect((await cluster.orch("logs", run)).out).toBe("fast|1|<>");
});

test.each([
  [["restart", "recs.train"], 2, "orch: recs.train is a job. Run it again: orch run recs.train\n"],
  [["submit", "recs.web"], 1, "orch: recs.web is a service: only a job is run (orch restart begins a service anew)\n"],
  [
    ["run", "train.py"],
    2,
    "orch: there is no workload called train.py (orch ps shows what there is; " +
      "if it is a program: orch run -- ./train.py)\n",
  ],
  [
    ["run", "--cpu", "2", "recs.train"],
    2,
    "orch: --cpu: recs.train has its own in its file. Change it there and apply; --env K=V may be added here\n",
  ],
  [
    ["submit", "./job.sh"],
    2,
    "orch: ./job.sh: scripts are not submitted yet, only jobs of apps. Until then: orch run -d -- bash ./job.sh\n",
  ],
] as [string[], number, string][])("orch %p ends with %d and says why", async (argv, code, said) => {
  const { code: ended, err } = await cluster.orch(...argv);
  expect([ended, err]).toEqual([code, said]);
});
