// Many agents in one process, for measuring the server: the agent's real session and loop over real sockets, with tasks
// that are only pretended. Started as `bun scripts/bench/crowd.ts URL TOKEN AGENTS PLACES`; runs until it is ended.

import { generateKeyPairSync, randomUUID, sign, type KeyObject } from "node:crypto";
import type { Driver } from "../../src/agent/drivers/driver";
import type { TaskStore } from "../../src/agent/tasks/store";
import { createAgentLoop } from "../../src/agent/loop/loop";
import { createOutgoing } from "../../src/agent/link/outgoing";
import { stayConnected } from "../../src/agent/link/connection";
import { createTester } from "../../src/agent/tests/tester";
import type { Fence } from "../../src/core/agent/fence";
import type { TestResult } from "../../src/core/model/node-tests";
import type { Seen } from "../../src/core/model/record";
import { NO_INPUTS } from "../../test/support/inputs";
import { bootMs, nowMs } from "../../src/os/clock";
import { GIB, MIB } from "../../src/core/units";
import { type Credential, type Machine, PROTOCOL } from "../../src/wire/agent";
import { joinText } from "../../src/wire/join";
import { connect } from "../../src/wire/client";
import { fetchCertificate } from "../../src/wire/pinned";
import { parseToken } from "../../src/wire/token";

/** Nothing is kept: pretended tasks end with this process. */
const NO_STORE: TaskStore = {
  read: async () => Promise.resolve({ records: new Map(), uids: [], unreadable: new Set(), stopped: new Set() }),
  kept: async () => Promise.resolve([]),
  write: async () => Promise.resolve(),
  wasClaimed: () => false,
  owed: () => new Map(),
  trouble: () => null,
  claimStopped: async () => Promise.resolve("now"),
  tail: () => null,
  acknowledge: async () => Promise.resolve(),
  forget: async () => Promise.resolve(),
};

/** Tasks that live the moment they are started and end the moment they are told to. */
function pretendDriver(): Driver {
  const seen = new Map<string, Seen>();
  let pids = 1;
  let changed = (): void => undefined;
  const end = async (uid: string, signal: string): Promise<void> => {
    const now_ms = bootMs();
    seen.set(uid, {
      claimed: true,
      process: {
        is: "ended",
        exit_code: null,
        signal,
        started_ms: now_ms,
        ended_ms: now_ms,
        peak_memory_bytes: null,
        oom: false,
        left: 0,
        reason: null,
      },
    });
    changed();
    return Promise.resolve();
  };
  return {
    find: async () => Promise.resolve([]),
    seen: () => seen,
    wasBegun: () => false,
    isOrdered: () => false,
    trouble: () => null,
    silent: () => null,
    start: async ({ assignment: { uid } }) => {
      seen.set(uid, { claimed: true, process: { is: "alive", handle: { pid: ++pids }, started_ms: bootMs() } });
      changed();
      return Promise.resolve();
    },
    batch: () => null,
    reader: () => null,
    signal: end,
    kill: async (uid) => end(uid, "KILL"),
    end: () => undefined,
    look: (uid) => {
      if (!seen.has(uid)) seen.set(uid, { claimed: true, process: { is: "none" } });
    },
    drop(uid) {
      seen.delete(uid);
    },
    lease: () => undefined,
    onChange: (listener) => {
      changed = listener;
    },
    close: () => seen.clear(),
  };
}

/** Pretended machines have nothing to prove. */
const PASSED: TestResult = {
  name: "cpu",
  verdict: "passed",
  required: true,
  detail: "pretended",
  value: null,
  unit: null,
  took_ms: 0,
};

function machineOf(n: number, places: number): Machine {
  return {
    fingerprint: `pretended-${n}`,
    boot_id: randomUUID(),
    agent_version: "bench",
    pool: "default",
    labels: {},
    taints: [],
    devices: [],
    capacity: { cpu_milli: places * 10, memory_bytes: places * 4 * MIB, disk_bytes: 100 * GIB, countables: {} },
    facts: {
      os: "linux",
      arch: "x64",
      hostname: `pretended-${n}`,
      kernel: "6",
      memory_bytes: 64 * GIB,
      cpu_model: "none",
      address: null,
      cgroups: "none",
      cgroups_detail: null,
      limits: null,
      accounts: "shared",
      unix_user: "root",
    },
  };
}

async function joined(url: string, token: string, n: number, places: number): Promise<void> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const machine = machineOf(n, places);
  const public_key = publicKey.export({ format: "der", type: "spki" }).toString("base64");
  const { pin, id } = parseToken(token) ?? { pin: "", id: "" };
  const signature = sign(null, Buffer.from(joinText(pin, id, public_key, machine.fingerprint)), privateKey);
  const body = { protocol: PROTOCOL, name: `n${n}`, public_key, signature: signature.toString("base64"), machine };
  const answer = await connect({ url, token }).join(body);
  if (answer.is !== "joined") throw new Error(`n${n}: ${answer.why}`);
  await live({ url, pin }, machine, answer.credential, privateKey);
}

interface Server {
  readonly url: string;
  readonly pin: string;
}

async function live({ url, pin }: Server, machine: Machine, credential: Credential, key: KeyObject): Promise<void> {
  let fence: Fence | null = null;
  const driver = pretendDriver();
  const loop = await createAgentLoop({
    store: NO_STORE,
    driver,
    inputs: NO_INPUTS,
    machine,
    cards: { gate: () => [], verdicts: () => new Map(), blames: () => new Map() },
    clock: bootMs,
    say: console.error,
    report: (entries) => connection.report(entries),
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const tests = createTester(async () => Promise.resolve([PASSED]), console.error);
  const certificate = await fetchCertificate(url, pin);
  const connection = stayConnected({
    urls: [url],
    certificate: async () => Promise.resolve(certificate),
    random: Math.random,
    signal: new AbortController().signal,
    pin,
    credential,
    key,
    instance_id: randomUUID(),
    loop,
    looker: null,
    tests,
    machine: () => machine,
    readings: () => [],
    health: { notices: () => [], noted: () => undefined, override: () => undefined },
    leaving: () => null,
    noted: () => undefined,
    clock: bootMs,
    wall: nowMs,
    joined(name) {
      console.log(`joined ${name}`);
      resolve();
    },
    say: () => undefined,
    outgoing: (send) =>
      createOutgoing(send, async function* none() {
        yield* [];
      }),
    fence: {
      get: () => fence,
      set: async (next) => {
        fence = next;
        return Promise.resolve();
      },
    },
  });
  connection.done.catch(reject);
  return promise;
}

const [url = "", token = "", agents = "", places = ""] = process.argv.slice(2);
for (let n = 1; n <= Number(agents); n++) await joined(url, token, n, Number(places));
console.log("ready");
