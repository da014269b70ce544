// Another account takes the port of a server that is away. Neither the client nor an agent, both root's, tells it
// anything: no token, no hello. When the server is back, all goes on.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { join } from "node:path";
import { Cluster, QUICK } from "../support/cluster";
import { Program, runOrch } from "../support/program";
import { waitUntil } from "../support/wait";

const IMPOSTOR = join(import.meta.dir, "..", "adversary", "impostor.ts");

let cluster: Cluster;
let token = "";
let joinToken = "";
let login: Record<string, string> = {};
beforeAll(async () => {
  cluster = await Cluster.start({ name: "impostor", agents: ["n1"], settings: QUICK });
  token = (await cluster.json<{ token: string }>("token", "new", "--role", "admin")).token;
  joinToken = await cluster.joinToken();
  const home = join(cluster.dir, "alice");
  await mkdir(home);
  login = { ...cluster.env, HOME: home, ORCH_DATA: join(home, "none") };
  expect((await runOrch(["login", cluster.url], login, `${token}\n`)).code).toBe(0);
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

/** The command before an impostor's: it makes it another account's, where this one may do that. */
const asAnother = (): string[] =>
  process.getuid?.() === 0 && Bun.which("setpriv") !== null
    ? ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    : [];

interface Impostor {
  readonly program: Program;
  heard(): string;
}

async function impostor(name: string, ...more: string[]): Promise<Impostor> {
  const dir = join(cluster.dir, name);
  await mkdir(dir, { mode: 0o777 });
  await chmod(dir, 0o777);
  const log = join(dir, "heard");
  const argv = [...asAnother(), Bun.which("bun") ?? process.execPath, IMPOSTOR, "--port", new URL(cluster.url).port];
  const env = { PATH: process.env["PATH"] ?? "", HOME: dir };
  const program = Program.startAs(name, [...argv, "--log", log, ...more], join(dir, "said"), env);
  await program.line(/impostor on/);
  return { program, heard: () => (existsSync(log) ? readFileSync(log, "utf8") : "") };
}

/** Puts the server's certificate, which is public, where another account can read it. */
async function publicCertificate(): Promise<string> {
  const file = join(cluster.dir, "public.pem");
  await Bun.write(file, Bun.file(join(cluster.data, "server", "certificate.pem")));
  await chmod(file, 0o644);
  return file;
}

/** The requests that an impostor has heard; a client's greeting of TLS is none. */
const requests = (heard: string): string[] =>
  [...heard.matchAll(/"heard":"([A-Z]+ \/[^ ]*) /g)].map(([, one = ""]) => one);

describe("an impostor on the server's port", () => {
  test.each([
    ["without TLS", ["--plain"], []],
    ["without TLS, that redirects", ["--plain", "--redirect", "http://127.0.0.1:9/"], []],
    ["with another key", [], ["GET /v1/bootstrap/cert"]],
    ["with another key, that shows the server's certificate", ["--shown"], ["GET /v1/bootstrap/cert"]],
    ["with another key, that redirects", ["--redirect", "https://127.0.0.1:9/"], ["GET /v1/bootstrap/cert"]],
  ])(
    "%s is told nothing",
    async (what, more, harmless) => {
      const shown = ["--certificate", await publicCertificate()];
      await chmod(cluster.dir, 0o755);
      const before = cluster.agent("n1").output();
      await cluster.server?.kill();
      const options = more.flatMap((one) => (one === "--shown" ? shown : [one]));
      const there = await impostor(what.replaceAll(/\W+/g, "-"), ...options);
      try {
        // Root finds the server and the admin's token by the data directory, alice by her context.
        for (const env of [cluster.env, login, { ...login, ORCH_URL: cluster.url, ORCH_TOKEN: token }]) {
          for (const args of [
            ["ps"],
            ["run", "--", "true"],
            ["nodes", "--url", cluster.url.replace("https", "http")],
          ]) {
            const { code, out } = await runOrch(args, env);
            expect([args[0], code, out]).toEqual([args[0]!, args[0] === "run" ? 125 : 3, ""]);
          }
        }
        const data = join(cluster.dir, `fresh ${what}`);
        const share = ["--token", joinToken, "--data", data, "--capacity", "cpu=1,memory=1GiB"];
        const fresh = ["agent", "join", cluster.url, ...share];
        expect((await runOrch(fresh, cluster.env)).code).toBe(3);
        const said = (): string => cluster.agent("n1").output().slice(before.length);
        await waitUntil("the agent to have dialled", () => /no connection to .*: TLS/.test(said()), 40_000);
      } finally {
        await there.program.kill();
      }
      const heard = there.heard();
      expect(new Set(requests(heard))).toEqual(new Set(harmless));
      for (const secret of [
        "orch1-",
        "earer",
        "hello",
        "credential",
        "signature",
        token.slice(20),
        joinToken.slice(20),
      ]) {
        expect(heard).not.toContain(secret);
      }
      await cluster.startServer();
      await waitUntil("the agent to be back", () => cluster.agent("n1").output().endsWith("joined as n1\n"), 40_000);
    },
    120_000,
  );
});
