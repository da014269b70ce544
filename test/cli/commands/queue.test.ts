// Whose waiting runs `orch queue` shows, against a real server.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { startServer, type RunningServer } from "../../../src/server/server";
import { stage } from "../stage";

let dir: string;
let server: RunningServer;
let admin: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-queue-"));
  const settings = { data_dir: dir, listen: "127.0.0.1:0", hosts: [], approve: false, settings: {}, version: "0.1.0" };
  server = await startServer({ ...settings, say: () => undefined });
  admin = (await readFile(join(dir, "server", "admin.token"), "utf8")).trim();
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

async function typed(token: string, line: string): Promise<string> {
  const here = stage({ env: { ORCH_URL: server.url, ORCH_TOKEN: token }, home: dir, cwd: dir });
  expect([await dispatch(line.split(" "), here.host), here.err()]).toEqual([0, expect.any(String)]);
  return here.out();
}

test("orch queue shows what waits of all, of one person, or of who asks", async () => {
  await typed(admin, "user add alice --unix al");
  const made = JSON.parse(await typed(admin, "token new --role user --user alice --json")) as { token: string };
  const hers = await typed(made.token, "run -d --wait-for-nodes -- true");
  const admins = await typed(admin, "run -d --wait-for-nodes -- true");
  expect(await typed(admin, "queue -q")).toBe(hers + admins);
  expect(await typed(admin, "queue -q --mine")).toBe(admins);
  expect(await typed(made.token, "queue -q --mine")).toBe(hers);
  expect(await typed(admin, "queue -q --user al")).toBe(hers);
});
