// Who one is, and the clusters that one has logged in to, against a real server.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispatch } from "../../../src/cli/dispatch";
import { startServer, type RunningServer } from "../../../src/server/server";
import { stage } from "../stage";

let dir: string;
let server: RunningServer;
let token: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-access-"));
  const listen = "127.0.0.1:0";
  const settings = { data_dir: dir, listen, hosts: [], approve: false, settings: {}, version: "0.1.0" };
  server = await startServer({ ...settings, say: () => undefined });
  token = (await readFile(join(dir, "server", "admin.token"), "utf8")).trim();
});
afterAll(async () => {
  await server.stop();
  await rm(dir, { recursive: true });
});

const uid = process.getuid?.() ?? 0;
async function typed(line: string, input = ""): Promise<{ code: number; out: string; err: string }> {
  const here = stage({ home: join(dir, "home"), uid, input });
  const code = await dispatch(line.split(" "), here.host);
  return { code, out: here.out(), err: here.err() };
}

describe("a person's login", () => {
  test("is shown by whoami: user, role, where, by which context, and when the token ends", async () => {
    const end = Date.now() + 3_600_000;
    const made = stage({ env: { ORCH_URL: server.url, ORCH_TOKEN: token }, home: dir });
    await dispatch("token new --role user --expires 1h --json".split(" "), made.host);
    const mine = (JSON.parse(made.out()) as { token: string }).token;
    expect((await typed(`login ${server.url} --name lab`, mine)).code).toBe(0);
    const { code, out } = await typed("whoami --json");
    const me = JSON.parse(out) as {
      user: string;
      role: string;
      url: string;
      context: string;
      token_expires_ms: number;
    };
    expect([code, me.user, me.role, me.url, me.context]).toEqual([0, "admin", "user", server.url, "lab"]);
    expect(Math.abs(me.token_expires_ms - end)).toBeLessThan(60_000);
    expect((await typed("whoami")).out).toContain("context:");
    expect((await typed("whoami -q")).out).toBe("admin\n");
    expect((await typed("logs -f pod/web")).err).toEndWith("Did you mean: orch logs -f web\n");
  });

  test("is one of several, of which one is current", async () => {
    expect((await typed(`login ${server.url} --name other`, token)).code).toBe(0);
    expect((await typed("context ls -q")).out).toBe("other\nlab\n");
    expect((await typed("context use lab")).out).toBe(`lab: current (${server.url})\n`);
    expect((await typed("context ls")).out).toMatch(/^\s+NAME.*\n\* +lab.*\n +other/);
    expect(await typed("context use nope")).toEqual({
      code: 1,
      out: "",
      err: "orch: there is no context nope. See: orch context ls; make one: orch login URL\n",
    });
  });

  test("is forgotten here by logout, which names the token that stays valid", async () => {
    const { code, out } = await typed("logout");
    expect([code, out]).toEqual([
      0,
      expect.stringMatching(/^lab: logged out of .*; its token stays valid until: orch token revoke \w+\n$/) as never,
    ]);
    expect((await typed("context ls -q")).out).toBe("other\n");
    expect((await typed("context rm other")).code).toBe(0);
    expect((await typed("logout")).err).toBe("orch: not logged in anywhere\n");
    expect((await typed("context ls")).err).toBe("no contexts; make one: orch login URL\n");
  });
});

test("a join token names a directory and a share of their own where this machine has an agent", async () => {
  const line = `token new --role agent --url ${server.url} --token ${token} --data ${dir}`;
  expect((await typed(line)).out).toMatch(/^orch agent join \S+ --token \S+\n$/);
  await mkdir(join(dir, "agent"));
  await writeFile(join(dir, "agent", "identity.json"), "{}");
  const { out, err } = await typed(line);
  const more = / --name more --capacity cpu=1,memory=1GiB --data \S+-more\n$/;
  expect([out, out]).toEqual([expect.stringMatching(/^orch agent join \S+ --token \S+ /), expect.stringMatching(more)]);
  expect(err).toContain("for one more agent of this machine: the one that is here must have a share of it too");
});

describe("a person whose name is no account's", () => {
  const add = async (name: string): Promise<string> =>
    (await typed(`user add ${name} --url ${server.url} --token ${token}`)).err;
  test("is told what an account may be called", async () => {
    expect(await add("müller")).toBe(
      'orch: "müller" is not the name of a Unix account: that has a to z, digits, _, . and -, and begins with a ' +
        "letter or _. Their account may have another name: orch user add NAME --unix ACCOUNT\n",
    );
  });
  test("is told how long it may be", async () => {
    expect(await add("a".repeat(33))).toContain("it has 33 letters, and 32 are the most.");
  });
});

test("what is said on a terminal fits its width, and breaks no word", async () => {
  const here = stage({ tty: true, columns: 40, home: dir, uid, env: { ORCH_URL: server.url, ORCH_TOKEN: token } });
  expect(await dispatch(["user", "add", "müller"], here.host)).toBe(2);
  const lines = here.err().trimEnd().split("\n");
  for (const line of lines) expect(line.length).toBeLessThanOrEqual(40);
  expect(lines.map((line) => line.trim()).join(" ")).toContain("and begins with a letter or _. Their account may");
});
