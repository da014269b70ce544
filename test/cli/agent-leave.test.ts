// `orch agent leave` and an agent of another release: what it cannot understand ends it with a reason.

import { expect, test } from "bun:test";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispatch } from "../../src/cli/dispatch";
import { EXIT } from "../../src/cli/failure";
import { listenLines } from "../../src/os/files/lines";
import { AGENT_SOCKET } from "../../src/wire/local";
import { stage } from "./stage";

test("an agent that is not understood ends the command, not the leaving", async () => {
  const data = await mkdtemp(join(tmpdir(), "orch-leave-"));
  await mkdir(join(data, "agent"));
  const agent = listenLines(join(data, "agent", AGENT_SOCKET), (peer) => ({
    message: () => peer.send({ is: "dancing", name: "box1" }),
    closed: () => undefined,
  }));
  const at = stage();
  expect(await dispatch(["agent", "leave", "--data", data], at.host)).toBe(EXIT.failed);
  expect(at.err()).toContain("the agent is not understood");
  agent.stop();
  await rm(data, { recursive: true });
});
