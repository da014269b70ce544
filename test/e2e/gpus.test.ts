// Cards with real processes: several tasks share one, whole ones are taken by size, and what waits says which cards
// do not do and why. The cards are made up; what the plan and the agents do with them is not.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { BlockedView, ExplainView } from "../../src/wire/api/plans";
import type { GpuView } from "../../src/wire/api/devices";
import { Cluster, QUICK } from "../support/cluster";

let cluster: Cluster;
beforeAll(async () => {
  cluster = await Cluster.start({ name: "gpus", settings: QUICK });
  await cluster.startAgent("n1", "--device", "fake:T4:16GB", "--device", "fake:A100:80GB");
  await cluster.ready();
});
afterAll(async () => expect(await cluster.close()).toEqual([]));

const LITTLE = "cpu: 20m, memory: 16MiB";

test("shares go on one card until it is full, and whole cards stay whole", async () => {
  await cluster.apply(`app: serving
services:
  embed:
    replicas: 3
    run: "echo sees $ORCH_GPU_UUIDS; exec sleep 1000"
    resources: { gpu: { share: 5GB }, ${LITTLE} }
jobs:
  big: { run: "exec sleep 1000", resources: { gpu: 24GB, ${LITTLE} } }
  more: { run: "exec sleep 1000", resources: { gpu: { share: 4GB }, ${LITTLE} } }
  whole: { run: "exec sleep 1000", resources: { gpu: T4, ${LITTLE} } }
`);
  const tasks = await cluster.until(
    "what has room to run",
    (all) => all.filter(({ state }) => state === "running").length === 4,
  );
  const { devices } = await cluster.json<{ devices: GpuView[] }>("gpus");
  const t4 = devices.find(({ model }) => model === "T4");
  const a100 = devices.find(({ model }) => model === "A100");
  const cardsOf = (workload: string): string[] =>
    tasks.filter((task) => task.workload === workload && task.state === "running").flatMap((task) => task.devices);
  expect(cardsOf("embed")).toEqual([t4?.id, t4?.id, t4?.id] as string[]);
  expect(cardsOf("big")).toEqual([a100?.id] as string[]);
  expect(t4?.promised.map(({ memory_bytes }) => memory_bytes)).toEqual([5, 5, 5].map((gb) => gb * 2 ** 30));
  expect(await cluster.ok("logs", "serving.embed.2")).toContain(`sees ${t4?.id}`);
});

test("what waits says of each card why it does not do, and what would", async () => {
  const more = await cluster.json<BlockedView>("explain", "serving.more");
  expect(more).toMatchObject({ kind: "queued", smallest_change: "ask for a share of 1 GB (runs now)" });
  expect(more.nodes[0]?.checks[0]?.devices.map(({ why }) => why)).toEqual(["held", "held"]);
  expect(more.nodes[0]?.checks[0]?.detail).toMatch(
    /has 1 GB of 16 GB left, shared by serving\.embed\.\d, .* and 1 more/,
  );
  expect(await cluster.ok("explain", "serving.whole")).toContain("is held by serving.embed.0");
  const never = await cluster.orch("run", "--gpu", "H100", "--", "true");
  expect([never.code, never.err]).toEqual([125, expect.stringContaining("has no H100 card") as string]);
  const shared = await cluster.orch("run", "--gpu", "share=8GB", "--", "true");
  expect([shared.code, shared.err]).toEqual([2, expect.stringContaining("`{ share: 8GB }`") as string]);
  const braces = await cluster.orch("run", "--gpu", "{ share: 8GB, model: H100 }", "--", "true");
  expect([braces.code, braces.err]).toEqual([125, expect.stringContaining("has no H100 card") as string]);
});

test("what is placed says why it has the card that it has", async () => {
  const view = await cluster.json<ExplainView>("explain", "serving.embed.1");
  expect("placed" in view && view.placed.devices.map(({ why }) => why)).toEqual(["shared already, 1 GB left of 16 GB"]);
  expect(await cluster.ok("explain", "serving.big.0")).toContain(": no other fits and is free, 80 GB");
});

test("room that a share leaves is given to the next one", async () => {
  await cluster.ok("scale", "serving.embed=2");
  await cluster.until("the share that waited to run", (all) =>
    all.some((task) => task.workload === "more" && task.state === "running"),
  );
  await cluster.ok("rm", "serving", "--yes");
  await cluster.until("all to be over", (all) => all.every(({ finished_ms }) => finished_ms !== null));
});
