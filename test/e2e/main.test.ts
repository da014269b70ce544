// The main job, with the compiled binary and real processes: what a person does in the first hour, in that order.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { RunView } from "../../src/wire/api/runs";
import type { TaskView } from "../../src/wire/api/tasks";
import { Cluster, QUICK } from "../support/cluster";
import { isAlive } from "../support/processes";
import { waitUntil } from "../support/wait";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "main", agents: ["box1", "box2", "box3"], settings: QUICK });
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

const small = "resources: { cpu: 20m, memory: 16MiB }";
const running = (tasks: readonly TaskView[], workload: string): TaskView[] =>
  tasks.filter((task) => task.workload === workload && task.state === "running" && task.desired === "run");
const runs = async (): Promise<RunView[]> => (await cluster.json<{ runs: RunView[] }>("runs")).runs;

describe("services", () => {
  const shop = (replicas: number, greeting: string): string =>
    `app: shop\nservices:\n  web:\n` +
    `    run: "echo ${greeting} $ORCH_SLOT; exec sleep 1000"\n    replicas: ${replicas}\n    ${small}\n` +
    "    place: { spread: node }\n    stop: { grace: 2s }\n";

  test("start where there is room, one on each node, and say so", async () => {
    expect((await cluster.apply(shop(3, "hello"))).code).toBe(0);
    const tasks = await cluster.until("three replicas", (all) => running(all, "web").length === 3);
    expect(new Set(running(tasks, "web").map(({ node }) => node)).size).toBe(3);
    const names = running(tasks, "web").map(({ name }) => name);
    expect(names.toSorted()).toEqual(["shop.web.0", "shop.web.1", "shop.web.2"]);
    expect(await cluster.ok("logs", "shop.web.1")).toContain("hello 1");
  });

  test("are left alone by an apply that changes nothing", async () => {
    const before = running(await cluster.tasks(), "web")
      .map(({ id }) => id)
      .toSorted();
    expect((await cluster.orch("plan", "-f", join(cluster.dir, "same.yaml"))).code).toBe(2);
    await Bun.write(join(cluster.dir, "same.yaml"), shop(3, "hello"));
    expect((await cluster.orch("plan", "-f", join(cluster.dir, "same.yaml"), "--detailed-exitcode")).code).toBe(0);
    expect((await cluster.apply(shop(3, "hello"))).code).toBe(0);
    expect(
      running(await cluster.tasks(), "web")
        .map(({ id }) => id)
        .toSorted(),
    ).toEqual(before);
  });

  test("scale up and down", async () => {
    await cluster.ok("scale", "shop.web=5");
    await cluster.until("five replicas", (all) => running(all, "web").length === 5);
    await cluster.ok("scale", "shop.web=2");
    await cluster.until(
      "two replicas",
      (all) =>
        running(all, "web").length === 2 &&
        all.filter(({ workload, state }) => workload === "web" && state === "stopped").length === 3,
    );
  });

  test("are replaced one at a time when their spec changes, and the old one stays until the new one runs", async () => {
    let fewest = 2;
    let most = 0;
    expect((await cluster.apply(shop(2, "welcome"))).code).toBe(0);
    await cluster.until("version 2 everywhere", (all) => {
      const up = all.filter(({ workload, state }) => workload === "web" && state === "running");
      fewest = Math.min(fewest, up.length);
      most = Math.max(most, up.length);
      return up.length === 2 && up.every(({ version }) => version === 2);
    });
    expect(fewest).toBe(2);
    expect(most).toBeLessThanOrEqual(3);
    expect(await cluster.ok("logs", "shop.web.0")).toContain("welcome 0");
  });

  test("restart by hand as a new version of the same spec", async () => {
    await cluster.ok("restart", "shop.web");
    // What is replaced runs until its successor does.
    await cluster.until(
      "nothing but version 3",
      (all) => running(all, "web").length === 2 && running(all, "web").every(({ version }) => version === 3),
    );
  });

  test("come back by themselves when their process is killed, with another attempt", async () => {
    const [victim] = running(await cluster.tasks(), "web");
    if (victim?.pid == null) throw new Error("no replica runs");
    process.kill(victim.pid, "SIGKILL");
    await cluster.until("the next attempt", (all) =>
      running(all, "web").some(
        ({ slot, attempt, id }) => slot === victim.slot && attempt > victim.attempt && id !== victim.id,
      ),
    );
    const ended = (await cluster.tasks("--all")).find(({ id }) => id === victim.id);
    expect(ended).toMatchObject({ state: "failed", signal: "KILL", exit_code: null });
  });

  test("end with their app, and leave no process", async () => {
    const pids = running(await cluster.tasks(), "web").map(({ pid }) => pid!);
    expect(pids.map(isAlive)).toEqual([true, true]);
    await cluster.ok("rm", "shop", "--yes");
    await waitUntil("the tasks to be gone", async () => (await cluster.tasks()).length === 0);
    expect(pids.filter(isAlive)).toEqual([]);
  });
});

describe("jobs", () => {
  test("stream their output to who started them and give their own exit code", async () => {
    const ok = await cluster.orch("run", "--cpu", "20m", "--memory", "16MiB", "-c", "echo out; echo err >&2; exit 7");
    expect(ok).toMatchObject({ code: 7 });
    expect(ok.out).toContain("out");
    expect(ok.err).toContain("err");
    const killed = await cluster.orch("run", "--cpu", "20m", "--memory", "16MiB", "-c", "kill -9 $$");
    expect(killed.code).toBe(137);
    const missing = await cluster.orch("run", "--cpu", "20m", "--memory", "16MiB", "--", "no-such-program");
    expect(missing.code).toBe(127);
    expect(missing.err).toContain("no-such-program");
  });

  test("get their arguments unchanged", async () => {
    const words = ["a b", "$HOME", "*", "'", '"', "\\", "--flag", "ü"];
    const { out } = await cluster.orch("run", "--cpu", "20m", "--memory", "16MiB", "--", "printf", "%s\\n", ...words);
    expect(out.trimEnd().split("\n")).toEqual(words);
  });

  test("run after each other, and never before what they wait for has succeeded", async () => {
    const file = join(cluster.dir, "order");
    await cluster.apply(
      `app: line\njobs:\n  one: { run: "sleep 0.3; echo one >> ${file}", ${small} }\n` +
        `  two: { after: [one], run: "echo two >> ${file}", ${small} }\n` +
        `  three: { after: [two], run: "echo three >> ${file}; exit 3", ${small} }\n` +
        `  four: { after: [three], run: "echo four >> ${file}", ${small} }\n` +
        `  five: { after_failed: [three], run: "echo five >> ${file}", ${small} }\n`,
      "--wait",
    );
    const ended = await waitUntil("all runs to end", async () => {
      const all = (await runs()).filter(({ app }) => app === "line");
      return all.length === 5 && all.every(({ finished_ms }) => finished_ms !== null) ? all : null;
    });
    expect((await Bun.file(file).text()).split("\n")).toEqual(["one", "two", "three", "five", ""]);
    const states = Object.fromEntries(ended.map(({ workload, state }) => [workload, state]));
    expect(states).toEqual({ one: "succeeded", two: "succeeded", three: "failed", four: "failed", five: "succeeded" });
    expect(ended.find(({ workload }) => workload === "four")?.reason).toContain("three");
  });

  test("do not run again when applied unchanged, and run once more when changed", async () => {
    const job = (text: string): string => `app: once\njobs:\n  only: { run: "echo ${text}", ${small} }\n`;
    await cluster.apply(job("first"), "--wait");
    await cluster.apply(job("first"), "--wait");
    await cluster.apply(job("second"), "--wait");
    const all = (await runs()).filter(({ app }) => app === "once");
    expect(all.map(({ state }) => state)).toEqual(["succeeded", "succeeded"]);
    expect(await cluster.ok("logs", "once.only")).toBe("second\n");
  });

  test("are tried again as often as they may, and each attempt keeps its log", async () => {
    const flag = join(cluster.dir, "flag");
    await cluster.apply(
      `app: retry\njobs:\n  flaky:\n    retries: 3\n    ${small}\n` +
        `    run: "echo attempt $ORCH_ATTEMPT; [ -e ${flag} ] || { touch ${flag}; exit 1; }"\n`,
      "--wait",
    );
    const [run] = (await runs()).filter(({ app }) => app === "retry");
    expect(run).toMatchObject({ state: "succeeded", exit_code: 0 });
    expect(await cluster.ok("logs", "--attempt", "1", "retry.flaky")).toBe("attempt 1\n");
    expect(await cluster.ok("logs", "retry.flaky")).toBe("attempt 2\n");
  });

  test("end at their time limit, and when somebody cancels them", async () => {
    await cluster.apply(
      `app: ends\njobs:\n  long: { run: "sleep 100", time_limit: 500ms, ${small} }\n` +
        `  other: { run: "sleep 100", ${small} }\n`,
    );
    const long = await waitUntil("the time limit", async () =>
      (await runs()).find(({ workload, state }) => workload === "long" && state === "failed"),
    );
    expect(long.reason).toContain("time limit");
    await cluster.until("the other to run", (all) => running(all, "other").length === 1);
    await cluster.ok("cancel", "ends.other");
    await waitUntil("the other to be cancelled", async () =>
      (await runs()).find(({ workload, state }) => workload === "other" && state === "cancelled"),
    );
    expect(running(await cluster.tasks(), "other")).toEqual([]);
  });

  test("that can never start are refused at once with the reason", async () => {
    const { code, err } = await cluster.orch("run", "--cpu", "1000", "--", "true");
    expect(code).toBe(125);
    expect(err).toContain("cpu");
    const labelled = await cluster.orch("run", "--gpu", "1", "--", "true");
    expect(labelled.code).toBe(125);
  });

  test("wait in the queue when all room is taken, say why, and start when there is room", async () => {
    await cluster.apply(
      "app: full\njobs:\n" +
        [1, 2, 3, 4].map((n) => `  j${n}: { run: "sleep 100", resources: { cpu: 3, memory: 16MiB } }\n`).join(""),
    );
    await cluster.until(
      "three of four to run",
      (all) => all.filter(({ app, state }) => app === "full" && state === "running").length === 3,
    );
    const waiting = (await cluster.tasks()).find(({ app, state }) => app === "full" && state === "pending");
    expect(waiting?.id).toBeNull();
    const blocked = await cluster.json<{ kind: string; nodes: unknown[] }>("explain", `full.${waiting?.workload}`);
    expect(blocked.kind).toBe("queued");
    expect(blocked.nodes.length).toBe(3);
    const one = (await cluster.tasks()).find(({ app, state }) => app === "full" && state === "running");
    await cluster.ok("cancel", `${one?.run}`);
    await cluster.until("the fourth to run", (all) =>
      all.some(({ workload, state }) => workload === waiting?.workload && state === "running"),
    );
    await cluster.ok("rm", "full", "--yes");
  });
});

describe("daemons and nodes", () => {
  test("a daemon runs once on every node that matches, and a label that goes stops nothing that runs", async () => {
    await cluster.apply(
      `app: mon\ndaemons:\n  probe: { run: "exec sleep 1000", ${small}, stop: { grace: 1s },\n` +
        '    place: { labels: { watch: "yes" } } }\n',
    );
    expect(running(await cluster.tasks(), "probe")).toEqual([]);
    await cluster.ok("node", "label", "box1", "box2", "watch=yes");
    const tasks = await cluster.until("two probes", (all) => running(all, "probe").length === 2);
    expect(
      running(tasks, "probe")
        .map(({ node }) => node)
        .toSorted(),
    ).toEqual(["box1", "box2"]);
    const ids = running(tasks, "probe").map(({ id }) => id);
    const { err } = await cluster.orch("node", "label", "box1", "watch-");
    expect(err).toMatch(/1 task stays although it no longer matches: mon\.probe\.\d/);
    // A new version stops what does not match it, and begins where it matches.
    expect(running(await cluster.tasks(), "probe").map(({ id }) => id)).toEqual(ids);
    await cluster.ok("restart", "mon.probe");
    await cluster.until("the new version on box2 alone", (all) => {
      const now = running(all, "probe");
      return now.map(({ node, version }) => `${node} ${version}`).join() === "box2 2";
    });
    await cluster.ok("rm", "mon", "--yes");
  });

  test("a drained node gives its work away and takes none until it is resumed", async () => {
    await cluster.apply(
      `app: move\nservices:\n  web: { run: "exec sleep 1000", replicas: 2, ${small},\n` +
        "    stop: { grace: 1s }, place: { hosts: [box1, box2], spread: node } }\n",
    );
    await cluster.until("both to run", (all) => running(all, "web").length === 2);
    await cluster.ok("node", "drain", "box1");
    await cluster.until(
      "all on box2",
      (all) => running(all, "web").length === 2 && running(all, "web").every(({ node }) => node === "box2"),
    );
    await waitUntil("box1 to be drained", async () =>
      (await cluster.nodes()).find(({ name, state }) => name === "box1" && state === "drained"),
    );
    await cluster.ok("node", "resume", "box1");
    await waitUntil("box1 to be ready", async () =>
      (await cluster.nodes()).find(({ name, state }) => name === "box1" && state === "ready"),
    );
    await cluster.ok("rm", "move", "--yes");
  });

  test("events say who did what", async () => {
    const events = await cluster.ok("events");
    expect(events).toContain("drain");
    expect(events).toContain("box1");
  });
});

test("a cluster whose work is removed and whose parts are told to end leaves nothing running", async () => {
  const { tasks } = await cluster.json<{ tasks: TaskView[] }>("ps");
  expect(tasks.map(({ name }) => name)).toEqual([]);
  const parts = [...cluster.agents.values(), cluster.server];
  expect(await Promise.all(parts.map(async (part) => part?.kill("SIGTERM")))).toEqual([0, 0, 0, 0]);
  await waitUntil("nothing to be left", () => (cluster.left().length === 0 ? true : null));
});
