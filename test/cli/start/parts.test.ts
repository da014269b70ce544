// What the command line learns of the parts that it runs it is told in calls, and never takes from the lines they say.

import { expect, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { notThere } from "../../../src/cli/commands/agent-leave";
import { EXIT } from "../../../src/cli/failure";
import type { Parts } from "../../../src/cli/parts";
import { formatToken } from "../../../src/wire/token";
import { scratchDir } from "../../support/scratch";
import { stage } from "../stage";

const TOKEN = formatToken({ pin: "ab".repeat(32), id: "0123456789", secret: "c0ffee".repeat(6) + "0000" });

async function joinWith(runAgent: Parts["runAgent"]): Promise<boolean> {
  const dir = scratchDir("join");
  const file = join(dir, "token");
  writeFileSync(file, TOKEN);
  const { host } = stage({ cwd: dir, home: dir, parts: { runAgent } });
  const line = ["agent", "join", "https://box1:4400", "--token-file", file, "--data", join(dir, "data")];
  expect(await dispatch(line, host)).toBe(EXIT.done);
  return existsSync(file);
}

test("the token's file goes when the agent has joined, not when a line says something like it", async () => {
  const saying = await joinWith(async ({ say }) => {
    say("joined as nothing yet: the server refused this node");
    return "stopped";
  });
  expect(saying).toBe(true);
  const joined = await joinWith(async (options) => {
    options.joined();
    return "stopped";
  });
  expect(joined).toBe(false);
});

test("a quiet server says where it listens, and nothing else", async () => {
  const dir = scratchDir("serve");
  const startServer: Parts["startServer"] = async ({ say }) => {
    say("admin token: /x");
    say("listening on https://box1:4400");
    return {
      url: "https://box1:4400",
      pin: "p",
      joinToken: () => Promise.resolve("t"),
      stopped: Promise.resolve(),
      stop: () => Promise.resolve(),
    };
  };
  const { host, out } = stage({ cwd: dir, home: dir, parts: { startServer } });
  expect(await dispatch(["server", "--quiet", "--data", dir], host)).toBe(EXIT.done);
  expect(out()).toBe("listening on https://box1:4400\n");
});

test("an agent that may not be spoken to is another account's, one that is not there does not run", async () => {
  const dir = scratchDir("leave");
  expect(await notThere(dir, "EACCES")).toMatchObject({ exit: EXIT.denied });
  expect(await notThere(dir, "ENOENT")).toMatchObject({ exit: EXIT.failed });
});
