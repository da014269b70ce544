// An agent as the first process of a container: everything there that loses its parent is handed to it.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { processes, processOf, signal, treeOf } from "../support/processes";
import { BINARY } from "../support/program";
import { waitUntil } from "../support/wait";
import { withCluster } from "../support/with-cluster";

const why = process.getuid?.() !== 0 ? "not root" : Bun.which("unshare") === null ? "no unshare" : null;
const CONTAINER = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", BINARY];
const small = "resources: { cpu: 20m, memory: 16MiB }";

/** Returns the dead and uncollected processes below a process. */
const zombiesBelow = (pid: number): string[] => {
  const all = processes({ zombies: true });
  return treeOf([pid], all).flatMap((found) => (found.state === "Z" ? [`${found.pid} ${found.command}`] : []));
};

describe(`in a container${why === null ? "" : ` (skipped: ${why})`}`, () => {
  test.if(why === null)(
    "leaves no dead process, gives codes as they were, and ends when it is told to",
    async () => {
      await withCluster({ name: "container" }, async (cluster) => {
        const agent = await cluster.startAgentAs("n1", CONTAINER);
        await cluster.ready();
        const first = processes().find(({ ppid }) => ppid === agent.pid)!.pid;
        const gate = join(cluster.dir, "gate");
        // Each round leaves ten processes whose parents are dead, and which die a little later.
        const leave = "for i in 1 2 3 4 5 6 7 8 9 10; do sh -c 'setsid sleep 0.2 &'; done";
        const run = (code: number): string => `"${leave}; until [ -e ${gate} ]; do sleep 0.1; done; exit ${code}"`;
        const jobs = [3, 4, 5].map((code) => `  j${code}: { run: ${run(code)}, ${small} }`).join("\n");
        await cluster.apply(`app: many\njobs:\n${jobs}\n`);
        await cluster.until("all to run", (all) => all.filter(({ state }) => state === "running").length === 3);
        await Bun.write(gate, "");
        const ended = await cluster.until(
          "all to end",
          (all) => all.filter(({ state }) => state === "failed").length === 3,
        );
        expect(ended.map(({ exit_code }) => exit_code).toSorted()).toEqual([3, 4, 5]);
        await waitUntil("no dead process to be left", () => zombiesBelow(first).length === 0);

        // Without its keeper, a task's processes are handed to the agent.
        await cluster.apply(`app: left\nservices:\n  main: { run: "${leave}; exec sleep 1000", ${small} }\n`);
        await cluster.until("it to run", (all) => all.some(({ app, state }) => app === "left" && state === "running"));
        const keeper = processes().find(({ ppid, command }) => ppid === first && command.includes(" keeper "));
        signal(keeper!, "SIGKILL");
        await waitUntil("the keeper to be collected", () => processOf(keeper!.pid) === null);
        await cluster.ok("rm", "left", "--yes");
        await waitUntil("no dead process to be left", () => zombiesBelow(first).length === 0);

        process.kill(first, "SIGTERM");
        await waitUntil("the agent to end by SIGTERM", () => processOf(first) === null);
      });
    },
    120_000,
  );

  // The first hides the mounts with the directory that they are in, the second each mount below it too.
  const HIDDEN = [
    "mount -t tmpfs none /sys/fs/cgroup",
    "umount -R -l /sys/fs/cgroup/*; mount -t tmpfs none /sys/fs/cgroup",
  ];
  test.if(why === null)(
    "whose control groups are hidden by another mount runs work without them, and says so",
    async () => {
      await withCluster({ name: "hidden" }, async (cluster) => {
        for (const [n, hide] of HIDDEN.entries()) {
          const name = `n${n}`;
          const agent = await cluster.startAgentAs(name, [
            "unshare",
            "-m",
            "sh",
            "-c",
            `${hide}; exec "$0" "$@"`,
            BINARY,
          ]);
          await cluster.ready();
          const none = n === 0 ? "the cgroup file system at /sys/fs/cgroup" : "no cgroup file system is mounted";
          expect(agent.output()).toContain(`cores and memory of tasks are counted and not enforced: ${none}`);
          expect((await cluster.ok("node", "show", name)).replaceAll(/\s+/g, " ")).toContain(
            `memory: counted (${none}`,
          );
          const { code, out } = await cluster.orch("run", "--host", name, "--memory", "16MiB", "--", "echo", "here");
          expect([code, out]).toEqual([0, "here\n"]);
        }
      });
    },
    60_000,
  );
});
