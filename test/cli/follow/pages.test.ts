// Lists that are longer than a page, as commands read them: nothing behind the first page is left out.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { makeContext } from "../../../src/cli/context";
import { dispatch } from "../../../src/cli/dispatch";
import { EXIT } from "../../../src/cli/failure";
import { logTargets } from "../../../src/cli/follow/log-targets";
import { readRun, readRuns, readTasks } from "../../../src/cli/follow/pages";
import { waitForApp } from "../../../src/cli/follow/waiting";
import type { NameView } from "../../../src/wire/api/names";
import type { NodeView } from "../../../src/wire/api/nodes";
import type { RunView } from "../../../src/wire/api/runs";
import type { TaskView } from "../../../src/wire/api/tasks";
import { connect } from "../../../src/wire/client";
import { PROOF, serveOverTls } from "../../support/over-tls";
import { stage } from "../stage";

/** One more than a page of the server has. */
const COUNT = 1_001;

const taskOf = (n: number): TaskView => ({
  id: n.toString(16).padStart(32, "0"),
  name: `recs.api.${n}`,
  project: "search",
  user: "alice",
  app: "recs",
  workload: "api",
  kind: "service",
  version: 1,
  run: null,
  slot: n,
  member: 0,
  attempt: 1,
  elements: null,
  batch: null,
  array: null,
  crashes: 0,
  node: "box1",
  desired: "run",
  state: "running",
  reason: null,
  blocked: null,
  health: null,
  pid: 4_000 + n,
  exit_code: null,
  signal: null,
  cause: null,
  devices: [],
  ports: {},
  peak_memory_bytes: null,
  created_ms: 1_000,
  started_ms: 1_000,
  finished_ms: null,
});

const runOf = (n: number): RunView => ({
  run: n + 1,
  name: "sweep",
  project: "search",
  user: "alice",
  priority: 0,
  state: "queued",
  position: n,
  blocked: null,
  ahead_gpu_hours: null,
  start_estimate_ms: null,
  reason: null,
  app: null,
  workload: null,
  version: 1,
  time_limit_ms: null,
  nodes: [],
  command: null,
  created_ms: 1_000,
  started_ms: null,
  finished_ms: null,
  exit_code: null,
  signal: null,
  cause: null,
  cancelled_by: null,
  unknown: 0,
  array: null,
});

const TASKS = Array.from({ length: COUNT }, (_, n) => taskOf(n));
const RUNS = Array.from({ length: COUNT }, (_, n) => runOf(n));
const EVENTS = Array.from({ length: COUNT }, (_, n) => ({
  id: String(n),
  at_ms: 1_000,
  actor: "alice",
  verb: "scaled",
  object: "recs.api",
  project: "search",
  node: null,
  detail: "",
}));
const WORKLOAD = { name: "api", app: "recs", project: "search", user: "alice", kind: "service", version: 1 };
const SUMS = { replicas: COUNT, removing: false, running: COUNT, pending: 0, last_run: null };
const CHANGED = { revision: 1, changed_by: "alice", changed_ms: 1_000, removing: false };
const NODE: NodeView = {
  id: "n1",
  name: "box1",
  state: "ready",
  pool: "default",
  labels: {},
  taints: [],
  agent_version: "1",
  last_seen_ms: 1_000,
  clock_skew_ms: null,
  unable: null,
  foreign_tasks: [],
  unmatched: [],
  repelled: [],
  reason: null,
  drain: null,
  capacity: { cpu_milli: 1, memory_bytes: 1, disk_bytes: 1 },
  reserved: { cpu_milli: 0, memory_bytes: 0, disk_bytes: 0 },
  devices: [],
  facts: {},
  limits: null,
  testing: null,
  tests: null,
  orphans: [],
  joined_by: null,
  identity: null,
  waiting: null,
};

const nameOf = (ref: string): NameView => ({
  kind: ref === "recs" ? "app" : "run",
  name: ref,
  project: "search",
  user: "alice",
  app: "recs",
  workload: null,
  run: ref === "recs" ? null : Number(ref),
  state: null,
  slot: null,
  member: null,
  attempt: null,
  task_id: null,
  array: false,
  node: null,
});

let server: Bun.Server<undefined>;
const cancelled = new Set<string>();
const said = { url: "" };

/** A page as the server cuts it: never more than 1,000 items. */
function page(name: string, all: readonly unknown[], query: URLSearchParams): Record<string, unknown> {
  const from = Number(query.get("next") ?? 0);
  const end = from + Math.min(Number(query.get("limit") ?? 1_000), 1_000);
  return { [name]: all.slice(from, end), next: end < all.length ? String(end) : null };
}

function answer({ pathname, searchParams }: URL, method: string): unknown {
  const [, , kind, first = ""] = pathname.split("/");
  if (method === "POST") {
    cancelled.add(first);
    return { ...runOf(Number(first) - 1), state: "cancelled" };
  }
  if (kind === "names") return { names: [nameOf(first)] };
  if (kind === "tasks") return page("tasks", TASKS, searchParams);
  const inside = {
    request: null,
    workdir: null,
    labels: {},
    env: [],
    after: [],
    waited_ms: 0,
    waited_for: null,
    logs: [],
  };
  if (kind === "runs" && first !== "") return { ...runOf(0), ...inside, ...page("tasks", TASKS, searchParams) };
  if (kind === "runs") return page("runs", RUNS, searchParams);
  if (kind === "events") return page("events", EVENTS, searchParams);
  if (kind === "nodes") return { nodes: [NODE], next: null };
  if (kind === "apps")
    return { name: "recs", project: "search", ...CHANGED, text: null, workloads: [{ ...WORKLOAD, ...SUMS }] };
  const me = { user: "alice", role: "user", project: "search", unix_user: "alice", token_id: "t", cluster_id: "c" };
  return { ...me, revision: 1 };
}

beforeAll(() => {
  server = serveOverTls((request) => Response.json(answer(new URL(request.url), request.method)));
  said.url = `https://127.0.0.1:${server.port}`;
});
afterAll(async () => server.stop(true));

const client = () => connect({ url: said.url, token: PROOF.token });
const run = async (...argv: string[]) => {
  const at = stage({ env: { ORCH_URL: said.url, ORCH_TOKEN: PROOF.token } });
  return { code: await dispatch(argv, at.host), out: at.out(), err: at.err() };
};

describe("a list of several pages", () => {
  test("is read to its end", async () => {
    expect((await readTasks(client(), {}, { limit: 300 })).items.map(({ slot }) => slot)).toEqual(
      TASKS.map(({ slot }) => slot),
    );
    expect((await readRuns(client(), {}, { limit: 400 })).items.length).toBe(COUNT);
    expect((await readRun(client(), 1, { limit: 250 })).tasks.length).toBe(COUNT);
  });
  test("is cut where it was asked to be, and says so", async () => {
    const { items, next } = await readRuns(client(), {}, { limit: 100, most: 250 });
    expect([items.length, next]).toEqual([250, "250"]);
  });
  test("gives the logs of all its tasks", async () => {
    expect((await logTargets(client(), "recs", { attempt: null, isWhole: false })).tasks.length).toBe(COUNT);
    expect((await logTargets(client(), "7", { attempt: null, isWhole: false })).tasks.length).toBe(COUNT);
  });
  test("is waited for until all of it runs", async () => {
    const at = stage();
    let now_ms = 0;
    const host = { ...at.host, now: () => (now_ms += 1_000) };
    const context = makeContext(host, { url: said.url, token: PROOF.token, data: null });
    const applied = { project: "search", app: "recs", runs: [] };
    expect(await waitForApp(context, client(), applied, "text")).toBe(EXIT.done);
    expect(at.out()).toContain(`${COUNT}/${COUNT} up`);
  });
  test("is counted whole for its node", async () => {
    expect((await run("nodes")).out).toContain(String(COUNT));
  });
  test("is shown as far as was asked, and says when there is more", async () => {
    const [all, some, few] = [await run("events", "-n", "5000"), await run("events"), await run("events", "-n", "3")];
    const lines = ({ out }: { readonly out: string }): number => out.trimEnd().split("\n").length;
    expect([all, some, few].map(lines)).toEqual([COUNT, 50, 3]);
    expect([all, some, few].map(({ err }) => err)).toEqual([
      "",
      "the newest 50 events; -n N shows more\n",
      "the newest 3 events; -n N shows more\n",
    ]);
  });
  test("is cancelled whole", async () => {
    const { code } = await run("cancel", "--mine");
    expect([code, cancelled.size]).toEqual([EXIT.done, COUNT]);
  });
});
