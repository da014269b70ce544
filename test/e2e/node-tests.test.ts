// Nodes that prove themselves, with real processes: the battery of a real agent, operators' commands, and what happens
// when an agent or the server dies in the middle.

import { expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lookAtFileSystem } from "../../src/os/files/filesystem";
import type { EventView } from "../../src/wire/api/watch";
import type { NodeView } from "../../src/wire/api/nodes";
import type { TestsView } from "../../src/wire/node-tests";
import type { Cluster } from "../support/cluster";
import { type Found, processes, processesOf, treeOf } from "../support/processes";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const node = async (cluster: Cluster, name = "n1"): Promise<NodeView> => cluster.json<NodeView>("node", "show", name);

const isNow = (cluster: Cluster, state: NodeView["state"], name = "n1"): Promise<NodeView> =>
  waitUntil(
    `${name} to be ${state}`,
    async () => {
      const seen = (await cluster.nodes()).find((one) => one.name === name);
      return seen?.state === state ? seen : null;
    },
    20_000,
  );
const eventsOf = async (cluster: Cluster, name = "n1"): Promise<EventView[]> =>
  (await cluster.json<{ events: EventView[] }>("events")).events.filter(({ object }) => object === name);
const resultsOf = ({ tests }: NodeView): Record<string, string> =>
  Object.fromEntries((tests?.results ?? []).map(({ name, verdict }) => [name, verdict]));

test("a node that fails an operator's test is quarantined, and comes back when the cause is gone", async () => {
  const file = (dir: string): string => `node_tests:
  - { name: licence, run: "test -e ${dir}/licence || { echo looking; echo no licence server; exit 3; }" }
  - { name: gpu-only, run: "echo right", pool: gpu }
  - { name: note, command: ["false"], required: false }
`;
  await withCluster({ name: "tests", file }, async (cluster) => {
    const licence = join(cluster.dir, "licence");
    await cluster.startAgent("n1");
    const failed = await isNow(cluster, "quarantined");
    expect(failed.reason).toStartWith("licence: exit code 3: no licence server");
    expect(failed.reason).toContain("note: exit code 1");
    expect(resultsOf(failed)).toMatchObject({
      cpu: "passed",
      memory: "passed",
      disk_write: "passed",
      disk_read: "passed",
      filesystem: expect.stringMatching(/passed|warned/) as string,
      clock: "passed",
      network: "passed",
      licence: "failed",
      note: "failed",
    });
    expect(Object.keys(resultsOf(failed))).not.toContain("gpu-only");
    expect(await cluster.ok("nodes")).toContain("no licence server");

    await cluster.apply(`app: a\njobs: { j: { run: "echo done" } }\n`);
    expect((await cluster.orch("explain", "a.j")).out).toContain("is quarantined: licence: exit code 3");
    const again = await cluster.orch("node", "test", "n1", "--wait");
    expect([again.code, again.out]).toEqual([1, expect.stringContaining("n1: quarantined: licence") as string]);
    expect((await cluster.tasks("--all")).filter(({ node: on }) => on !== null)).toEqual([]);

    writeFileSync(licence, "");
    const passed = await cluster.orch("node", "test", "n1", "--wait");
    expect([passed.code, passed.out]).toEqual([0, expect.stringContaining("n1: ready") as string]);
    await cluster.until("the job to run", (tasks) => tasks.some(({ state }) => state === "succeeded"));
    expect((await eventsOf(cluster)).map(({ verb }) => verb)).toContain("quarantined");

    const shown = await cluster.ok("node", "show", "n1");
    expect(shown).toContain("tests: passed");
    expect(shown).toMatch(/^disk_write +passed +[\d.]+ MB\/s/m);
    expect(shown).toMatch(/^note +failed \(advisory\) +exit code 1$/m);
    const { tests } = await cluster.json<{ tests: TestsView[] }>("node", "show", "n1", "--history");
    expect(tests.map(({ verdict, why }) => [verdict, why])).toEqual([
      ["passed", "asked for by admin"],
      ["failed", "asked for by admin"],
      ["failed", "it joined"],
    ]);
    expect((await cluster.ok("node", "show", "n1", "--history")).split("\n").length).toBe(tests.length + 2);
  });
}, 60_000);

test("a node is taken without its tests on somebody's word; commands are for their pool", async () => {
  const file = (): string => `node_tests:
  - { name: never, command: [/no/such/tool], pool: default }
  - { name: soak, run: "echo for the pool", pool: gpu }
`;
  await withCluster({ name: "skip", file }, async (cluster) => {
    await Promise.all([cluster.startAgent("n1"), cluster.startAgent("n2", "--pool", "gpu")]);
    expect((await isNow(cluster, "quarantined")).reason).toStartWith(
      "never: could not start: /no/such/tool is not there",
    );
    const other = await isNow(cluster, "ready", "n2");
    expect(resultsOf(other)["soak"]).toBe("passed");
    expect(resultsOf(other)["never"]).toBeUndefined();

    const resumed = await cluster.orch("node", "resume", "n1");
    expect(resumed.err).toContain("its tests come first");
    await isNow(cluster, "quarantined");
    expect(await cluster.ok("node", "resume", "n1", "--skip-tests")).toBe("n1: ready\n");
    expect((await eventsOf(cluster)).find(({ verb }) => verb === "resumed_untested")).toMatchObject({
      actor: "admin",
      detail: expect.stringContaining("tests skipped by admin; it was quarantined: never:") as string,
    });
    await cluster.agent("n1").kill("SIGTERM");
    await cluster.startAgent("n1");
    await isNow(cluster, "ready");
    await cluster.agent("n1").kill("SIGTERM");
    await cluster.startAgent("n1", "--device", "fake:A100:80GB");
    await waitUntil("the new card to be tested", async () =>
      (await eventsOf(cluster)).some(({ verb, detail }) => verb === "testing" && detail.endsWith("was added")),
    );
    await isNow(cluster, "quarantined");
  });
}, 60_000);

test("tests go on over the death of the server, and begin again after that of their agent", async () => {
  const file = (dir: string): string => `node_tests:
  - name: gate
    run: "echo begun >> ${dir}/begun; until test -e ${dir}/go; do sleep 0.05; done; echo ended >> ${dir}/ended"
`;
  await withCluster({ name: "middle", file }, async (cluster) => {
    const [begun, ended, go] = ["begun", "ended", "go"].map((name) => join(cluster.dir, name)) as [
      string,
      string,
      string,
    ];
    const lines = (path: string): number => (existsSync(path) ? readFileSync(path, "utf8").split("\n").length - 1 : 0);
    await cluster.startAgent("n1");
    await waitUntil("the command to run", () => lines(begun) === 1);
    expect(await node(cluster)).toMatchObject({
      state: "testing",
      reason: "being tested: it joined",
      testing: { why: "it joined", by: "server", step: { name: "gate", n: 8, of: 8 } },
    });

    await cluster.server?.kill("SIGKILL");
    await cluster.startServer();
    await waitUntil("the agent to be back", async () => (await node(cluster)).last_seen_ms !== null);
    writeFileSync(go, "");
    await isNow(cluster, "ready");
    expect([lines(begun), lines(ended)]).toEqual([1, 1]);

    rmSync(go);
    await cluster.ok("node", "test", "n1");
    await waitUntil("the command to run again", () => lines(begun) === 2);
    // The command may be ahead of what guards it, for a moment.
    const isGuard = ({ command }: Found): boolean => command.includes("orch-guard");
    await waitUntil("its guard to be there", () => treeOf([cluster.agent("n1").pid], processes()).some(isGuard));
    await cluster.agent("n1").kill("SIGKILL");
    const isLeft = (): boolean => processesOf(cluster.dir).some(({ command }) => command.includes(begun));
    await waitUntil("the command to go with its agent", () => !isLeft());
    await cluster.startAgent("n1");
    await waitUntil("the command to run a third time", () => lines(begun) === 3);
    expect((await node(cluster)).testing?.why).toBe("asked for by admin");
    writeFileSync(go, "");
    await isNow(cluster, "ready");
    expect([lines(begun), lines(ended)]).toEqual([3, 2]);
  });
}, 60_000);

/** Why no agent can have a machine of its own here; `null`: it can. */
async function whyOneMachine(): Promise<string | null> {
  if (process.platform !== "linux" || process.getuid?.() !== 0) return "only root can mount";
  return (await lookAtFileSystem(tmpdir())).type === "tmpfs" ? "all files of tests lie in memory" : null;
}
const oneMachine = await whyOneMachine();
if (oneMachine !== null) console.log(`skipped: twins with disks of their own, because ${oneMachine}`);

/** A boot, a run directory and, where the disk is to be quick, a disk of its own, and nothing of it left afterwards. */
const OWN_MACHINE = `
  mount --bind "$1" /proc/sys/kernel/random/boot_id && mount -t tmpfs -o mode=0755 tmpfs /run || exit 1
  [ "$2" = slow ] || mount -t tmpfs -o size=2g,mode=0700 tmpfs "$3" || exit 1
  shift 3; exec "$@"`;

async function startMachine(cluster: Cluster, name: string, disk: "slow" | "quick"): Promise<void> {
  const [boot, data] = [join(cluster.dir, `${name}.boot`), cluster.dataOf(name)];
  mkdirSync(data, { recursive: true });
  writeFileSync(boot, `${crypto.randomUUID()}\n`);
  const own = ["unshare", "-m", "--propagation", "private", "sh", "-c", OWN_MACHINE, "machine", boot, disk, data];
  const joining = ["agent", "join", cluster.url, "--token", await cluster.joinToken(), "--name", name, "--data", data];
  const agent = cluster.program(name, [...joining, "--capacity", "cpu=1,memory=1GiB"], [...own, BINARY]);
  await agent.line(/joined as /);
}

test.skipIf(oneMachine !== null)(
  "a machine whose disk is slower than those of its twins is named with them",
  async () => {
    await withCluster({ name: "twins" }, async (cluster) => {
      const quick = ["n2", "n3"];
      await startMachine(cluster, "n1", "slow");
      for (const name of quick) await startMachine(cluster, name, "quick");
      await cluster.ready();
      // What others do on this machine meanwhile may hide it for once.
      await waitUntil(
        "n1 to be found slow",
        async () => {
          const { tests } = await node(cluster);
          if (/\bwrites \d+ % slower than n2 and n3/.test(tests?.reason ?? "")) return true;
          for (const name of [...quick, "n1"]) await cluster.ok("node", "test", name, "--wait");
          return false;
        },
        40_000,
      );
      expect(await cluster.ok("nodes")).toMatch(/^n1 .*writes \d+ % slower than n2 and n3/m);
      expect(await cluster.ok("node", "show", "n1")).toMatch(/^disk_write .*-\d+ % \(n2, n3\)/m);
      for (const name of quick) {
        const { tests } = await node(cluster, name);
        expect(tests!.results.length).toBeGreaterThan(0);
        expect(String(tests!.reason)).not.toMatch(/writes .*than n1/);
      }
    });
  },
  60_000,
);

test("agents of one machine are no twins, whatever they measure side by side", async () => {
  await withCluster({ name: "one", agents: ["n1", "n2"] }, async (cluster) => {
    for (const name of ["n1", "n2"]) {
      const { tests } = await node(cluster, name);
      expect(tests?.results.filter(({ twins }) => twins !== null)).toEqual([]);
    }
  });
});
