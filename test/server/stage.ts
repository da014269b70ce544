// A whole server without a socket: the real app, loop, sessions and store in memory, people of every role, and machines
// that have only joined. The test drives the clock.

import type { FindingOverrides } from "../../src/core/model/findings";
import type { Role } from "../../src/core/model/rows-state";
import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import type { Machine } from "../../src/wire/agent";
import { formatToken } from "../../src/wire/token";
import { type Api, createApi, type RunningApi } from "../../src/server/routes/api";
import type { PoolTest } from "../../src/server/context";
import type { PlanLimits } from "../../src/core/pass/snapshot";
import { createApp, type App } from "../../src/server/app";
import { strictly } from "../../src/server/http/body";
import { openIdentity } from "../../src/server/access/identity";
import { tokenRow } from "../../src/server/access/tokens";
import { createInputs } from "../../src/server/inputs";
import { ROUTES } from "../../src/server/routes/table";
import { ALL_LAWS, openStore } from "../../src/store/open";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { joinBody, keyOf } from "../support/keys";
import { GIB } from "../../src/core/units";

export const NOW_MS = 1_800_000_000_000;

export interface CallOptions {
  readonly as?: string | null;
  readonly body?: unknown;
  /** The exact body, instead of `body`. */
  readonly raw?: string | Uint8Array<ArrayBuffer>;
  readonly headers?: Record<string, string>;
}

export interface Answer {
  readonly status: number;
  readonly body: Record<string, unknown> & {
    error?: { code: string; message: string; hint: string | null; issues: unknown[] };
  };
  readonly headers: Headers;
}

export interface Stage {
  readonly api: Api;
  readonly app: App;
  /** The key of the server, for a port of its own. */
  readonly tls: { readonly key: string; readonly cert: string };
  readonly said: string[];
  /** Where the inputs of runs are. */
  readonly inputs: string;
  clock: number;
  /** How far the wall clock has jumped ahead of the clock that only runs. */
  wall_ahead_ms: number;
  readonly tokens: Readonly<Record<string, string>>;
  call(method: string, path: string, options?: CallOptions): Promise<Answer>;
  /** Waits until the plan has seen everything. */
  planned(): Promise<void>;
  /** Lets a machine join that has yet to be tested. Returns its node's id. */
  join(name: string, part?: Partial<Machine>): Promise<string>;
  close(): Promise<void>;
}

/** Members of project `lab` (alice, vera), of project `other` (bob), and people who stand above projects. */
const PEOPLE: readonly (readonly [string, Role, string])[] = [
  ["admin", "admin", "default"],
  ["olga", "operator", "default"],
  ["alice", "user", "lab"],
  ["bob", "user", "other"],
  ["vera", "viewer", "lab"],
];

/** Makes random texts that differ at each call and are the same at each run. */
function dice(): () => string {
  let n = 0;
  return () => new Bun.CryptoHasher("md5").update(`seed ${n++}`).digest("hex");
}

async function makeApi(
  { now, wall, inputs }: { readonly now: () => number; readonly wall: () => number; readonly inputs: string },
  said: string[],
  failed: (error: unknown) => void,
  { limits: changed = {}, node_tests: tests = [], findings = {}, laws = ALL_LAWS, leftOut }: StageOptions,
): Promise<RunningApi & { readonly tls: Stage["tls"] }> {
  const seed = dice();
  const random = (bytes: number): Uint8Array => Buffer.from(seed(), "hex").subarray(0, bytes);
  const opened = openStore({ dir: ":memory:", clock: now, random, laws });
  if (!opened.ok) throw new Error(opened.message);
  const { store } = opened;
  const dir = await mkdtemp(join(tmpdir(), "orch-stage-"));
  const identity = await openIdentity(dir, store.state.cluster.cluster_id, true, "01");
  await rm(dir, { recursive: true });
  const running = createApi({
    store,
    limits: { ...DEFAULT_LIMITS, ...changed },
    findings,
    node_tests: tests,
    identity,
    inputs: createInputs({ dir: inputs, clock: now, runs: () => store.state.runs.values() }),
    clock: now,
    wall,
    seed,
    process: { uid: 990, boot_id: "the server's boot" },
    version: "0.1.0",
    say: (line) => void said.push(line),
    failed,
    ...(leftOut === undefined ? {} : { leftOut }),
    hosts: new Set(["box1"]),
    local: () => "https://127.0.0.1:4400",
    outside: () => "https://box1:4400",
  });
  return { ...running, tls: { key: identity.key_pem, cert: identity.certificate_pem } };
}

export interface StageOptions {
  readonly limits?: Partial<PlanLimits>;
  readonly node_tests?: readonly PoolTest[];
  readonly findings?: FindingOverrides;
  /** Left out: all of them. */
  readonly laws?: typeof ALL_LAWS;
  /** Left out: a law that the plan breaks fails the test. */
  readonly leftOut?: (why: string) => void;
}

export async function makeStage(options: StageOptions = {}): Promise<Stage> {
  const time = { clock: NOW_MS, wall_ahead_ms: 0 };
  let closed = false;
  const said: string[] = [];
  const inputs = await mkdtemp(join(tmpdir(), "orch-stage-"));
  const { api, stop, tls } = await makeApi(
    { now: () => time.clock, wall: () => time.clock + time.wall_ahead_ms, inputs },
    said,
    (error) => {
      // What is under way while the server is closed may fail.
      if (!closed) throw error;
    },
    options,
  );
  const { store, loop } = api;
  const app = createApp(api);
  const tokens = await makePeople(api);
  return Object.assign(time, {
    api,
    tls,
    app,
    said,
    inputs,
    tokens,
    call: (method: string, path: string, options: CallOptions = {}) => call(app, tokens, method, path, options),
    async planned() {
      for (let before = -1; before !== store.state.cluster.revision;) {
        before = store.state.cluster.revision;
        loop.wake();
        await new Promise((resolve) => setImmediate(resolve));
        // An empty commit comes after the pass that is under way.
        await store.commit("test", () => undefined);
      }
    },
    join: (name: string, part: Partial<Machine> = {}) => joinMachine(app, tokens, name, part),
    close() {
      closed = true;
      stop();
      store.close();
      return rm(inputs, { recursive: true });
    },
  });
}

async function makePeople(api: Api): Promise<Record<string, string>> {
  const tokens: Record<string, string> = {};
  await api.store.commit("test", (draft) => {
    for (const [n, [name, role, project]] of PEOPLE.entries()) {
      const [id, secret] = [String(n).padStart(10, "0"), String(n).padStart(40, "a")];
      tokens[name] = formatToken({ pin: api.identity.pin, id, secret });
      draft.put([
        {
          table: "users",
          key: name,
          row: { name, role, unix_user: name, accounts: [], project, created_ms: draft.now_ms },
        },
        {
          table: "tokens",
          key: id,
          row: tokenRow({ id, secret, role, user: name, expires_ms: null, joins: null }, draft.now_ms),
        },
      ]);
    }
    const [id, secret] = ["00000000ff", "f".repeat(40)];
    tokens["agent"] = formatToken({ pin: api.identity.pin, id, secret });
    draft.put([
      {
        table: "tokens",
        key: id,
        row: tokenRow({ id, secret, role: "agent", user: null, expires_ms: null, joins: null }, draft.now_ms),
      },
    ]);
  });
  return tokens;
}

async function call(
  app: App,
  tokens: Readonly<Record<string, string>>,
  method: string,
  path: string,
  { as = "admin", body, raw, headers = {} }: CallOptions,
): Promise<Answer> {
  const sent = raw ?? (body === undefined ? undefined : JSON.stringify(body));
  const answer = await app.request(`http://127.0.0.1:4400${path}`, {
    method,
    headers: {
      ...(as === null ? {} : { authorization: `Bearer ${tokens[as] ?? as}` }),
      ...(sent === undefined ? {} : { "content-type": "application/json" }),
      ...headers,
    },
    ...(sent === undefined ? {} : { body: sent }),
  });
  const text = answer.headers.get("content-type")?.startsWith("text/event-stream") === true ? "" : await answer.text();
  const content = textAsBody(text);
  if (answer.status === 200 && answer.headers.get("content-type")?.startsWith("application/json") === true)
    holdAnswer(method, path, content);
  return { status: answer.status, headers: answer.headers, body: content };
}

/**
 * Checks that every JSON answer of every test is what its route's schema says: no key is missing, and none is extra.
 */
function holdAnswer(method: string, path: string, body: unknown): void {
  const plain = path.split("?")[0] ?? "";
  const found = ROUTES.filter(
    (route) => route.method === method && new RegExp(`^${route.path.replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(plain),
  );
  // `/v1/x/y` is an address of its own beside `/v1/x/{name}`.
  const route = found.find((one) => one.path === plain) ?? found[0];
  if (route === undefined || typeof route.answer === "string") return;
  const held = strictly(route.answer).safeParse(body);
  if (!held.success) throw new Error(`${method} ${path} answers ${JSON.stringify(body)}: ${held.error.message}`);
}

function textAsBody(text: string): Answer["body"] {
  try {
    return JSON.parse(text) as Answer["body"];
  } catch (error) {
    if (error instanceof SyntaxError) return { text };
    throw error;
  }
}

export const machineOf = (name: string, part: Partial<Machine> = {}): Machine => ({
  fingerprint: `fingerprint-${name}`,
  boot_id: "boot-1",
  agent_version: "0.1.0",
  pool: "default",
  labels: {},
  taints: [],
  capacity: { cpu_milli: 8_000, memory_bytes: 32 * GIB, disk_bytes: 100 * GIB, countables: {} },
  devices: [],
  facts: {
    os: "linux",
    arch: "x64",
    hostname: name,
    kernel: "6.1",
    cpu_model: "cpu",
    memory_bytes: 32 * GIB,
    address: "10.0.0.1",
    cgroups: "v2",
    takes_arrays: true,
    cgroups_detail: null,
    limits: null,
    accounts: "existing",
    unix_user: "root",
  },
  ...part,
});

async function joinMachine(
  app: App,
  tokens: Readonly<Record<string, string>>,
  name: string,
  part: Partial<Machine>,
): Promise<string> {
  const { status, body } = await call(app, tokens, "POST", "/v1/join", {
    as: "agent",
    body: joinBody(keyOf(name), tokens["agent"] ?? "", name, machineOf(name, part)),
  });
  if (status !== 200) throw new Error(JSON.stringify(body));
  return (body["credential"] as { node_id: string }).node_id;
}
