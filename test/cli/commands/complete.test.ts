// The names that a shell's completion gets: from the server where it answers at once, nothing and no word otherwise.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configDir, writeContext } from "../../../src/cli/cluster/contexts";
import { dispatch } from "../../../src/cli/dispatch";
import { startServer, type RunningServer } from "../../../src/server/server";
import { stage } from "../stage";

let dir: string;
let server: RunningServer;
let env: Record<string, string>;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-complete-"));
  const listen = "127.0.0.1:0";
  const settings = { data_dir: dir, listen, hosts: [], approve: false, settings: {}, version: "0.1.0" };
  server = await startServer({ ...settings, say: () => undefined });
  env = { ORCH_URL: server.url, ORCH_TOKEN: (await readFile(join(dir, "server", "admin.token"), "utf8")).trim() };
  await Bun.write(join(dir, "a.yaml"), "app: recs\nservices: { api: { run: x } }\njobs: { train: { run: x } }\n");
  await typed("apply", join(dir, "a.yaml"), "--yes");
  // The first request of a process loads the client, which a running command line does before it counts.
  await typed("__complete", "rm");
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

async function typed(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const here = stage({ env, home: dir });
  const code = await dispatch(argv, here.host);
  return { code, out: here.out(), err: here.err() };
}

test.each([
  ["rm", "recs\n"],
  ["restart", "recs.api\nrecs.train\n"],
  ["run", "recs.train\n"],
  ["cancel", "1\n"],
  ["user rm", "admin\n"],
  ["completion", "bash\nzsh\nfish\n"],
  ["node drain", ""],
  ["--user ps", "admin\n"],
  ["--after run", "1\n"],
  ["--role token new", "agent\nuser\noperator\nviewer\nadmin\n"],
  ["--name run", ""],
  ["--nonsense run", ""],
  ["version", ""],
  ["nonsense", ""],
])("orch __complete %s", async (command, out) => {
  expect(await typed("__complete", ...command.split(" "))).toEqual({ code: 0, out, err: "" });
});

test("contexts come from this person's own files, without a server", async () => {
  const here = (): ReturnType<typeof stage> => stage({ env: {}, home: join(dir, "login") });
  for (const name of ["box1", "box2"])
    await writeContext(configDir({}, join(dir, "login")), { name, url: `https://${name}:1`, token: "t", pin: null });
  for (const command of ["context use", "context rm", "logout"]) {
    const one = here();
    expect(await dispatch(["__complete", ...command.split(" ")], one.host)).toBe(0);
    expect(one.out().split("\n").toSorted()).toEqual(["", "box1", "box2"]);
  }
});

test("without a server, or without a login, nothing is said", async () => {
  for (const url of ["https://127.0.0.1:1", server.url]) {
    const here = stage({ env: { ORCH_URL: url }, home: join(dir, "nobody") });
    expect(await dispatch(["__complete", "rm"], here.host)).toBe(0);
    expect([here.out(), here.err()]).toEqual(["", ""]);
  }
});
