// `orch login` over the login of somebody else at the same server.

import { expect, test } from "bun:test";
import { dispatch } from "../../../src/cli/dispatch";
import { scratchDir } from "../../support/scratch";
import { served } from "../served";
import { stage as cliStage } from "../stage";

test("says whose login it replaces, and nothing where it is the same person's", async () => {
  const at = await served();
  const home = scratchDir("login");
  const login = async (who: string): Promise<string> => {
    const env = { XDG_CONFIG_HOME: home };
    const { host, err } = cliStage({ env, home, cwd: home, input: at.stage.tokens[who] ?? "" });
    expect(await dispatch(["login", at.url], host)).toBe(0);
    return err();
  };
  expect([await login("alice"), await login("alice")]).toEqual(["", ""]);
  const name = new URL(at.url).host.replace(":", "-");
  expect(await login("bob")).toBe(
    `it replaces the login of alice (context ${name}). To keep both: orch login ${at.url} --name NAME\n`,
  );
  await at.close();
});
