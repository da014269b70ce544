// What a termination notice says and when: the answers of commands and addresses as owners of machines give them.

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { askNotice, NOTICE_MS, timeLeft, watchNotice } from "../../../src/agent/leave/notice";
import { SECOND_MS } from "../../../src/core/units";
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

/** Timers of 5 seconds, after which is asked again, are over at once. */
function askingAtOnce(): void {
  const real = globalThis.setTimeout;
  let timers: ReturnType<typeof spyOn>;
  beforeEach(() => {
    const quick = (run: () => void, ms?: number) => real(run, ms === 5 * SECOND_MS ? 1 : ms);
    timers = spyOn(globalThis, "setTimeout").mockImplementation(quick as typeof setTimeout);
  });
  afterEach(() => void timers.mockRestore());
}

let asked = 0;
/** Answers with a head that promises more than comes, and hangs up. */
function breakingServer(): Bun.TCPSocketListener<undefined> {
  return Bun.listen({
    port: 0,
    hostname: "127.0.0.1",
    socket: {
      data(socket) {
        asked++;
        socket.write("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n30");
        socket.end();
      },
    },
  });
}

describe("an address whose answer breaks off", () => {
  askingAtOnce();
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
    const before = asked;
    await waitUntil("it to be asked again and again", () => asked > before + 3);
    stop();
    expect(said).toEqual([expect.stringContaining("the termination notice cannot be asked for") as string]);
  });
});

describe("a notice that is watched", () => {
  askingAtOnce();
  const dir = mkdtempSync(join(tmpdir(), "orch-notice-"));
  const [notice, log] = [join(dir, "notice"), join(dir, "asked")];
  afterAll(() => rmSync(dir, { recursive: true }));

  test("is told when it comes and when it comes sooner, not when it is said again, and is taken back", async () => {
    const told: (number | null)[] = [];
    const times = (): number => readFileSync(log, "utf8").length;
    const askedAgain = async (): Promise<void> => {
      const before = times();
      // The second of these has read what was there before the first one ended.
      await waitUntil("two more questions", () => times() > before + 2);
    };
    writeFileSync(log, "");
    writeFileSync(notice, "60");
    const stop = watchNotice({
      source: `printf x >> ${log}; cat ${notice}`,
      clock: () => 1_000,
      say: () => undefined,
      told: (until_ms) => void told.push(until_ms),
    });
    await waitUntil("the notice", () => told.length === 1);
    for (const text of ["60", "90"]) {
      writeFileSync(notice, text);
      await askedAgain();
    }
    writeFileSync(notice, "30");
    await waitUntil("the sooner one", () => told.length === 2);
    rmSync(notice);
    await waitUntil("its end", () => told.length === 3);
    await askedAgain();
    stop();
    expect(told).toEqual([61_000, 31_000, null]);
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
