// The client against a real server on the loopback: pinned, patient when a connection breaks, clear when nobody
// answers.

import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeCertificate } from "../../src/server/access/certificate";
import { startServer, StartError, type RunningServer } from "../../src/server/server";
import { ApiError, connect, UnreachableError, type Client, type ConnectOptions } from "../../src/wire/client";
import { fetchCertificate, pinOf } from "../../src/wire/pinned";
import { parseToken } from "../../src/wire/token";
import { PROOF, serveOverTls } from "../support/over-tls";

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-client-"));
});
afterAll(async () => rm(dir, { recursive: true }));

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function start(name: string, listen = "127.0.0.1:0", said: string[] = []): Promise<RunningServer> {
  const server = await startServer({
    data_dir: join(dir, name),
    listen,
    hosts: [],
    approve: false,
    settings: {},
    version: "0.1.0",
    say: (line) => void said.push(line),
  });
  closing.push(() => server.stop());
  return server;
}

const read = (name: string, file: string): Promise<string> => readFile(join(dir, name, "server", file), "utf8");
const clientJson = async (name: string) =>
  JSON.parse(await read(name, "client.json")) as { url: string; pin: string; certificate: string };

async function admin(name: string): Promise<Client> {
  const { url, pin } = await clientJson(name);
  return connect({ url, pin, token: (await read(name, "admin.token")).trim() });
}

/** The options of a client that trusts the pretended server at a port. */
const trusting = (port: number | undefined): ConnectOptions => ({
  url: `https://127.0.0.1:${port}`,
  token: PROOF.token,
  ca: PROOF.pair.certificate_pem,
});

/** The message with which a server does not start. */
const refusalOf = (starting: Promise<unknown>): Promise<string> =>
  starting.then(
    () => "it started",
    (error: unknown) => (error instanceof StartError ? error.message : `not foreseen: ${String(error)}`),
  );

async function failureOf(work: Promise<unknown>): Promise<ApiError | UnreachableError> {
  const error = await work.then(
    () => null,
    (reason: unknown) => reason,
  );
  if (error instanceof ApiError || error instanceof UnreachableError) return error;
  throw new Error(`neither refused nor unreachable: ${String(error)}`);
}

describe("a server", () => {
  test("says once what one needs to know, and keeps it to its owner", async () => {
    const said: string[] = [];
    const server = await start("first", "127.0.0.1:0", said);
    expect(server.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/);
    expect(said).toEqual([
      `admin token: ${join(dir, "first", "server", "admin.token")}`,
      `listening on ${server.url}`,
      expect.stringMatching(
        /^one more agent, on this machine: orch agent join https:\S+ --token orch1-\w{96} --name more /,
      ),
      expect.stringMatching(/^other machines: none can reach it yet: .*--listen 0\.0\.0\.0:4400$/),
    ]);
    for (const file of ["admin.token", "key.pem", "certificate.pem", "client.json", "orch.db"]) {
      expect((await stat(join(dir, "first", "server", file))).mode & 0o777).toBe(0o600);
    }
    expect((await stat(join(dir, "first", "server"))).mode & 0o777).toBe(0o700);
    await server.stop();
    await server.stopped;
    const again: string[] = [];
    await start("first", "127.0.0.1:0", again);
    const more = "more machines: orch token new --role agent";
    expect(again).toEqual([expect.stringMatching(/^listening on /), more]);
    expect((await (await admin("first")).me()).user).toBe("admin");
  });
  test("keeps its key, cluster and people over a restart", async () => {
    const first = await start("same");
    const before = await (await admin("same")).me();
    await first.stop();
    const second = await start("same");
    expect([second.pin, (await (await admin("same")).me()).cluster_id]).toEqual([first.pin, before.cluster_id]);
  });
  test("reads its settings, and refuses those that it does not know", async () => {
    const first = await start("settings");
    await first.stop();
    const file = join(dir, "settings", "server", "settings.yaml");
    for (const [text, message] of [
      ["replace_affter: 10s", "replace_affter is no setting"],
      ["replace_after: soon", "not a duration"],
      ["- 1", "not a map"],
      ["port_range: 9..1", "not two ports"],
      ["lost_after: 1s", "lost_after is shorter"],
      ["hosts: 1", "hosts is no name"],
    ] as const) {
      await writeFile(file, text);
      expect(await refusalOf(start("settings"))).toContain(message);
    }
    await writeFile(file, "replace_after: 10s\nreject_limit: 3\nport_range: 20000..20100\nhosts: [lab]\n");
    await start("settings");
  });
  test.each([
    ["nonsense", "is not an address"],
    ["127.0.0.1:99999", "is not an address"],
    ["192.0.2.1:0", "192.0.2.1"],
  ])("does not listen on %s", async (listen, message) => {
    const error = await start(`bad-${listen.length}`, listen).then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).message).toContain(message);
    expect((error as StartError).hint).not.toBeNull();
  });
  test("says that a port, or a directory, is in use", async () => {
    const { url } = await start("port");
    expect(await refusalOf(start("port2", new URL(url).host))).toContain("is in use by another program");
    expect(await refusalOf(start("port"))).toContain("is in use by another server");
  });
  test("says that its directory cannot be there", async () => {
    await writeFile(join(dir, "file"), "");
    expect(await refusalOf(start("file"))).toContain("is not a directory");
  });
  test("does not go on with a key that is gone", async () => {
    const first = await start("key");
    await first.stop();
    await rm(join(dir, "key", "server", "key.pem"));
    expect(await refusalOf(start("key"))).toContain("is gone, and every token");
  });
  test("does not start where certificates are not checked", async () => {
    process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
    const refused = start("unchecked").then(
      () => null,
      (error: unknown) => error,
    );
    delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    expect(await refused).toBeInstanceOf(StartError);
  });
});

describe("over TLS", () => {
  test("the certificate is for any time, and its hash is in every token", async () => {
    const server = await start("tls");
    expect(server.url).toStartWith("https://");
    const { url, pin, certificate } = await clientJson("tls");
    expect([pinOf(certificate), await fetchCertificate(url, pin)]).toEqual([pin, certificate]);
    const { validFrom, validTo } = new X509Certificate(certificate);
    expect([new Date(validFrom).getTime(), new Date(validTo).getUTCFullYear()]).toEqual([0, 9999]);
    expect(parseToken((await read("tls", "admin.token")).trim())?.pin).toBe(pin);
    const me = await (await admin("tls")).me();
    expect(me.role).toBe("admin");
    const made = await (await admin("tls")).newToken({ role: "agent", user: null, expires_ms: null });
    expect(made.join).toStartWith(`orch agent join ${server.url} --token orch1-`);
    expect(
      await fetch(url.replace("https", "http")).then(
        () => "answered",
        () => "refused",
      ),
    ).toBe("refused");
  });
  test("what speaks plain HTTP to the port gets a closed connection, and no word", async () => {
    const server = await start("plain");
    const { promise, resolve } = Promise.withResolvers<string>();
    let heard = "";
    await Bun.connect({
      hostname: "127.0.0.1",
      port: Number(new URL(server.url).port),
      socket: {
        open: (socket) => void socket.write("GET /v1/health HTTP/1.1\r\nhost: localhost\r\n\r\n"),
        data: (_, bytes) => {
          heard += bytes.toString("latin1");
        },
        close: () => resolve(heard),
      },
    });
    expect(await promise).toBe("");
  });
  test("a server that holds another key gets no token", async () => {
    await start("pinned");
    const { pin, certificate } = await clientJson("pinned");
    const token = (await read("pinned", "admin.token")).trim();
    const own = await makeCertificate("02");
    const heard: (string | null)[] = [];
    const rogue = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      tls: { key: own.key_pem, cert: own.certificate_pem },
      fetch: (request) => {
        heard.push(request.headers.get("authorization"));
        // It gives the right certificate away, which proves nothing: it has not the key.
        return new Response(heard.length === 1 ? own.certificate_pem : certificate);
      },
    });
    closing.push(() => rogue.stop(true));
    const url = `https://127.0.0.1:${rogue.port}`;
    const first = await failureOf(connect({ url, pin, token }).me());
    expect([first.name, first.message]).toEqual([
      "UnreachableError",
      expect.stringContaining("is not the server of this token"),
    ]);
    const second = await failureOf(connect({ url, pin, token }).me());
    expect([second.name, second.message]).toEqual([
      "UnreachableError",
      expect.stringContaining("its certificate differs"),
    ]);
    const known = await failureOf(connect({ url, ca: certificate, token }).me());
    expect(known.message).toContain("its certificate differs");
    expect(heard.filter((header) => header !== null)).toEqual([]);
  });
  test("nothing is sent without something to check the server by", async () => {
    const server = await start("blind");
    const error = await failureOf(connect({ url: server.url, token: "orch1-x" }).me());
    expect(error.message).toStartWith("nothing proves who answers");
  });
});

describe("a client", () => {
  test("hears at once that nobody is there, and what to do", async () => {
    const server = await start("gone");
    const client = await admin("gone");
    await server.stop();
    const error = await failureOf(client.me());
    expect([error.name, error.message]).toEqual(["UnreachableError", `no server answers at ${server.url}`]);
    expect(error.hint).toContain("orch server");
  });
  test("asks again when a connection breaks, under the same key", async () => {
    const keys: (string | null)[] = [];
    const flaky = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      tls: PROOF.tls,
      socket: {
        data(socket, data) {
          keys.push(/idempotency-key: (\S+)/i.exec(data.toString())?.[1] ?? null);
          if (keys.length < 3) socket.terminate();
          else
            socket.end('HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\n\r\n{"revision":5}');
        },
      },
    });
    closing.push(async () => flaky.stop(true));
    const client = connect(trusting(flaky.port));
    expect(await client.removeUser("carl")).toEqual({ revision: 5 });
    expect(keys.length).toBe(3);
    expect(new Set(keys).size).toBe(1);
    expect(keys[0]).toMatch(/^\d{13}---[0-9a-f]{20}$/);
  });
  test("takes the server's word for the time when its own clock is off", async () => {
    const keys: number[] = [];
    const later = serveOverTls((request) => {
      keys.push(Number(request.headers.get("idempotency-key")?.split("-")[0]));
      if (keys.length > 1) return Response.json({ revision: 1 });
      return Response.json(
        { error: { code: "gone", message: "old", hint: null, issues: [] } },
        { status: 410, headers: { date: new Date(Date.now() + 7 * 86_400_000).toUTCString() } },
      );
    });
    closing.push(() => later.stop(true));
    expect(await connect(trusting(later.port)).removeUser("carl")).toEqual({ revision: 1 });
    expect(Math.round((keys[1]! - keys[0]!) / 86_400_000)).toBe(7);
  });
  test("gives a refusal with its code, its hint and every issue", async () => {
    await start("refusing");
    const client = await admin("refusing");
    const error = await failureOf(client.validate({ text: "app: web\nservices: { api: {} }\n", file: "web.yaml" }));
    expect(error).toMatchObject({ name: "ApiError", status: 422, code: "spec", issues: [{ line: 2 }] });
    expect(
      await failureOf(connect({ url: client.url, pin: (await clientJson("refusing")).pin, token: "orch1-wrong" }).me()),
    ).toMatchObject({
      status: 401,
      code: "unauthenticated",
    });
  });
  test("knows when it is not orch that answers", async () => {
    const other = serveOverTls(() => new Response("<h1>hello</h1>", { status: 404 }));
    closing.push(() => other.stop(true));
    const error = await failureOf(connect(trusting(other.port)).me());
    expect(error.message).toContain("not orch's");
  });
  test("watches what others do", async () => {
    await start("watching");
    const client = await admin("watching");
    const abort = new AbortController();
    const seen: string[] = [];
    const { revision } = await client.me();
    await client.addUser({ name: "carl", role: "user", unix_user: null, accounts: [], project: null, again: false });
    for await (const event of client.watch(revision, abort.signal)) {
      if (event.kind === "event") seen.push(event.event.object);
      if (seen.length === 1) await client.removeUser("carl");
      if (seen.length === 2) break;
    }
    abort.abort();
    expect(seen).toEqual(["carl", "carl"]);
  });
});
