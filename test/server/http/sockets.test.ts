// The port with real sockets over TLS: malformed requests get an answer of ours, streams end with the right to read
// them, and nobody can use up what all share.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { connect } from "node:tls";
import { QUOTAS } from "../../../src/core/limits";
import { parseListen } from "../../../src/server/http/listen";
import { closePort, openPort } from "../../../src/server/socket";
import { diceOf } from "../../support/random";
import { PROOF } from "../../support/over-tls";
import { waitUntil } from "../../support/wait";
import { makeStage, type Stage } from "../stage";

let stage: Stage;
let port: ReturnType<typeof openPort>;
beforeEach(async () => {
  stage = await makeStage();
  const { api, app } = stage;
  port = openPort(app, api.quotas, api.sessions.handlers, parseListen("127.0.0.1:0"), PROOF.tls);
});
afterEach(async () => {
  await closePort(port);
  await stage.close();
});

const url = (path: string): string => `https://127.0.0.1:${port.port}${path}`;
const TLS = { rejectUnauthorized: false } as const;

/** Sends bytes over TLS, and returns all that comes back until the server closes or is quiet. */
function raw(request: string | Uint8Array): Promise<string> {
  return new Promise((resolve) => {
    let answer = "";
    const socket = connect({ host: "127.0.0.1", port: port.port ?? 0, timeout: 1_000, ...TLS }, () =>
      socket.write(request),
    );
    socket.on("data", (bytes) => {
      answer += String(bytes);
      if (answer.includes("\r\n\r\n")) socket.end();
    });
    socket.on("close", () => resolve(answer));
    socket.on("error", () => resolve(answer));
    socket.on("timeout", () => socket.destroy());
  });
}

const fetched = (path: string, as: string, init: RequestInit = {}): Promise<Response> =>
  fetch(url(path), { ...init, headers: { authorization: `Bearer ${stage.tokens[as]}` }, tls: TLS } as RequestInit);

describe("a malformed request", () => {
  test.each<[string, string]>([
    ["an empty Host", "GET /v1/health HTTP/1.1\r\nHost: \r\n\r\n"],
    ["no Host", "GET /v1/health HTTP/1.1\r\n\r\n"],
    ["a Host of spaces and brackets", "GET /v1/health HTTP/1.1\r\nHost: [::\r\n\r\n"],
    ["a Host with a path", "GET /v1/health HTTP/1.1\r\nHost: a/b@c\r\n\r\n"],
    ["a Host with a wrong port", "GET /v1/health HTTP/1.1\r\nHost: localhost:99999\r\n\r\n"],
    ["an absolute address", "GET http://[/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["two stars", "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["an address with half an escape", "GET /v1/tasks/%E0%A4%A HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["an address with NUL", "GET /v1/tasks/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["a method that nobody knows", "BREW /v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n"],
    ["an Origin that is none", "GET /v1/health HTTP/1.1\r\nHost: localhost\r\nOrigin: ://\r\n\r\n"],
    ["a body that is shorter", "POST /v1/plan HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"],
    ["no HTTP at all", "\u0016\u0003\u0001 hello\r\n\r\n"],
  ])("%s is refused in words, or not answered, and is no bug", async (_what, request) => {
    const answer = await raw(request);
    expect(answer).toMatch(/^(HTTP\/1\.1 [24]\d\d |$)/);
    expect(stage.said.filter((line) => line.startsWith("bug"))).toEqual([]);
  });

  test("any bytes are, and the server goes on", async () => {
    const dice = diceOf(7);
    const parts = ["GET", "POST", " ", "/", "/v1/", "%", "%zz", "?", "&", "Host:", "localhost", ":", "\r\n", "\0", "é"];
    const more = ["Content-Length: 9", "Transfer-Encoding: chunked", "HTTP/1.1", "[::1]", "Authorization: Bearer x"];
    for (let n = 0; n < 60; n++) {
      const bytes = Array.from({ length: 1 + dice.below(30) }, () => dice.pick([...parts, ...more])).join("");
      const path = `/v1/${encodeURI(bytes.replaceAll(/[\r\n\0 ]/g, "")).slice(0, 80)}`;
      const request = dice.chance(0.5) ? bytes : `GET ${path} HTTP/1.1\r\nHost: ${dice.pick(parts)}\r\n\r\n`;
      expect(await raw(`${request}\r\n\r\n`)).not.toMatch(/^HTTP\/1\.1 5/);
    }
    expect((await fetched("/v1/health", "alice")).status).toBe(200);
    expect(stage.said.filter((line) => line.startsWith("bug"))).toEqual([]);
  }, 60_000);
});

describe("a stream", () => {
  test("leaves nothing behind after a HEAD", async () => {
    for (let n = 0; n < 20; n++) {
      const answer = await fetched("/v1/watch", "alice", { method: "HEAD" });
      expect(answer.status).toBe(405);
    }
    expect([stage.api.watch.watchers(), stage.api.longAnswers.count()]).toEqual([0, 0]);
  });

  test("ends when its token is revoked, and its place is free again", async () => {
    const made = await stage.call("POST", "/v1/tokens", {
      as: "alice",
      body: { role: "user", user: null, expires_ms: null },
    });
    const token = String(made.body["token"]);
    const answer = await fetch(url("/v1/watch"), {
      headers: { authorization: `Bearer ${token}` },
      tls: TLS,
    } as RequestInit);
    expect(answer.status).toBe(200);
    await waitUntil("the watcher to be there", () => stage.api.watch.watchers() === 1);
    stage.api.longAnswers.tick();
    expect(stage.api.longAnswers.count()).toBe(1);
    await stage.call("DELETE", `/v1/tokens/${String(made.body["id"])}`, { as: "alice" });
    stage.api.longAnswers.tick();
    expect([stage.api.watch.watchers(), stage.api.longAnswers.count()]).toEqual([0, 0]);
    await answer.text().then(
      () => null,
      (error: unknown) => error,
    );
  });

  test("is refused to a principal who has as many as one may, and to nobody else", async () => {
    const releases = Array.from({ length: QUOTAS.watchers.each }, () =>
      stage.api.quotas.take("watchers", "alice", "x"),
    );
    const refused = await fetched("/v1/watch", "alice");
    expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "10"]);
    expect(await refused.json()).toMatchObject({ error: { code: "too_many", hint: expect.any(String) } });
    const other = await fetched("/v1/watch", "bob");
    expect(other.status).toBe(200);
    await other.body?.cancel();
    releases[0]?.();
    const again = await fetched("/v1/watch", "alice");
    expect(again.status).toBe(200);
    await again.body?.cancel();
    await waitUntil("both to be gone", () => stage.api.longAnswers.count() === 0);
  });
});

describe("a socket of an agent", () => {
  test("that proves nothing does not stay for saying bytes or texts", async () => {
    const closed: number[] = [];
    for (const frame of [new Uint8Array([0, 0, 0, 0]), '{"type":"heartbeat"}', "x"]) {
      const socket = new WebSocket(url("/v1/agent").replace("https", "wss"), { tls: TLS } as unknown as string[]);
      socket.onopen = () => socket.send(frame);
      socket.onclose = ({ code }) => void closed.push(code);
    }
    await waitUntil("all to be closed", () => closed.length === 3);
    expect(closed).toEqual([4_000, 4_000, 4_000]);
  });

  test("that is silent makes way for the next one of its address, the oldest first of too many", async () => {
    const opened = (): Promise<{ socket: WebSocket; challenged: boolean }> =>
      new Promise((resolve) => {
        const socket = new WebSocket(url("/v1/agent").replace("https", "wss"), { tls: TLS } as unknown as string[]);
        socket.onmessage = () => resolve({ socket, challenged: true });
        socket.onerror = () => resolve({ socket, challenged: false });
      });
    // The rest of the quota is used by connections that make way for nobody.
    const releases = Array.from({ length: QUOTAS.greetings.source - 2 }, () =>
      stage.api.quotas.take("greetings", null, "127.0.0.1"),
    );
    const silent = [await opened(), await opened()];
    const agent = await opened();
    expect([...silent, agent].map(({ challenged }) => challenged)).toEqual([true, true, true]);
    await waitUntil("the oldest to be cut off", () => silent[0]?.socket.readyState === WebSocket.CLOSED);
    expect([silent[1]?.socket.readyState, agent.socket.readyState]).toEqual([WebSocket.OPEN, WebSocket.OPEN]);
    expect((await opened()).challenged).toBe(true);
    await waitUntil("the next one to be cut off", () => silent[1]?.socket.readyState === WebSocket.CLOSED);
    expect(agent.socket.readyState).toBe(WebSocket.OPEN);
    for (const release of releases) release();
  });

  test("is one of so many of its address that have yet to prove who they are", async () => {
    const releases = Array.from({ length: QUOTAS.greetings.source }, () =>
      stage.api.quotas.take("greetings", null, "127.0.0.1"),
    );
    const upgrade = { headers: { connection: "Upgrade", upgrade: "websocket" } };
    expect((await fetch(url("/v1/agent"), { ...upgrade, tls: TLS } as RequestInit)).status).toBe(429);
    for (const release of releases) release();
  });
});
