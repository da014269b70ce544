// What the client makes of answers and events that are none of this protocol: an error with a hint, or a new look.

import { afterAll, beforeAll, expect, test } from "bun:test";
import type { WatchEvent } from "../../src/wire/api/watch";
import { ApiError, connect, UnreachableError } from "../../src/wire/client";
import { PROOF, serveOverTls } from "../support/over-tls";

const EVENTS = [
  '{"kind":"resync","revision":7}',
  "<html>",
  '{"kind":"dance","revision":9}',
  '{"kind":"event","revision":8}',
  '{"kind":"resync","revision":10}',
];

const EVENT = {
  id: "1",
  at_ms: 1,
  actor: "server",
  verb: "joined",
  object: "box1",
  project: null,
  node: null,
  detail: "",
};

const ANSWERS: Readonly<Record<string, () => Response>> = {
  "/v1/health": () => new Response("<html>Welcome</html>"),
  "/v1/me": () => Response.json({ user: "alice" }),
  "/v1/events": () => Response.json({ events: [EVENT, { ...EVENT, at_ms: 2 ** 60 }], next: null }),
  "/v1/nodes": () => Response.json([1, 2]),
  "/v1/watch": () => new Response(EVENTS.map((data) => `data: ${data}\n\n`).join("")),
};

let server: Bun.Server<undefined>;
beforeAll(() => {
  server = serveOverTls((request) =>
    (ANSWERS[new URL(request.url).pathname] ?? (() => new Response("no", { status: 502 })))(),
  );
});
afterAll(async () => server.stop(true));

const at = (port: number | undefined) => ({
  url: `https://127.0.0.1:${port}`,
  token: PROOF.token,
  ca: PROOF.pair.certificate_pem,
});
const client = () => connect(at(server.port));
const failureOf = async (asking: Promise<unknown>): Promise<unknown> =>
  asking.then(
    () => null,
    (error) => error,
  );

test.each([
  ["no JSON", () => client().health(), "it is not JSON"],
  ["a part of what belongs to it", () => client().me(), "role"],
  ["another thing", () => client().nodes(), "it:"],
])("an answer that is %s is a failure with a hint", async (_what, ask, why) => {
  const error = await failureOf(ask());
  expect(error).toBeInstanceOf(ApiError);
  expect((error as ApiError).message).toContain(why);
  expect((error as ApiError).hint).not.toBeNull();
});

test("a refusal that is none of orch's is one all the same", async () => {
  expect(await failureOf(client().devices())).toMatchObject({ status: 502, code: "internal" });
});

test("an event that is not understood asks for a new look, and the watch goes on", async () => {
  const seen: WatchEvent[] = [];
  for await (const event of client().watch(3)) seen.push(event);
  expect(seen.map(({ kind, revision }) => `${kind} ${revision}`)).toEqual([
    "resync 7",
    "resync 7",
    "resync 7",
    "resync 7",
    "resync 10",
  ]);
});

test("an answer that breaks off is a lost connection", async () => {
  const breaking = Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    tls: PROOF.tls,
    socket: {
      data(socket) {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"user"');
        socket.end();
      },
    },
  });
  expect(await failureOf(connect(at(breaking.port)).me())).toBeInstanceOf(UnreachableError);
  breaking.stop(true);
});

test("one entry of a list that cannot be read hides none of the others, and is told", async () => {
  const told: string[] = [];
  const events = await connect({ ...at(server.port), leftOut: (why) => void told.push(why) }).events({});
  expect(events.events.map(({ verb }) => verb)).toEqual(["joined"]);
  expect(told).toEqual([expect.stringContaining("events.1.")]);
});
