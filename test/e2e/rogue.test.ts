// A rogue agent beside an honest one, against a real server: after each lie the honest node's task runs on, the planner
// plans, and the server says which node said what.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import type { NodeView } from "../../src/wire/api/nodes";
import { Cluster, livingTask, QUICK } from "../support/cluster";
import { waitUntil } from "../support/wait";

const ROGUE = join(import.meta.dir, "..", "adversary", "rogue-agent.ts");
const CARD = "GPU-00000000-0000-0000-0000-000000000001";

interface Event {
  readonly verb: string;
  readonly object: string;
  readonly detail: string;
}

let cluster: Cluster;
let honest: { readonly id: string; readonly uid: string };
beforeAll(async () => {
  cluster = await Cluster.start({ name: "rogue", settings: QUICK, agents: ["n1"] });
  await cluster.apply(
    'app: web\nservices:\n  api: { run: "exec sleep 1000", resources: { cpu: 10m, memory: 8MiB } }\n',
  );
  const tasks = await cluster.until("the service to run", (all) => livingTask(all, "web.api.0") !== undefined);
  const id = livingTask(tasks, "web.api.0")?.id ?? "";
  const uid = (await readdir(join(cluster.dataOf("n1"), "agent", "tasks"))).find((one) => one.startsWith(id)) ?? "";
  honest = { id, uid };
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

/** Runs the rogue to its end and returns what it heard. */
async function rogue(name: string, lie: string, ...more: string[]): Promise<string> {
  const token = await cluster.joinToken();
  const argv = [process.execPath, ROGUE, "--url", cluster.url, "--token", token, "--name", name, "--lie", lie];
  const child = Bun.spawn([...argv, "--stay", "2000", ...more], { env: cluster.env, stdout: "pipe", stderr: "pipe" });
  const [out, err] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  expect(err).toBe("");
  return out;
}

const n1 = async (): Promise<NodeView> => cluster.json<NodeView>("node", "show", "n1");
const doubts = async (name: string): Promise<string[]> =>
  (await cluster.json<{ events: Event[] }>("events", "--limit", "200")).events
    .filter(({ verb, object }) => verb === "doubted" && object === name)
    .map(({ detail }) => detail);

/** The service runs on as the same task, and a new job is planned and ends. */
async function isWell(): Promise<void> {
  expect(livingTask(await cluster.tasks(), "web.api.0")?.id).toBe(honest.id);
  await cluster.ok("run", "--cpu", "10m", "--memory", "8MiB", "--", "true");
  await waitUntil("n1 to be ready", async () => (await n1()).state === "ready");
}

describe("a rogue agent", () => {
  const lies: readonly (readonly [string, readonly string[], RegExp])[] = [
    ["epoch", [], /said that this cluster was at epoch 10000\d\d/],
    ["revision", [], /said that this cluster was at epoch .* revision 1000\d\d\d/],
    ["report", ["--uid", "UID"], /told of web\.api\.0, which is a task of another node/],
    ["inventory", ["--uid", "UID"], /told of web\.api\.0, which is a task of another node/],
    ["orphan", ["--uid", "UID"], /told of a record of something that is not its own/],
    ["numbers", ["--uid", "UID"], /which is a task of another node/],
    ["flood", [], /reported more than 100 findings in a minute/],
  ];
  for (const [lie, flags, said] of lies) {
    test(`that lies by ${lie} changes nothing for others, and is named`, async () => {
      const name = `rogue-${lie}`;
      const heard = await rogue(name, lie, ...flags.map((one) => (one === "UID" ? honest.uid : one)));
      expect(heard).toContain('"welcome"');
      await isWell();
      expect((await doubts(name)).join("\n")).toMatch(said);
    }, 60_000);
  }

  test("that speaks with another node's id is refused", async () => {
    expect(await rogue("rogue-identity", "identity", "--uid", (await n1()).id)).toContain('"code":"credential"');
    await isWell();
  }, 60_000);

  test("that joins as a node whose agent is away, with its fingerprint, gets nothing", async () => {
    const { identity } = await n1();
    await cluster.agent("n1").kill("SIGKILL");
    const flags = ["--fingerprint", identity?.fingerprint ?? ""];
    let heard = "";
    // The name is in use until the agent has been away for a while.
    for (const deadline = Date.now() + 40_000; Date.now() < deadline && !heard.includes("waiting");) {
      heard = await rogue("n1", "take", ...flags);
    }
    expect(JSON.parse(heard) as unknown).toMatchObject({ joined: { is: "waiting", name: "n1" } });
    await cluster.startAgent("n1");
    await cluster.ready();
    await isWell();
    expect((await n1()).identity?.key).toBe(identity?.key ?? "");
    await cluster.ok("node", "refuse", "n1");
    expect((await n1()).waiting).toBeNull();
  }, 90_000);

  test("that claims a card of another machine does not get it", async () => {
    await cluster.startAgent("n2", "--device", "fake:A100:40GiB");
    await cluster.ready();
    const card = (await cluster.json<NodeView>("node", "show", "n2")).devices[0]?.id ?? CARD;
    await rogue("rogue-device", "device", "--device", card);
    expect((await cluster.json<NodeView>("node", "show", "rogue-device")).devices).toEqual([]);
    expect((await doubts("rogue-device")).join()).toContain(`claims the card ${card}, which is in n2`);
    await isWell();
  }, 60_000);
});
