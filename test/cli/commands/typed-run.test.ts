// What `orch run` makes of what is typed where the user stands, and how people are named in lists, with a real server.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { startServer, type RunningServer } from "../../../src/server/server";
import type { RunDetail } from "../../../src/wire/api/runs";
import { makeScratch, removeScratch } from "../../support/scratch";
import { waitUntil } from "../../support/wait";
import { stage } from "../stage";

let dir: string;
let server: RunningServer;
let env: Record<string, string>;
beforeAll(async () => {
  dir = makeScratch("typed-run");
  const settings = { data_dir: dir, listen: "127.0.0.1:0", hosts: [], approve: false, settings: {}, version: "0.1.0" };
  server = await startServer({ ...settings, say: () => undefined });
  env = { ORCH_URL: server.url, ORCH_TOKEN: readFileSync(join(dir, "server", "admin.token"), "utf8").trim() };
});
afterAll(async () => {
  await server.stop();
  removeScratch(dir);
});

async function typed(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const here = stage({ env, home: dir, cwd: "/srv/lab" });
  const code = await dispatch(argv, here.host);
  return { code, out: here.out(), err: here.err() };
}

test("directories are taken as seen from the current one", async () => {
  const { out, err } = await typed(
    "run",
    "-d",
    "--wait-for-nodes",
    "--workdir",
    "sub/../src",
    "--activate",
    "venv=.",
    "x",
  );
  expect(err).toBe("");
  const shown = JSON.parse((await typed("show", out.trim(), "--json")).out) as RunDetail;
  expect(shown.workdir).toBe("/srv/lab/src");
});

test("an option beside a program of the current directory is not told as one of a job", async () => {
  const { code, err } = await typed("run", "--array", "0-3", "s.sh");
  expect([code, err]).toEqual([
    2,
    "orch: there is no workload called s.sh (orch ps shows what there is; if it is a program: orch run -- ./s.sh)\n",
  ]);
});

test("a script with #SBATCH lines is told that they are not read", async () => {
  const script = join(dir, "job.sh");
  await Bun.write(script, "#!/bin/bash\n#SBATCH --array=0-3\necho\n");
  const ask = `orch sbatch ${script} says how to ask for the same`;
  const said = `orch: the #SBATCH lines of ${script} are not read; ${ask}\n`;
  for (const argv of [[script], ["bash", script]])
    expect(await typed("run", "-d", "--wait-for-nodes", "--", ...argv)).toMatchObject({ code: 0, err: said });
  expect((await typed("run", "-d", "--wait-for-nodes", "--cpu", "1", "--", script)).err).toBe("");
  await Bun.write(script, "#!/bin/bash\n# SBATCH\necho\n");
  expect((await typed("run", "-d", "--wait-for-nodes", "--", script)).err).toBe("");
});

test("a person is named by their name, or by their Unix account", async () => {
  await typed("user", "add", "alice", "--unix", "asmith");
  const all = (await typed("runs", "-q")).out;
  const { unix_user } = JSON.parse((await typed("whoami", "--json")).out) as { unix_user: string };
  expect(all).toContain("1\n");
  expect((await typed("runs", "-q", "--user", "admin")).out).toBe(all);
  expect((await typed("runs", "-q", "--user", unix_user)).out).toBe(all);
  expect((await typed("ps", "-q", "--user", unix_user)).out).toBe((await typed("ps", "-q")).out);
  for (const other of ["asmith", "alice", "nobody"]) expect((await typed("runs", "-q", "--user", other)).out).toBe("");
});

test("logs of a name that several runs have say which one is shown, and how to see another", async () => {
  const sweep = async (): Promise<string> =>
    (await typed("run", "-d", "--wait-for-nodes", "--name", "sweep", "--", "true")).out.trim();
  const first = await sweep();
  expect((await typed("logs", "sweep")).err).not.toContain("is shown");
  await typed("cancel", first);
  const second = await sweep();
  await typed("cancel", second);
  const said = `orch: run ${second} is shown, the newest called sweep; another: orch logs RUN (${first})\n`;
  for (const name of ["sweep", "default/sweep"])
    expect((await typed("logs", name)).err).toStartWith(said.replace("sweep", name));
  expect((await typed("logs", second)).err).not.toContain("is shown");
  expect((await typed("logs", "sweep", "--json")).err).not.toContain("is shown");
});

test("a run of one's own that is over is not cancelled by its name, and is named", async () => {
  const run = (await typed("run", "-d", "--wait-for-nodes", "--name", "na", "x")).out.trim();
  expect((await typed("cancel", "na")).out).toStartWith(`run ${run}: cancel`);
  await waitUntil("its end", async () => (await typed("show", run)).out.includes("cancelled"));
  expect(await typed("cancel", "na")).toMatchObject({
    code: 1,
    err: `orch: na (run ${run}) is over: cancelled (orch show ${run} says how it ended)\n`,
  });
});
