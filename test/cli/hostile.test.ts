// Every command against a server whose every text is hostile: what is printed for people has no control character but
// line breaks. The server is a stub behind real TLS, whose answers are made from the schemas of the routes.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dispatch } from "../../src/cli/dispatch";
import { TABLE } from "../../src/cli/table";
import { openIdentity } from "../../src/server/access/identity";
import { keyOf } from "../../src/server/routes/route";
import { ROUTES } from "../../src/server/routes/table";
import { errorBody } from "../../src/wire/api/errors";
import { formatToken } from "../../src/wire/token";
import { HOSTILE, hostileAnswer, LEFT } from "../support/hostile";
import { stage } from "./stage";

let dir: string;
let server: Bun.Server<undefined>;
let token: string;
/** Which hostile text and which options of unions the answers have, and whether all answers are refusals. */
const now = { n: 0, refuses: false };
const unanswered = new Set(ROUTES.map(keyOf));

const WITHOUT_SERVER = "stays or talks to no server";
/** A command line for each command that shows what a server tells. */
const LINES: Readonly<Record<string, readonly (readonly string[])[] | typeof WITHOUT_SERVER>> = {
  up: WITHOUT_SERVER,
  server: WITHOUT_SERVER,
  "agent join": WITHOUT_SERVER,
  "agent leave": WITHOUT_SERVER,
  validate: WITHOUT_SERVER,
  completion: WITHOUT_SERVER,
  version: WITHOUT_SERVER,
  restore: WITHOUT_SERVER,
  "install server": WITHOUT_SERVER,
  "install agent": WITHOUT_SERVER,
};
/** The operands of commands whose operands are not just a name. */
const OPERANDS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  plan: [["-f", "FILE"]],
  apply: [["-f", "FILE", "--yes"]],
  scale: [["web.api=2"]],
  run: [["-d", "--", "true"]],
  show: [["web"], ["web.api"], ["1"], ["web.api.0"]],
  explain: [["web.api.0"], ["1"]],
  logs: [["1"], ["web"], ["web", "--json"]],
  events: [[], ["-n", "5"]],
  gpus: [[], ["--wide"], ["--processes"], ["--free"]],
  "node label": [["n1", "a=b"]],
  "node taint": [["n1", "a=b:no_schedule"]],
  "node show": [["n1"], ["n1", "--history"]],
  "node forget": [["n1", "--yes"]],
  "node drain": [["n1"]],
  "user grant": [["alice", "bob"]],
  "token new": [
    ["--role", "viewer"],
    ["--role", "agent"],
  ],
  rm: [["web", "--yes"]],
  adopt: [["n1/web.api.0"]],
  stop: [["n1/web.api.0"]],
  login: [["URL"]],
  spec: [["web"]],
  retry: [["1"]],
  settle: [["1", "--as", "succeeded"]],
  restart: [["web.api"]],
  submit: [["web.api"], ["web.api", "--json"]],
  whoami: [[], ["--json"]],
  cancel: [["1"]],
  "node resume": [["n1"]],
  "node test": [["n1"], ["n1", "--json"]],
  "node approve": [["n1"]],
  "node refuse": [["n1"]],
  "token revoke": [["t1"]],
  "user add": [["alice"]],
  "user rm": [["alice"]],
};

/** Routes that these commands do not ask: of agents, and behind names that a hostile server cannot match. */
const NOT_ASKED = [
  "GET /v1/agent",
  "GET /v1/bootstrap/cert",
  "GET /v1/health",
  "GET /v1/nodes/{node}/drain",
  "GET /v1/openapi.json",
  "GET /v1/watch",
  "POST /v1/join",
  "POST /v1/nodes/{node}/orphans/{uid}/adopt",
  "POST /v1/nodes/{node}/orphans/{uid}/stop",
  "POST /v1/validate",
];

beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "orch-hostile-"));
  await Bun.write(join(dir, "web.yaml"), "app: web\nservices:\n  api: { run: sleep 1 }\n");
  const identity = await openIdentity(dir, "c".repeat(32), true, "1".repeat(16));
  token = formatToken({ pin: identity.pin, id: "0".repeat(10), secret: "a".repeat(40) });
  const routes = ROUTES.map((one) => ({
    route: one,
    path: new RegExp(`^${one.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`),
  }));
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    tls: { key: identity.key_pem, cert: identity.certificate_pem },
    fetch(request) {
      const path = new URL(request.url).pathname;
      if (path === "/v1/bootstrap/cert") return new Response(identity.certificate_pem);
      const found = routes.find(({ route, path: pattern }) => route.method === request.method && pattern.test(path));
      if (found === undefined) return new Response("none", { status: 404 });
      const text = (): string => HOSTILE[now.n % HOSTILE.length] ?? "";
      const { answer } = found.route;
      unanswered.delete(keyOf(found.route));
      if (now.refuses) return Response.json(hostileAnswer(errorBody, text, 0), { status: 409 });
      if (typeof answer === "string") return new Response(`${text()}\n`, { headers: { "x-orch-task": "web.api.0" } });
      const body = hostileAnswer(answer, text, now.n) as Record<string, unknown>;
      return Response.json("next" in body ? { ...body, next: null } : body);
    },
  });
});
afterAll(async () => {
  await server.stop(true);
  await rm(dir, { recursive: true });
});

/** Runs a command line against the hostile server. Returns what reaches standard output and standard error. */
async function printed(argv: readonly string[], tty: boolean): Promise<{ code: number; out: string; err: string }> {
  const url = `https://127.0.0.1:${server.port}`;
  const env = { ORCH_URL: url, ORCH_TOKEN: token, XDG_CONFIG_HOME: dir, NO_COLOR: "" };
  const { host, out, err } = stage({
    env,
    cwd: dir,
    home: dir,
    tty,
    piped: new TextEncoder().encode("x"),
    input: argv[0] === "login" ? token : "y\n".repeat(9),
  });
  const typed = argv.map((word) => (word === "FILE" ? join(dir, "web.yaml") : word === "URL" ? url : word));
  return { code: await dispatch(typed, host), out: out(), err: err() };
}

/** Colours of ours, which only a terminal gets. */
const colourless = (text: string): string => text.replace(/\x1b\[(?:0|1|2|22|3[1236]|39)m/g, "");

/** A task's output keeps colours and carriage returns on a terminal, as programs show their progress with them. */
const outputLess = (text: string): string => text.replace(/\x1b\[[0-9;:]*m|[\r\t]/g, "");

const linesOf = (name: string): readonly (readonly string[])[] =>
  (OPERANDS[name] ?? [[]]).map((operands) => [...name.split(" "), ...operands]);

describe.each(TABLE.map(({ name }) => name).filter((name) => LINES[name] !== WITHOUT_SERVER))("orch %s", (name) => {
  test.each([false, true])(
    "prints nothing that a terminal obeys; on a terminal: %p",
    async (tty) => {
      for (const [n] of HOSTILE.entries()) {
        for (const refuses of [false, true]) {
          for (const argv of linesOf(name)) {
            Object.assign(now, { n, refuses });
            const { out, err } = await printed(argv, tty);
            // Files and pipes get a spec and a task's output as they are.
            const shown = tty ? [out, err] : name === "logs" ? [] : name === "spec" ? [err] : [out, err];
            for (const text of shown) {
              const bare = name === "logs" ? outputLess(text) : tty ? colourless(text) : text;
              const left = LEFT.exec(bare);
              if (left !== null) {
                const near = JSON.stringify(bare.slice(Math.max(0, left.index - 60), left.index + 60));
                throw new Error(`orch ${argv.join(" ")} with ${JSON.stringify(HOSTILE[n]?.slice(0, 60))}: ${near}`);
              }
            }
          }
        }
      }
    },
    60_000,
  );
});

test("every route has been asked, except those that agents and strangers use", () => {
  expect([...unanswered].sort()).toEqual(NOT_ASKED);
});
