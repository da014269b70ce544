// What an agent makes of frames that are none of this protocol: the connection ends with a reason, the agent does not.

import { afterEach, expect, test } from "bun:test";
import { createOutgoing } from "../../../src/agent/link/outgoing";
import type { SessionOptions } from "../../../src/agent/link/link";
import { CONNECTION_TIMES } from "../../../src/core/limits";
import { ServerSession } from "../../../src/agent/link/session";
import { newProof, PROOF } from "../../support/over-tls";

const servers: Bun.Server<undefined>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.stop(true);
});

/** A server that says this to whoever connects. */
function serverSaying(frame: string | Uint8Array<ArrayBuffer>): string {
  const server = Bun.serve<undefined>({
    port: 0,
    hostname: "127.0.0.1",
    tls: PROOF.tls,
    fetch: (request, self) => (self.upgrade(request) ? undefined : new Response("no", { status: 400 })),
    websocket: { open: (socket) => void socket.send(frame), message: () => undefined },
  });
  servers.push(server);
  return `https://127.0.0.1:${server.port}`;
}

/** Only what a connection needs before the server has proven anything. */
const optionsFor = (url: string): SessionOptions =>
  ({
    url,
    certificate: PROOF.pair.certificate_pem,
    clock: () => 1_000,
    outgoing: (send) =>
      createOutgoing(send, async function* none() {
        yield* [];
      }),
  }) satisfies Partial<SessionOptions> as unknown as SessionOptions;

test.each([
  ["text that is no JSON", "<html>502 Bad Gateway</html>"],
  ["JSON that is no message", "[1]"],
  ["a message without what belongs to it", '{"type":"challenge"}'],
  ["bytes", new Uint8Array([1, 2, 3])],
])("%s ends the connection, and is no end of the agent", async (_what, frame) => {
  const ended = await new ServerSession(optionsFor(serverSaying(frame))).ended;
  expect(ended).toMatchObject({ is: "refused", code: "malformed" });
});

test("a dial that nobody answers is over within its time", async () => {
  // Accepts the connection and says nothing, as a machine that hangs does.
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  try {
    const started = performance.now();
    const ended = await new ServerSession(optionsFor(`https://127.0.0.1:${silent.port}`)).ended;
    expect(ended).toMatchObject({ is: "closed", lived: false });
    expect(performance.now() - started).toBeLessThan(CONNECTION_TIMES.open_within_ms + 2_000);
  } finally {
    silent.stop(true);
  }
}, 15_000);

test("a redirect is not followed, even if the server itself sends it", async () => {
  const heard: string[] = [];
  const other = Bun.serve<undefined>({
    port: 0,
    hostname: "127.0.0.1",
    tls: PROOF.tls,
    fetch: (request) => new Response(String(heard.push(request.url))),
  });
  const server = Bun.serve<undefined>({
    port: 0,
    hostname: "127.0.0.1",
    tls: PROOF.tls,
    fetch: () => Response.redirect(other.url.href, 307),
  });
  servers.push(other, server);
  const ended = await new ServerSession(optionsFor(server.url.origin)).ended;
  expect(ended).toMatchObject({ is: "closed", lived: false });
  expect(heard).toEqual([]);
});

test("a server that holds another key hears nothing", async () => {
  const heard: string[] = [];
  const other = await newProof();
  const server = Bun.serve<undefined>({
    port: 0,
    hostname: "127.0.0.1",
    tls: other.tls,
    fetch: (request, self) => {
      heard.push(request.url);
      return self.upgrade(request) ? undefined : new Response("no", { status: 400 });
    },
    websocket: { message: (_, data) => void heard.push(String(data)) },
  });
  servers.push(server);
  const ended = await new ServerSession(optionsFor(server.url.origin)).ended;
  expect(ended).toMatchObject({ is: "closed", why: expect.stringContaining("TLS handshake failed") as string });
  expect(heard).toEqual([]);
});
