// What one node lacks costs the work nothing: it goes to another node, and where none is left it waits and says so,
// node by node.

import { describe, expect, test } from "bun:test";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { BINARY, Program } from "../support/program";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const isRoot = process.getuid?.() === 0;

interface Shown {
  readonly state: string;
  readonly exit_code: number | null;
  readonly cause: string | null;
  readonly reason: string | null;
}

describe.skipIf(!isRoot)("a directory that one of two nodes lacks (root only: mount namespaces)", () => {
  test("is left to the other node, and costs no retry; where both lack it the run waits and says so", async () => {
    await withCluster({ name: "lacks", settings: ["settle=300ms"] }, async (cluster) => {
      const place = join(cluster.dir, "place");
      const shared = join(place, "shared");
      await mkdir(shared, { recursive: true });
      // The first node does not have what lies below the place: something empty is mounted over it.
      const hidden = `mount -t tmpfs none ${place} && exec "$0" "$@"`;
      await cluster.startAgentAs("a", ["unshare", "-m", "sh", "-c", hidden, BINARY], "--capacity", "cpu=8,memory=8GiB");
      await cluster.startAgent("b");
      await cluster.ready();

      const spec = (dir: string): string =>
        `app: lab\njobs:\n  train: { run: pwd, workdir: ${dir}, resources: { cpu: 100m, memory: 16MiB } }\n` +
        `services:\n  web: { run: exec sleep 1000, workdir: ${dir}, replicas: 3, ` +
        `resources: { cpu: 100m, memory: 16MiB } }\n`;
      expect((await cluster.apply(spec(shared))).code).toBe(0);
      const all = await cluster.until("all to have begun on the other node", (tasks) => {
        const began = tasks.filter(({ state }) => state === "running" || state === "succeeded");
        return began.length === 4;
      });
      const began = all.filter(({ state }) => state === "running" || state === "succeeded");
      expect([...new Set(began.map(({ node }) => node))]).toEqual(["b"]);
      for (const task of all.filter(({ state }) => state === "rejected")) {
        expect(task.node).toBe("a");
        expect(task.reason).toBe(`could not start: the directory ${shared} is not there`);
      }
      expect(all.filter(({ state }) => state === "failed")).toEqual([]);

      const nowhere = join(place, "nowhere");
      expect((await cluster.apply(`app: other\njobs:\n  lost: { run: pwd, workdir: ${nowhere} }\n`)).code).toBe(0);
      const said = await waitUntil("the run to say that both lack it", async () => {
        const text = await cluster.ok("explain", "other.lost");
        return /a\b.*workdir: has no .*nowhere/.test(text) && /b\b.*workdir: has no .*nowhere/.test(text) ? text : null;
      });
      expect(said).toContain(`0 of 2 nodes fit: 2 have no ${nowhere}`);
      // Somebody makes the directory, and its node is asked again.
      await mkdir(nowhere);
      await cluster.until("the job to have run", (tasks) =>
        tasks.some(({ name, state, node }) => name.startsWith("other.lost") && state === "succeeded" && node === "b"),
      );
    });
  }, 120_000);
});

test("a command that no node has fails the run with 127 once each has said so, and names them", async () => {
  await withCluster({ name: "nowhere", agents: ["a", "b"] }, async (cluster) => {
    const ran = await cluster.orch("run", "--", "no-such-command");
    expect(ran.code).toBe(127);
    expect(ran.err).toContain("could not start: the command no-such-command is in no directory of PATH (on a, b)");
    const [run] = (await cluster.json<{ runs: Shown[] }>("runs")).runs;
    expect(run).toMatchObject({ state: "failed", exit_code: 127, cause: "no_command" });
    const tasks = await cluster.tasks("--all");
    expect(tasks.map(({ state, exit_code }) => [state, exit_code])).toEqual([
      ["rejected", 127],
      ["rejected", 127],
    ]);
  });
}, 60_000);

test("a port that somebody else holds: an automatic one moves on, a fixed one waits and says who has it", async () => {
  const [auto, fixed] = [20_000, 0].map((port) =>
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } }),
  );
  try {
    await withCluster({ name: "ports", agents: ["a"], settings: ["settle=300ms"] }, async (cluster) => {
      const workload = (port: string | number): string =>
        `{ run: exec sleep 1000, ports: { http: ${port} }, resources: { cpu: 50m, memory: 16MiB } }`;
      const text = `app: web\nservices:\n  any: ${workload("auto")}\n  one: ${workload(fixed?.port ?? 0)}\n`;
      expect((await cluster.apply(text)).code).toBe(0);
      const tasks = await cluster.until("the automatic one to run", (all) =>
        all.some(({ name, state }) => name.startsWith("web.any") && state === "running"),
      );
      const of = (state: string) => tasks.find((task) => task.name.startsWith("web.any") && task.state === state);
      expect(of("rejected")?.reason).toContain(`port 20000 is held by pid ${process.pid}`);
      expect(of("running")?.ports["http"]).toBe(20_001);
      await waitUntil("the fixed one to say who has it", async () =>
        (await cluster.ok("explain", "web.one")).includes(`port ${fixed?.port} is held by pid ${process.pid}`),
      );
      fixed?.stop(true);
      await cluster.ok("node", "resume", "a");
      await cluster.until("the fixed one to run", (all) =>
        all.some(({ name, state }) => name.startsWith("web.one") && state === "running"),
      );
    });
  } finally {
    for (const one of [auto, fixed]) one?.stop(true);
  }
}, 60_000);

test("a port that somebody else holds on every node: the change that is named places it", async () => {
  const held = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  try {
    await withCluster({ name: "named", agents: ["a", "b"], settings: ["settle=300ms"] }, async (cluster) => {
      const spec = (port: string | number): string =>
        `app: web\nservices:\n  one: { run: exec sleep 1000, ports: { http: ${port} }, resources: { cpu: 50m } }\n`;
      expect((await cluster.apply(spec(held.port))).code).toBe(0);
      await waitUntil("the change to be named", async () =>
        (await cluster.ok("explain", "web.one")).includes(
          `smallest change: publish port ${held.port} as auto (runs now)\n`,
        ),
      );
      expect((await cluster.apply(spec("auto"))).code).toBe(0);
      await cluster.until("it to run", (all) => all.some(({ state }) => state === "running"));
    });
  } finally {
    held.stop(true);
  }
}, 60_000);

test("an attached run that is rejected says at once that it waits and why, once; and so do all lists", async () => {
  const free = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const { port } = free;
  free.stop(true);
  await withCluster({ name: "attached", agents: ["a"], settings: ["avoid=300ms", "port_rest=0s"] }, async (cluster) => {
    const job = `{ run: echo done, ports: { http: ${port} }, resources: { cpu: 50m, memory: 16MiB } }`;
    expect((await cluster.apply(`app: lab\njobs:\n  train: ${job}\n`, "--wait")).code).toBe(0);
    const held = Bun.listen({ hostname: "127.0.0.1", port, socket: { data: () => undefined } });
    try {
      const run = Program.start("run", ["run", "lab.train"], join(cluster.dir, "run.log"), cluster.env);
      const why = `waits: 0 of 1 node fits: 1 could not start it: port ${port} is held by pid ${process.pid}`;
      await run.line(new RegExp(`run 2 ${why}`));
      const rejected = (all: readonly Shown[]): number => all.filter(({ state }) => state === "rejected").length;
      await cluster.until("it to be tried again", (all) => rejected(all) >= 2);
      const reasons = await waitUntil("all lists to say the same", async () => {
        const { runs } = await cluster.json<{ runs: Shown[] }>("runs");
        const { runs: queue } = await cluster.json<{ runs: Shown[] }>("queue");
        const { tasks } = await cluster.json<{ tasks: Shown[] }>("ps");
        const { summary } = await cluster.json<{ summary: string }>("explain", "2");
        const listed = [runs.find(({ state }) => state === "queued"), queue[0], tasks[0]];
        const said = [...listed.map((one) => one?.reason ?? ""), summary];
        return said.every((one) => one === summary) ? said : null;
      });
      expect(reasons[0]).toContain(why);
      expect(run.output().split(why).length).toBe(2);
      held.stop(true);
      await cluster.ok("node", "resume", "a");
      expect(await run.exited).toBe(0);
      expect(run.output()).toMatch(/orch: attempt \d+ on a\ndone\n$/);
    } finally {
      held.stop(true);
    }
  });
}, 60_000);
