// The reference of the API is true: every line of curl on it runs as it stands against a real server, and the client in
// Python does what it says. All answers and refusals keep the rules of the page.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ROUTES } from "../../src/server/routes/table";
import { errorBody, type ErrorCode } from "../../src/wire/api/errors";
import { Cluster, QUICK } from "../support/cluster";
import { isAlive, processesOf, signal } from "../support/processes";
import { waitUntil } from "../support/wait";

const PAGE = readFileSync(join(import.meta.dir, "..", "..", "docs/reference/api.md"), "utf8");
const APP = "app: shop\nservices:\n  web: { run: exec sleep 3600, replicas: 2 }\njobs:\n  prep: { run: date }\n";

/** The lines of the page by their routes, in its order. */
const LINES = [...PAGE.matchAll(/^### (\S+ \/v1\S*)\n[^#]*?^ {4}(curl .+)$/gm)].map(([, route = "", line = ""]) => ({
  route,
  line,
}));
/** Their subject needs a node's agent of the test's own making: test/server/http/orphans-page.test.ts runs them. */
const ELSEWHERE = ["POST /v1/nodes/{node}/orphans/{uid}/stop", "POST /v1/nodes/{node}/orphans/{uid}/adopt"];

let cluster: Cluster;
let env: Record<string, string>;

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: string;
}

/** Runs a line of curl in a shell, as a reader of the page would. A stream is cut off after a second. */
async function shell(line: string, more: Record<string, string> = {}): Promise<Answer> {
  const written = `${line} -D headers -m 1 -w '\\n%{http_code}'`;
  const child = Bun.spawn(["sh", "-c", /watch/.test(line) ? written : written.replace("-m 1", "-m 20")], {
    cwd: cluster.dir,
    env: { ...env, ...more },
    stdout: "pipe",
    stderr: "ignore",
  });
  const out = await new Response(child.stdout).text();
  const [, text = "", status = ""] = /^([^]*)\n(\d+)$/.exec(out) ?? [];
  return { status: Number(status), text, headers: readFileSync(join(cluster.dir, "headers"), "utf8").toLowerCase() };
}

const curl = (method: string, path: string, data?: string): Promise<Answer> =>
  shell(`curl -K orch.curl -X ${method} "$ORCH_URL${path}"${data === undefined ? "" : ` -d '${data}'`}`);

beforeAll(async () => {
  cluster = await Cluster.start({ name: "api", settings: QUICK });
  await cluster.startAgent("box1", "--device", "fake:A100:80GB");
  await cluster.startAgent("box2");
  await cluster.ready();
  // The beginning of the page: its file for curl, with the answer's own values.
  const made = await cluster.json<{ token: string; pinned_key: string }>("token", "new", "--role", "admin");
  const [, config = ""] = /cat >orch\.curl <<'END'\n([^]*?)\n {4}END/.exec(PAGE) ?? [];
  const text = config.replaceAll(/^ {4}/gm, "").replace("orch1-…", made.token).replace("sha256//…=", made.pinned_key);
  writeFileSync(join(cluster.dir, "orch.curl"), `${text}\n`, { mode: 0o600 });
  env = { ...cluster.env, ORCH_URL: cluster.url, ORCH_TOKEN: made.token };
}, 60_000);
afterAll(async () => expect(await cluster.close()).toEqual([]));

test("the page has a line for every route but those that agents speak", () => {
  const all = ROUTES.map(({ method, path }) => `${method} ${path}`).filter((one) => !/\/v1\/(agent|join)$/.test(one));
  expect(LINES.map(({ route }) => route).toSorted()).toEqual(all.toSorted());
});

test("curl refuses a server that holds another key, before it says a word", () => {
  const config = readFileSync(join(cluster.dir, "orch.curl"), "utf8");
  writeFileSync(join(cluster.dir, "other.curl"), config.replace(/sha256\/\/..../, "sha256//AAAA"));
  const asked = Bun.spawnSync(["sh", "-c", 'curl -K other.curl "$ORCH_URL/v1/me"'], { cwd: cluster.dir, env });
  expect(asked.exitCode).toBe(90);
});

/** What makes the world in which the lines of the page have a subject. Returns the variables of its shell. */
async function world(): Promise<Record<string, string>> {
  await cluster.ok("user", "add", "alice");
  expect((await cluster.apply(APP)).code).toBe(0);
  await cluster.until("the replicas", (all) => all.filter(({ state }) => state === "running").length === 2);
  const { id } = await cluster.json<{ id: string }>("token", "new", "--role", "viewer");
  const { devices } = await cluster.client().devices();
  const run = await cluster.ok("run", "-d", "--cpu", "20m", "--memory", "16MiB", "--", "sleep", "3600");
  const part = "what a run reads\n";
  await Bun.write(join(cluster.dir, "part"), part);
  const SHA256 = new Bun.CryptoHasher("sha256").update(part).digest("hex");
  return { RUN: run.trim(), TOKEN_ID: id, CARD: devices[0]?.id ?? "", SHA256, BYTES: String(part.length) };
}

/** Starts a job whose end nobody will know, since its keeper is killed, and ends it. */
async function unknownRun(): Promise<string> {
  const gate = join(cluster.dir, `gate-${process.hrtime.bigint()}`);
  const script = `while [ ! -e ${gate} ]; do sleep 0.1; done`;
  const run = (await cluster.ok("run", "-d", "--cpu", "20m", "--memory", "16MiB", "-c", script)).trim();
  const found = await cluster.until("it to run", (all) =>
    all.some((one) => String(one.run) === run && one.pid !== null),
  );
  const task = found.find((one) => String(one.run) === run);
  const keeper = processesOf(cluster.dataOf(task?.node ?? "")).find(({ command }) => / keeper /.test(command));
  signal(keeper!, "SIGKILL");
  await waitUntil("the keeper to be dead", () => !isAlive(keeper!.pid));
  await Bun.write(gate, "");
  await waitUntil("the run to ask", async () => (await cluster.client().runInfo(run)).unknown === 1, 30_000);
  return run;
}

/** Starts an agent of this name that waits for an operator's approval. */
async function waitingNode(name: string): Promise<void> {
  const made = await cluster.json<{ token: string }>("token", "new", "--role", "agent", "--approve");
  const args = ["agent", "join", cluster.url, "--token", made.token, "--name", name, "--capacity", "cpu=1,memory=1GiB"];
  cluster.program(name, [...args, "--data", cluster.dataOf(name)]);
  await waitUntil(`${name} to wait`, async () => (await cluster.nodes()).some((node) => node.name === name));
}

/** What has to be before the line of a route: changed variables of the shell, and another name for `box1`. */
const BEFORE: Readonly<
  Record<string, () => Promise<{ readonly vars?: Record<string, string>; readonly node?: string }>>
> = {
  "POST /v1/runs/{run}/retry": async () => ({ vars: { RUN: await unknownRun() } }),
  "POST /v1/runs/{run}/settle": async () => ({ vars: { RUN: await unknownRun() } }),
  "POST /v1/nodes/{node}/approve": () => waitingNode("box3").then(() => ({ node: "box3" })),
  "POST /v1/nodes/{node}/refuse": () => waitingNode("box4").then(() => ({ node: "box4" })),
  "POST /v1/nodes/{node}/forget": async () => {
    await cluster.killMachine("box1");
    await waitUntil("box1 to be silent", async () => (await cluster.client().node("box1")).state === "unreachable");
    return {};
  },
};

/** Looks come first, what removes their subjects last. */
const rank = ({ route }: { readonly route: string }): number =>
  route.startsWith("GET") ? 0 : route.startsWith("DELETE") ? 2 : route.endsWith("/forget") ? 3 : 1;

test("every line of the page runs, and its answer is what its route says", async () => {
  const vars = await world();
  for (const { route, line } of LINES.filter((one) => !ELSEWHERE.includes(one.route)).toSorted(
    (a, b) => rank(a) - rank(b),
  )) {
    const { vars: own = {}, node = "box1" } = (await BEFORE[route]?.()) ?? {};
    const answer = await shell(line.replace("box1", node), { ...vars, ...own });
    expect(`${route}: ${answer.status} ${answer.status === 200 ? "" : answer.text}`).toBe(`${route}: 200 `);
    expect(answer.headers).toMatch(/^x-orch-now: \d{13}\r?$/m);
    const { answer: schema } = ROUTES.find(({ method, path }) => `${method} ${path}` === route)!;
    const read = typeof schema === "string" ? null : schema.safeParse(JSON.parse(answer.text));
    expect([route, read?.error]).toEqual([route, undefined]);
    expect([route, untimed(typeof schema === "string" ? null : JSON.parse(answer.text))]).toEqual([route, []]);
  }
}, 180_000);

/** Returns the fields of an answer that hold a time and do not say so. */
function untimed(value: unknown, name = ""): string[] {
  if (Array.isArray(value)) return value.flatMap((one) => untimed(one, name));
  if (typeof value === "object" && value !== null)
    return Object.entries(value).flatMap(([key, one]) => untimed(one, key));
  const isTime = typeof value === "number" && Math.abs(value - Date.now()) < 365 * 86_400_000;
  const isDate = typeof value === "string" && /^\d{4}-\d\d-\d\dT/.test(value);
  return (isTime && !name.endsWith("_ms")) || isDate ? [name] : [];
}

const REFUSED: readonly (readonly [
  method: string,
  path: string,
  body: string | undefined,
  status: number,
  code: ErrorCode,
])[] = [
  ["GET", "/v1/nothing", undefined, 404, "not_found"],
  ["GET", "/v1/runs/999999", undefined, 404, "not_found"],
  ["PATCH", "/v1/runs", "{}", 405, "method_not_allowed"],
  ["GET", "/v1/runs?colour=red", undefined, 400, "bad_request"],
  ["GET", "/v1/runs?limit=1&limit=2", undefined, 400, "bad_request"],
  ["POST", "/v1/runs", "{", 400, "bad_request"],
  ["POST", "/v1/runs", '{"job":{"run":"true"},"colour":1}', 400, "bad_request"],
  ["POST", "/v1/runs/1/retry", '{"colour":1}', 400, "bad_request"],
  ["POST", "/v1/validate", '{"text":"app: A"}', 422, "spec"],
  ["POST", "/v1/runs", '{"job":{"run":"true","resources":{"cpu":4000}}}', 422, "unsatisfiable"],
  ["POST", "/v1/runs", "@large", 413, "too_large"],
  ["GET", `/v1/tasks/${"a".repeat(9_000)}`, undefined, 413, "too_large"],
];

test.each(REFUSED)("%s %.30s %s has the one shape of refusals", async (method, path, body, status, code) => {
  writeFileSync(join(cluster.dir, "large"), `{"job":{"run":"${"x".repeat(1_100_000)}"}}`);
  const answer = await curl(method, path, body);
  const read = errorBody.strict().parse(JSON.parse(answer.text));
  expect([answer.status, read.error.code]).toEqual([status, code]);
  expect(answer.headers).toContain("content-type: application/json");
});

test("other refusals have it as well: no token, another type", async () => {
  const plain =
    'curl -sk --pinnedpubkey "$(sed -n \'s/^pinnedpubkey = "\\(.*\\)"/\\1/p\' orch.curl)" "$ORCH_URL/v1/runs"';
  const stranger = await shell(plain);
  expect([stranger.status, errorBody.parse(JSON.parse(stranger.text)).error.code]).toEqual([401, "unauthenticated"]);
  expect(stranger.headers).toContain("www-authenticate: bearer");
  const typed = await shell(`${plain} -H "authorization: Bearer $ORCH_TOKEN" -d 'job=1'`);
  expect([typed.status, errorBody.parse(JSON.parse(typed.text)).error.code]).toEqual([415, "unsupported"]);
});

test.each(
  ROUTES.filter(({ answer }) => typeof answer !== "string" && "next" in ((answer as { shape?: object }).shape ?? {})),
)("the list of $method $path has pages", ({ query }) => {
  expect(Object.keys(query!.shape)).toEqual(expect.arrayContaining(["limit", "next"]));
});

test.skipIf(Bun.which("python3") === null)(
  "the client in Python does what it says",
  async () => {
    const [, client = ""] = /```python\n([^]*?)```/.exec(PAGE) ?? [];
    writeFileSync(join(cluster.dir, "client.py"), client);
    expect((await shell('curl -K orch.curl "$ORCH_URL/v1/bootstrap/cert" -o orch.pem')).status).toBe(200);
    const child = Bun.spawn(["python3", "client.py"], { cwd: cluster.dir, env, stdout: "pipe", stderr: "pipe" });
    const [out, err] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
    expect(err).toBe("");
    expect(out).toMatch(/^step 1\nstep 2\nstep 3\nrun \d+ succeeded 0\nrun \d+ cancelled\nnode box2 /);
    expect(out).toMatch(/^app hello \['add web'\]$/m);
    expect(out).toMatch(/^task hello\.web\.0 /m);
  },
  60_000,
);
