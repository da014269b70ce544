// `orch plan` and `orch apply --wait` give one verdict for one state, whoever made the run that no node can run, and
// whether it is to start yet.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { scratchDir } from "../../support/scratch";
import { heardNode } from "../../server/hand-agent";
import { served, type Served } from "../served";
import { stage as cliStage } from "../stage";

let at: Served;
beforeEach(async () => {
  at = await served();
  await heardNode(at.stage, "box1");
});
afterEach(async () => at.close());

const TOO_MUCH = "train: { run: x, resources: { cpu: 64 }";

async function written(jobs: string): Promise<(...argv: string[]) => Promise<readonly [number, string]>> {
  const home = scratchDir("apply-wait");
  await Bun.write(join(home, "shop.yaml"), `app: shop\njobs: { ${jobs} }\n`);
  return async (...argv) => {
    const env = { ORCH_URL: at.url, ORCH_TOKEN: at.stage.tokens["alice"] ?? "" };
    const { host, out, err } = cliStage({ env, home, cwd: home });
    return [await dispatch([...argv, "-f", "shop.yaml"], host), out() + err()];
  };
}

test("an app with a job that no node can run is stuck, at the first apply and at the second", async () => {
  const orch = await written(`${TOO_MUCH} }`);
  const stuck = "orch: run 1 (shop.train) cannot go on. See why: orch show 1\n";
  for (const _ of [1, 2]) expect(await orch("apply", "--yes", "--wait")).toEqual([1, expect.stringContaining(stuck)]);
});

test("that a job can run on no node is known before what it comes after is done", async () => {
  const orch = await written(`prep: { run: x }, ${TOO_MUCH}, after: [prep] }`);
  const never = "cannot run on any node: 0 of 1 node fits: 1 has fewer than 64 cores (largest 8); ";
  const waits = `${never}before that it waits for shop.prep to succeed`;
  const planned = await orch("plan");
  expect(planned[1]).toContain(`  shop.train.0 ${waits}\n`);
  expect(planned[1]).toContain("    smallest change: ask for 8 cores\n");
  expect(planned[1]).toStartWith("plan: 1 to place, 1 cannot run on any node\n");
  expect(await orch("apply", "--yes", "--wait")).toEqual([1, expect.stringContaining("(shop.train) cannot go on")]);
  expect((await at.ran("alice", "ps"))[1]).toContain(waits);
  expect((await at.ran("alice", "explain", "shop.train"))[1]).toContain(waits);
});

test("a directory that no node has yet may be made by what comes before", async () => {
  const orch = await written("prep: { run: x }, use: { run: x, workdir: /made, after: [prep] }");
  expect((await orch("plan"))[1]).toContain("shop.use.0 waits for shop.prep to succeed\n");
});
