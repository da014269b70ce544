// Which server a command talks to and as whom: the order of sources, and that no token goes where it does not belong.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contextName, readContexts, writeContext } from "../../../src/cli/cluster/contexts";
import { dataDir, normalUrl, resolveTarget, type AskedServer } from "../../../src/cli/cluster/settings";

const NOTHING: AskedServer = { url: null, token: null, data: null };
const PIN = "a".repeat(64);
const pinOf = (token: string): string | null => (token.startsWith("pinned-") ? PIN : null);
const dirs: string[] = [];
afterAll(async () => {
  await Promise.all(dirs.map((dir) => rm(dir, { recursive: true })));
});

interface Files {
  /** Contexts by name; the first one is the current one. */
  readonly contexts?: Readonly<Record<string, { url: string; token: string; pin: string | null }>>;
  readonly server?: { readonly url: string; readonly token: string | null };
}

async function person(files: Files, env: Record<string, string> = {}) {
  const home = await mkdtemp(join(tmpdir(), "orch-settings-"));
  dirs.push(home);
  for (const [name, cluster] of Object.entries(files.contexts ?? {}).toReversed()) {
    await writeContext(join(home, ".config/orch"), { name, ...cluster });
  }
  const data = join(home, "data");
  if (files.server !== undefined) {
    await mkdir(join(data, "server"), { recursive: true, mode: 0o700 });
    await writeFile(
      join(data, "server/client.json"),
      JSON.stringify({ url: files.server.url, pin: PIN, certificate: "PEM" }),
    );
    if (files.server.token !== null) await writeFile(join(data, "server/admin.token"), `${files.server.token}\n`);
  }
  const around = { env, home, hostname: "box1", uid: process.getuid?.() ?? null };
  return {
    home,
    data,
    find: (asked: Partial<AskedServer> = {}) => resolveTarget({ ...NOTHING, ...asked }, around, pinOf),
  };
}

const LAB = { url: "https://lab:4400", token: "lab-token", pin: "b".repeat(64) };
const HOME = { url: "https://home:4400", token: "home-token", pin: null };

describe("a command talks", () => {
  test("to this machine's loopback when nothing is known", async () => {
    expect(await (await person({})).find()).toEqual({
      url: "https://127.0.0.1:4400",
      token: null,
      pin: null,
      ca: null,
      context: null,
    });
  });
  test("to no server when the directory that was named holds none, unless an address is named too", async () => {
    const { find } = await person({ contexts: { lab: LAB } });
    expect(find({ data: "/nowhere" })).rejects.toThrow("/nowhere is no server's data directory");
    expect((await find({ data: "/nowhere", url: "https://lab:4400" })).token).toBe("lab-token");
  });
  test("to the current context", async () => {
    expect(await (await person({ contexts: { lab: LAB, home: HOME } })).find()).toEqual({
      ...LAB,
      ca: null,
      context: "lab",
    });
  });
  test("to what the environment names, over the context", async () => {
    const { find } = await person({ contexts: { lab: LAB } }, { ORCH_URL: "https://env:1", ORCH_TOKEN: "pinned-env" });
    expect(await find()).toEqual({ url: "https://env:1", token: "pinned-env", pin: PIN, ca: null, context: null });
  });
  test("to what a flag names, over the environment", async () => {
    const { find } = await person({}, { ORCH_URL: "https://env:1", ORCH_TOKEN: "env" });
    expect(await find({ url: "https://flag:1", token: "pinned-flag" })).toEqual({
      url: "https://flag:1",
      token: "pinned-flag",
      pin: PIN,
      ca: null,
      context: null,
    });
  });
  test("with the token that was kept for the address, whichever context is current", async () => {
    expect(await (await person({ contexts: { lab: LAB, home: HOME } })).find({ url: "https://home:4400/" })).toEqual({
      ...HOME,
      ca: null,
      context: "home",
    });
  });
  test("with the token that was kept for this machine, by whichever name of its loopback", async () => {
    const near = { ...LAB, url: "https://127.0.0.1:4400" };
    const { find } = await person({ contexts: { near } });
    expect((await find({ url: "localhost:4400" })).token).toBe(LAB.token);
    expect((await find({ url: "localhost:4401" })).token).toBe(null);
  });
  test("without a token that was kept for another address", async () => {
    expect(await (await person({ contexts: { lab: LAB } })).find({ url: "https://elsewhere:4400" })).toEqual({
      url: "https://elsewhere:4400",
      token: null,
      pin: null,
      ca: null,
      context: null,
    });
  });
  test("with the pin in a token, over a kept one", async () => {
    const { find } = await person({ contexts: { lab: LAB } });
    expect((await find({ token: "pinned-other" })).pin).toBe(PIN);
  });
  test("as admin where the server's data directory may be read", async () => {
    const { find, data } = await person({ server: { url: "https://127.0.0.1:9", token: "admin" } });
    expect(await find({ data })).toEqual({
      url: "https://127.0.0.1:9",
      token: "admin",
      pin: PIN,
      ca: "PEM",
      context: null,
    });
  });
  test("to the data directory that the environment names, over a context", async () => {
    const env: Record<string, string> = {};
    const { find, data } = await person(
      { contexts: { lab: LAB }, server: { url: "http://127.0.0.1:9", token: "admin" } },
      env,
    );
    env["ORCH_DATA"] = data;
    expect((await find()).token).toBe("admin");
  });
  test("without a token where there is no admin's to read", async () => {
    const { find, data } = await person({ server: { url: "http://127.0.0.1:9", token: null } });
    expect(await find({ data })).toEqual({
      url: "https://127.0.0.1:9",
      token: null,
      pin: PIN,
      ca: "PEM",
      context: null,
    });
  });
  test("to nobody that a broken file names", async () => {
    const { find, home } = await person({ contexts: { lab: LAB } });
    await writeFile(join(home, ".config/orch/contexts/lab.json"), "{ url: ");
    expect((await find()).url).toBe("https://127.0.0.1:4400");
  });
});

describe("a context", () => {
  test("is readable by its owner only, and is the current one from then on", async () => {
    const { home } = await person({ contexts: { lab: LAB } });
    const dir = join(home, ".config/orch");
    await writeContext(dir, { name: "home", ...HOME });
    expect((await readContexts(dir, process.getuid?.() ?? null)).map(({ name }) => name)).toEqual(["home", "lab"]);
    expect(statSync(join(dir, "contexts/home.json")).mode & 0o777).toBe(0o600);
    expect(statSync(join(dir, "contexts")).mode & 0o777).toBe(0o700);
    expect(existsSync(join(dir, "contexts/home.json.new"))).toBe(false);
  });
  test("is named after its address", () => {
    expect(["https://box1:4400", "https://10.0.0.1", "https://[::1]:4400"].map(contextName)).toEqual([
      "box1-4400",
      "10.0.0.1",
      "1-4400",
    ]);
  });
});

describe("an address", () => {
  test("is completed with https, and read as https where an older release printed http for this machine", () => {
    expect(
      ["box1:4400", "https://box1:4400/x", "127.0.0.1:4400", "localhost:1", "http://127.0.0.1:1"].map(normalUrl),
    ).toEqual([
      "https://box1:4400",
      "https://box1:4400",
      "https://127.0.0.1:4400",
      "https://localhost:1",
      "https://127.0.0.1:1",
    ]);
  });
  test("without a scheme and a port has the port of servers", () => {
    expect(["box1", "10.0.0.7", "https://box1", "box1:443"].map(normalUrl)).toEqual([
      "https://box1:4400",
      "https://10.0.0.7:4400",
      "https://box1",
      "https://box1",
    ]);
  });
  test("that is none is a usage error", () =>
    expect(() => normalUrl("ssh://box1")).toThrow("not the address of a server"));
  test("in plain HTTP beyond this machine is refused, with the address to write instead", () => {
    expect(() => normalUrl("http://10.0.0.1:4400")).toThrow("is plain HTTP");
    expect(normalUrl("http://127.0.0.2:1")).toBe("https://127.0.0.2:1");
  });
});

describe("the data directory", () => {
  const around = { env: {}, home: "/home/alice", hostname: "box1", uid: 1000 };
  test("is the flag's, then the environment's, then the account's own", () => {
    expect(dataDir("/flag", { ...around, env: { ORCH_DATA: "/env" } })).toBe("/flag");
    expect(dataDir(null, { ...around, env: { ORCH_DATA: "/env" } })).toBe("/env");
    expect(dataDir(null, around)).toBe("/home/alice/.local/share/orch/box1");
    expect(dataDir(null, { ...around, uid: 0 })).toBe("/var/lib/orch");
  });
});
