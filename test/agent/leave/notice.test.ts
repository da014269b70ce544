// What a termination notice says and when: the answers of commands and addresses as owners of machines give them.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { askNotice, NOTICE_MS, timeLeft, watchNotice } from "../../../src/agent/leave/notice";
import { waitUntil } from "../../support/wait";

const NOW_MS = Date.parse("2026-05-01T12:00:00Z");

describe("the time that is left", () => {
  const CASES: readonly (readonly [text: string, left_ms: number])[] = [
    ["", NOTICE_MS],
    ["terminate", NOTICE_MS],
    ["30", 30_000],
    ["90s\n", 90_000],
    ["5m", 300_000],
    ["2026-05-01T12:01:30Z", 90_000],
    ['{"action": "terminate", "time": "2026-05-01T12:02:00Z"}', 120_000],
    ["NotBefore: 2026-05-01T14:00:30+02:00", 30_000],
    ["2026-05-01T12:00:10", 10_000],
    ["2026-05-01T11:59:00Z", 0],
    ["instance 4711 goes", NOTICE_MS],
  ];
  test.each(CASES)("of %j is %d ms", (text, left_ms) => expect(timeLeft(text, NOW_MS)).toBe(left_ms));
});

describe("a command", () => {
  test("says it by its exit code", async () => {
    expect(await askNotice("echo 30")).toEqual({ is: "notice", text: "30\n" });
    expect(await askNotice("echo 30; exit 3")).toEqual({ is: "none" });
    expect(await askNotice("/no/such/command")).toEqual({ is: "none" });
  });
});

/** Answers with a head that promises more than comes, and hangs up. */
function breakingServer(): Bun.TCPSocketListener<undefined> {
  return Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: {
      data(socket) {
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n30");
        socket.end();
      },
    },
  });
}

describe("an address whose answer breaks off", () => {
  let server: Bun.TCPSocketListener<undefined>;
  beforeAll(() => {
    server = breakingServer();
  });
  afterAll(() => server.stop(true));
  test("says nothing", async () => {
    expect((await askNotice(`http://127.0.0.1:${server.port}/`)).is).toBe("unknown");
  });
  test("is told once, and asked again", async () => {
    const said: string[] = [];
    const stop = watchNotice({
      source: `http://127.0.0.1:${server.port}/`,
      clock: () => 1_000,
      say: (line) => void said.push(line),
      told: () => undefined,
    });
    await waitUntil("what is wrong to be said", () => said.length > 0);
    stop();
    expect(said[0]).toContain("the termination notice cannot be asked for");
  });
});

describe("an address", () => {
  let server: Bun.Server<undefined>;
  const answers: Readonly<Record<string, [status: number, text: string]>> = {
    "/aws": [200, '{"action": "stop", "time": "2026-05-01T12:02:00Z"}'],
    "/gcp-no": [200, "FALSE"],
    "/gcp-yes": [200, "TRUE"],
    "/none": [404, "no such thing"],
    "/broken": [500, "oh"],
    "/denied": [401, ""],
  };
  beforeAll(() => {
    server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: (request) => {
        const [status, text] = answers[new URL(request.url).pathname] ?? [404, ""];
        const google = request.headers.get("metadata-flavor") === "Google";
        return new Response(google ? text : "no header", { status });
      },
    });
  });
  afterAll(async () => server.stop(true));
  test.each([
    ["/aws", "notice"],
    ["/gcp-no", "none"],
    ["/gcp-yes", "notice"],
    ["/none", "none"],
    ["/broken", "unknown"],
    ["/denied", "unknown"],
  ])("that answers as %s says %s", async (path, is) =>
    expect((await askNotice(`http://127.0.0.1:${server.port}${path}`)).is).toBe(is as "none"),
  );
  test("where nobody answers says nothing", async () => {
    expect((await askNotice("http://127.0.0.1:9/")).is).toBe("unknown");
  });
});

test("an address that fails is told once and a notice is told", async () => {
  const said: string[] = [];
  const told: (number | null)[] = [];
  const stop = watchNotice({
    source: "echo 30",
    clock: () => 1_000,
    say: (line) => void said.push(line),
    told: (until) => void told.push(until),
  });
  await waitUntil("the notice", () => told.length > 0);
  stop();
  expect([told, said]).toEqual([[31_000], []]);
  const failing = watchNotice({
    source: "http://127.0.0.1:9/",
    clock: () => 1_000,
    say: (line) => void said.push(line),
    told: (until) => void told.push(until),
  });
  await waitUntil("what is wrong to be said", () => said.length > 0);
  failing();
  expect(said[0]).toContain("the termination notice cannot be asked for");
  expect(told.length).toBe(1);
});
