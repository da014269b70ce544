// A command line whose working directory was removed: what does not need it works, what would start in it says so.

import { expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { BINARY } from "../support/program";

test.each([
  ["context ls", 0, "no contexts; make one: orch login URL\n"],
  ["run -- true", 2, "was removed. Name another one with --workdir\n"],
])("orch %s", async (line, code, said) => {
  const home = await mkdtemp(join(tmpdir(), "orch-gone-"));
  const script = `mkdir gone && cd gone && rmdir ../gone && exec ${BINARY} ${line}`;
  const child = Bun.spawn(["sh", "-c", script], {
    cwd: home,
    env: { HOME: home, PATH: "/usr/bin:/bin" },
    stderr: "pipe",
  });
  const err = await new Response(child.stderr).text();
  expect([await child.exited, err.endsWith(said), err]).toEqual([code, true, err]);
  await rm(home, { recursive: true });
});
