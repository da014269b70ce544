// A server that starts after commits of the future: its machine's clock was ahead once, and is right again.

import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DAY_MS } from "../../src/core/units";
import { startServer } from "../../src/server/server";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-ahead-"));
});
afterAll(async () => {
  await rm(dir, { recursive: true });
});

/** Starts a server and stops it. Returns what it has said. */
async function startedOnce(): Promise<string> {
  const said: string[] = [];
  const settings = { data_dir: dir, listen: "127.0.0.1:0", hosts: [], approve: false, settings: {}, version: "0.1.0" };
  const server = await startServer({ ...settings, say: (line) => void said.push(line) });
  await server.stop();
  return said.join("\n");
}

test("it says by how much its times are ahead, and a server that is not says nothing", async () => {
  expect(await startedOnce()).not.toContain("the last commit");
  expect(await startedOnce()).not.toContain("the last commit");
  const database = new Database(join(dir, "server", "orch.db"));
  database.run("update cluster set at_ms = at_ms + ?", [10 * DAY_MS]);
  database.close();
  expect(await startedOnce()).toContain("the last commit was made 10d ahead of this machine's clock");
});
