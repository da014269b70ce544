// What comes from outside is refused clearly, with its place, and never makes the server fail.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { z } from "zod";
import { ERROR_STATUS, errorBody } from "../../../src/wire/api/errors";
import { ROUTES } from "../../../src/server/routes/table";
import { machineOf, makeStage, NOW_MS, type Answer, type Stage } from "../stage";

let stage: Stage;
beforeAll(async () => {
  stage = await makeStage();
});
afterAll(async () => stage.close());

const shape = ({ status, body }: Answer): readonly unknown[] => {
  const parsed = errorBody.safeParse(body);
  if (!parsed.success) throw new Error(`not an error: ${JSON.stringify(body)}`);
  expect(status).toBe(ERROR_STATUS[parsed.data.error.code]);
  return [status, parsed.data.error.code];
};

describe("the host that a request names", () => {
  test.each(["127.0.0.1:4400", "localhost:9", "[::1]:4400", "box1", "BOX1:4400", "10.1.2.3"])(
    "%s is ours",
    async (host) => {
      expect((await stage.call("GET", "/v1/health", { headers: { host } })).status).toBe(200);
    },
  );
  test.each(["evil.example", "box1.evil.example:4400", "127.0.0.1, evil", "127.0.0.1.evil.example", "", "box2"])(
    "%p is not",
    async (host) => {
      expect(shape(await stage.call("GET", "/v1/health", { headers: { host } }))).toEqual([421, "wrong_host"]);
    },
  );
});

test("the cluster's timeline is told to who is known, also with a refusal, and to no stranger", async () => {
  const told = async (as: string | null, path: string): Promise<string | null> =>
    (await stage.call("GET", path, { as })).headers.get("x-orch-timeline");
  const { timeline } = stage.api.store.state.cluster;
  for (const path of ["/v1/me", "/v1/nodes/none"]) {
    expect([await told("vera", path), await told(null, path)]).toEqual([timeline, null]);
  }
  for (const path of ["/v1/health", "/v1/bootstrap/cert", "/v1/agent", "/v1/none", "/"]) {
    expect(await told(null, path)).toBeNull();
  }
});

describe("a page", () => {
  test.each(["http://evil.example", "https://evil.example", "null", "https://127.0.0.1:9999", "http://127.0.0.1:4400"])(
    "of %s may not ask",
    async (origin) => {
      expect(shape(await stage.call("GET", "/v1/me", { headers: { origin } }))).toEqual([403, "forbidden"]);
    },
  );
  test("of our own may", async () => {
    const headers = { host: "127.0.0.1:4400", origin: "https://127.0.0.1:4400" };
    expect((await stage.call("GET", "/v1/me", { headers })).status).toBe(200);
  });
  test("gets nothing to keep, to frame, to guess or to run", async () => {
    for (const path of ["/v1/health", "/v1/nothing", "/v1/me"]) {
      const { headers } = await stage.call("GET", path);
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("access-control-allow-origin")).toBeNull();
    }
  });
});

describe("a body", () => {
  const put = (raw: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    stage.call("POST", "/v1/validate", { raw, headers });
  const cases: readonly (readonly [string, string | Uint8Array<ArrayBuffer>, number, string])[] = [
    ["that is empty", "", 400, "the body is not of this route: text: "],
    ["that is blank", " ", 400, "the body ends where a value should be (line 1, column 2)"],
    ["that is not JSON", '{ "text": }', 400, "the body is not JSON here: a value should be (line 1, column 11)"],
    ["that is not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), 400, "the body is not UTF-8 at byte 1"],
    ["that is too deep", `{"text":${"[".repeat(100)}${"]".repeat(100)}}`, 400, "deeper than 64 levels"],
    ["of another type", '"text"', 400, "expected object"],
    ["with a key of another type", '{"text":1,"file":"f"}', 400, "text: "],
    ["without a key", '{"file":"f"}', 400, "text: "],
    ["with a key that nobody knows", '{"text":"app: a","file":"f","colour":1}', 400, "colour"],
    ["with a key from JavaScript's depths", '{"text":"app: a","file":"f","__proto__":{"a":1}}', 400, "__proto__"],
    ["that is too large", JSON.stringify({ text: "a".repeat(1_100_000), file: "f" }), 413, "larger than 1048576 bytes"],
  ];
  test.each(cases)("%s is refused", async (_what, raw, status, message) => {
    const answer = await put(raw);
    expect(shape(answer)[0]).toBe(status);
    expect(answer.body.error?.message).toContain(message);
  });
  test.each([
    "text/plain",
    "application/x-www-form-urlencoded",
    "application/json; charset=latin1",
    "multipart/form-data; boundary=a",
  ])("as %s is refused", async (type) => {
    expect(shape(await put("{}", { "content-type": type }))).toEqual([415, "unsupported"]);
  });
  test("with a spec that is wrong gives every error with its place", async () => {
    const answer = await put(
      JSON.stringify({ text: "app: A\nservices:\n  api: { run: x, replica: 2 }\n", file: "web.yaml" }),
    );
    expect(shape(answer)).toEqual([422, "spec"]);
    expect(answer.body.error?.message).toStartWith("web.yaml:1:6: app");
    const issues = answer.body.error?.issues as { line: number; column: number; hint: string | null }[];
    expect(issues.length).toBe(2);
    expect(issues[1]).toMatchObject({ line: 3, hint: expect.stringContaining("replicas") });
  });
});

describe("an address", () => {
  test.each([
    ["GET", "/v1/nothing"],
    ["GET", "/"],
    ["GET", "/v1/apps/lab"],
    ["GET", "/v1/tasks/x/y/z"],
  ])("%s %s leads nowhere", async (method, path) =>
    expect(shape(await stage.call(method, path))).toEqual([404, "not_found"]),
  );
  test.each([
    ["PATCH", "/v1/apps", "GET"],
    ["POST", "/v1/nodes", "GET"],
    ["DELETE", "/v1/runs/1", "GET"],
    ["GET", "/v1/runs/1/cancel", "POST"],
    ["PUT", "/v1/nodes/box1/drain", "GET, POST"],
    ["POST", "/v1/apps/lab/web", "PUT, GET, DELETE"],
    ["HEAD", "/v1/watch", "GET"],
    ["OPTIONS", "/v1/runs", "POST, GET"],
  ])("%s %s is told the methods that are there", async (method, path, allow) => {
    const answer = await stage.call(method, path);
    // An answer to HEAD has no body.
    const code = method === "HEAD" ? undefined : "method_not_allowed";
    expect([answer.status, answer.body.error?.code, answer.headers.get("allow")]).toEqual([405, code, allow]);
  });
  test("that is too long is refused", async () => {
    expect(shape(await stage.call("GET", `/v1/tasks/${"a".repeat(9_000)}`))).toEqual([413, "too_large"]);
  });
  test.each(["?limit=-1", "?limit=1e9x", "?all=perhaps", "?nothing=1", "?next=soon", "?limit=1&limit=2"])(
    "with the query %s is refused",
    async (query) => {
      expect(shape(await stage.call("GET", `/v1/tasks${query}`))).toEqual([400, "bad_request"]);
    },
  );
});

describe("whatever comes", () => {
  /** The same texts at every run: a small generator of its own. */
  const random = (seed: number) => () => {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
    return seed / 2 ** 32;
  };
  const VALUES: readonly unknown[] = [
    null,
    true,
    -1,
    1e308,
    2 ** 53,
    "",
    "\u0000",
    "a".repeat(5_000),
    "../../etc/passwd",
    "💥\ud800",
    [],
    [[]],
    {},
    { a: { b: {} } },
    "1",
    "NaN",
    ["x"],
    { constructor: 1, toString: 2 },
  ];
  const KEYS = [
    "text",
    "file",
    "revision",
    "name",
    "project",
    "job",
    "wait_for_nodes",
    "replicas",
    "signal",
    "deadline_ms",
    "reason",
    "set",
    "remove",
    "fenced",
    "role",
    "user",
    "expires_ms",
    "unix_user",
    "public_key",
    "machine",
    "run",
    "command",
    "constructor",
  ];
  /** What gets past the first checks. */
  const PLAUSIBLE: Readonly<Record<string, readonly unknown[]>> = {
    text: [
      "app: web\nservices: { a: { run: x } }",
      "app: web\njobs: { a: { run: x, after: [a] } }",
      "- 1",
      "a: *b",
      "{".repeat(99),
    ],
    file: ["f.yaml"],
    name: ["x", "a-b", "admin"],
    project: [null, "lab", "💥"],
    wait_for_nodes: [true, false],
    revision: [null, 0, 7],
    job: [
      { run: "x" },
      { command: [] },
      { command: ["\u0000"] },
      { run: "x", resources: { gpu: "9999" } },
      { run: "x", after: ["1"] },
      { run: "x", env: { "A=B": "c" } },
      { run: "x", nodes: 1e6 },
      { run: { run: {} } },
    ],
    signal: [null, "KILL", "sigterm"],
    set: [{}, { a: "b" }, [{ key: "k", value: "", effect: "prefer_not" }], { os: "x" }],
    remove: [[], ["a"]],
    role: ["agent", "user"],
    user: [null, "alice"],
    expires_ms: [null, 1],
    unix_user: [null, "x"],
    public_key: ["k"],
    replicas: [0, 10_001],
    fenced: [true],
    deadline_ms: [null, 5],
    reason: [null, "r"],
    machine: [machineOf("m"), { ...machineOf("m"), facts: {} }],
  };
  const QUERIES = ["limit", "next", "all", "since_ms", "app", "stream", "object", "user"];
  const REFS = [
    "%00",
    "%ff",
    "..%2f..",
    "a.b.c.d.e",
    "1_2.3%234",
    "9".repeat(15),
    "%F0%9F%92%A5",
    "a".repeat(300),
    "-",
    "deadbeef",
    "lab",
    "web",
    "a",
    "1",
    "web.a.0",
    "m",
  ];

  test("the server answers, and never with a failure of its own", async () => {
    const next = random(7);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
    for (let n = 0; n < 600; n++) {
      const route = pick(ROUTES);
      if (route.answer === "text/event-stream") continue;
      const path = route.path.replaceAll(/\{\w+\}/g, () => pick(REFS));
      const keys =
        route.body instanceof z.ZodObject && next() < 0.9
          ? Object.keys(route.body.shape)
          : Array.from({ length: Math.floor(next() * 6) }, () => pick(KEYS));
      const body = Object.fromEntries(
        keys.map((key) => [key, next() < 0.7 ? pick(PLAUSIBLE[key] ?? VALUES) : pick(VALUES)]),
      );
      const query =
        next() < 0.3
          ? `?${pick(QUERIES)}=${encodeURIComponent(JSON.stringify(pick(VALUES)).slice(0, 50).toWellFormed())}`
          : "";
      const answer = await stage.call(route.method, path + query, {
        as: pick(["admin", "alice", "agent"]),
        ...(route.body === null ? {} : { body }),
      });
      expect({
        asked: `${route.method} ${path}${query} ${JSON.stringify(body).slice(0, 300)}`,
        failed: answer.status >= 500 && answer.status !== 503,
      }).toMatchObject({ failed: false });
    }
    expect(stage.said.filter((line) => line.startsWith("bug"))).toEqual([]);
  });
});

describe("a change that is asked for twice", () => {
  const key = (text: string) => ({ "idempotency-key": text });
  const add = (name: string, headers: Record<string, string>, as = "admin") =>
    stage.call("POST", "/v1/users", { as, headers, body: { name, role: "user", unix_user: null, project: null } });

  test("has one effect and one answer", async () => {
    const first = await add("dora", key("aaaaaaaa1"));
    const again = await add("dora", key("aaaaaaaa1"));
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect((await add("dora", key("aaaaaaaa2"))).status).toBe(409);
  });
  test("gives the same token, though no secret was kept", async () => {
    const make = () =>
      stage.call("POST", "/v1/tokens", {
        headers: key("bbbbbbbb1"),
        body: { role: "agent", user: null, expires_ms: null },
      });
    const [first, again] = [await make(), await make()];
    expect(again.body).toEqual(first.body);
    expect((await stage.call("POST", "/v1/join", { as: again.body["token"] as string, body: {} })).status).toBe(400);
  });
  test("runs a job once", async () => {
    const run = (headers: Record<string, string>) =>
      stage.call("POST", "/v1/runs", {
        headers,
        as: "alice",
        body: { name: "once", project: null, job: { run: "true" }, wait_for_nodes: true },
      });
    const [first, again, other] = [
      await run(key("cccccccc1")),
      await run(key("cccccccc1")),
      await run(key("cccccccc2")),
    ];
    expect(again.body["run"]).toBe(first.body["run"]);
    expect(other.body["run"]).not.toBe(first.body["run"]);
  });
  test("is answered again also when it would be refused by now", async () => {
    const text = "app: late\nservices: { api: { run: x } }\n";
    const apply = () =>
      stage.call("PUT", "/v1/apps/lab/late", {
        as: "alice",
        headers: key("eeeeeeee1"),
        body: { text, file: "f", revision: 0 },
      });
    const first = await apply();
    expect([first.status, (await apply()).body]).toEqual([200, first.body]);
    const fresh = await stage.call("PUT", "/v1/apps/lab/late", {
      as: "alice",
      headers: key("eeeeeeee2"),
      body: { text, file: "f", revision: 0 },
    });
    expect(fresh.body.error?.code).toBe("changed_meanwhile");
  });
  test("is refused when it is another request, but may be another person's", async () => {
    await add("emil", key("dddddddd1"));
    expect(shape(await add("fred", key("dddddddd1")))).toEqual([409, "key_reused"]);
    expect(
      (
        await stage.call("POST", "/v1/tokens", {
          as: "alice",
          headers: key("dddddddd1"),
          body: { role: "user", user: null, expires_ms: null },
        })
      ).status,
    ).toBe(200);
  });
  const RANDOM = "0123456789abcdef0123";
  const bad: readonly (readonly [string, string, number, string])[] = [
    ["dated and too old", `${NOW_MS - 86_400_001}---${RANDOM}`, 410, "gone"],
    ["dated and from the future", `${NOW_MS + 3_600_000}---${RANDOM}`, 410, "gone"],
    ["for another database", `${NOW_MS}-${"ab".repeat(16)}-${RANDOM}`, 409, "conflict"],
    ["empty", "", 400, "bad_request"],
    ["too long", "k".repeat(256), 400, "bad_request"],
    ["not ASCII", "schl\u00fcssel", 400, "bad_request"],
    ["with a tab", "a\tb", 400, "bad_request"],
  ];
  test.each(bad)("is refused when its key is %s", async (_what, idempotency, status, code) => {
    expect(shape(await add("gina", { "idempotency-key": idempotency }))).toEqual([status, code]);
  });
  test("takes a key of this database", async () => {
    const { timeline } = stage.api.store.state.cluster;
    expect((await add("hugo", { "idempotency-key": `${NOW_MS}-${timeline}-${RANDOM}` })).status).toBe(200);
  });
  const any: readonly (readonly [name: string, text: string])[] = [
    ["a-key", "my-key"],
    ["a-uuid", "6f1c2a3e-9d0b-4b7e-8a55-0c9d2f4e7b18"],
    ["a-quoted", '"6f1c2a3e"'],
    ["a-letter", "x"],
    ["a-sentence", "deploy of 12:00, third try (#3) {web} ~"],
    ["a-dated-text", "1732900000-ab-deploy_web01"],
    ["a-time", `${NOW_MS - 90_000_000}-nightly`],
    ["a-long", "k".repeat(255)],
  ];
  test.each(any)("may have any text as its key: %s", async (name, text) => {
    const first = await add(name, key(text));
    expect([first.status, (await add(name, key(text))).body]).toEqual([200, first.body]);
    const other = await add("somebody-else", key(text));
    expect(shape(other)).toEqual([409, "key_reused"]);
    expect(other.body.error?.message).toContain(text);
  });
  test("whose request was refused is free for the next one", async () => {
    expect(shape(await add("UPPER", key("after-a-refusal")))).toEqual([400, "bad_request"]);
    expect((await add("upper", key("after-a-refusal"))).status).toBe(200);
  });
});
