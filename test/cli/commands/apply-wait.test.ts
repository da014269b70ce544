// `orch apply --wait` gives one verdict for one state, whoever made the run that no node can run.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { scratchDir } from "../../support/scratch";
import { heardNode } from "../../server/hand-agent";
import { served } from "../served";
import { stage as cliStage } from "../stage";

test("an app with a job that no node can run is stuck, at the first apply and at the second", async () => {
  const at = await served();
  await heardNode(at.stage, "box1");
  const home = scratchDir("apply-wait");
  const file = join(home, "shop.yaml");
  await Bun.write(file, "app: shop\njobs: { train: { run: x, resources: { cpu: 64 } } }\n");
  const apply = async (): Promise<readonly [number, string]> => {
    const env = { ORCH_URL: at.url, ORCH_TOKEN: at.stage.tokens["alice"] ?? "" };
    const { host, out, err } = cliStage({ env, home, cwd: home });
    return [await dispatch(["apply", file, "--yes", "--wait"], host), out() + err()];
  };
  const stuck = "orch: run 1 (shop.train) cannot go on. See why: orch show 1, orch logs\n";
  expect(await apply()).toEqual([1, expect.stringContaining(stuck)]);
  expect(await apply()).toEqual([1, expect.stringContaining(stuck)]);
  await at.close();
});
