// Cancelling many runs at once: what waits is cancelled before what runs.

import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "../support/cluster";

test("nothing that is cancelled with the rest begins in the room that another one leaves", async () => {
  const cluster = await Cluster.start({ name: "cancel", agents: ["n1"], capacity: "cpu=2,memory=1GiB" });
  try {
    const files = join(cluster.dir, "began-");
    const small = ["run", "-d", "--cpu", "1", "--memory", "64MiB", "--workdir", "/"];
    const runs: string[] = [];
    for (let n = 0; n < 12; n++)
      runs.push(
        (await cluster.ok(...small, "--name", "sweep", "--", "sh", "-c", `touch ${files}${n}; exec sleep 100`)).trim(),
      );
    await cluster.until("two to run", (tasks) => tasks.filter(({ state }) => state === "running").length === 2);
    const out = await cluster.ok("cancel", "sweep", runs[0]!);
    expect(out.trim().split("\n")).toHaveLength(12);
    await cluster.until("all to have ended", (tasks) => tasks.every(({ state }) => state !== "running"));
    const began = readdirSync(cluster.dir).filter((name) => name.startsWith("began-"));
    expect(began.sort()).toEqual(["began-0", "began-1"]);
  } finally {
    expect(await cluster.close()).toEqual([]);
  }
}, 60_000);
