// Many agents in one process, for measuring the server: the agent's real session and loop over real sockets, with tasks
// that are only pretended. Started as `bun scripts/bench/crowd.ts URL TOKEN AGENTS PLACES`; runs until it is ended.

import { generateKeyPairSync, randomUUID, type KeyObject } from "node:crypto";
import type { Driver } from "../../src/agent/drivers/driver";
import { createAgentLoop } from "../../src/agent/loop";
import { createOutgoing } from "../../src/agent/link/outgoing";
import { ServerSession } from "../../src/agent/link/session";
import { createTester } from "../../src/agent/tests/tester";
import type { Fence } from "../../src/core/agent/accept";
import type { TestResult } from "../../src/core/model/node-tests";
import type { Seen, TaskRecord } from "../../src/core/model/record";
import { GIB, MIB } from "../../src/core/units";
import type { Credential, Machine } from "../../src/wire/agent";
import { connect } from "../../src/wire/client";
import { parseToken } from "../../src/wire/token";

/** Tasks that live the moment they are started and end the moment they are told to. */
class PretendDriver implements Driver {
  readonly #seen = new Map<string, Seen>();
  #pids = 1;
  #changed: () => void = () => undefined;

  async records(): ReturnType<Driver["records"]> {
    return Promise.resolve({ records: new Map<string, TaskRecord>(), unreadable: [] });
  }
  async kept(): Promise<readonly TaskRecord[]> {
    return Promise.resolve([]);
  }
  async write(): Promise<void> {
    return Promise.resolve();
  }
  seen(): ReadonlyMap<string, Seen> {
    return this.#seen;
  }
  wasClaimed(): boolean {
    return false;
  }
  async start({ assignment: { uid } }: TaskRecord): Promise<void> {
    this.#seen.set(uid, { claimed: true, process: { is: "alive", pid: ++this.#pids, started_ms: Date.now() } });
    this.#changed();
    return Promise.resolve();
  }
  async claimStopped(uid: string): Promise<void> {
    if (!this.#seen.has(uid)) this.#seen.set(uid, { claimed: true, process: { is: "none" } });
    return Promise.resolve();
  }
  async signal(uid: string, signal: string): Promise<void> {
    return this.#end(uid, signal);
  }
  async kill(uid: string): Promise<void> {
    return this.#end(uid, "KILL");
  }
  async #end(uid: string, signal: string): Promise<void> {
    const now_ms = Date.now();
    this.#seen.set(uid, {
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
    this.#changed();
    return Promise.resolve();
  }
  lease(): void {
    return undefined;
  }
  tail(): null {
    return null;
  }
  async acknowledge(uid: string): Promise<void> {
    return this.forget(uid);
  }
  async forget(uid: string): Promise<void> {
    this.#seen.delete(uid);
    return Promise.resolve();
  }
  onChange(listener: () => void): void {
    this.#changed = listener;
  }
  close(): void {
    this.#seen.clear();
  }
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
  const { credential } = await connect({ url, token }).join({ name: `n${n}`, public_key, machine });
  await live({ url, pin: parseToken(token)?.pin ?? "" }, machine, credential, privateKey);
}

interface Server {
  readonly url: string;
  readonly pin: string;
}

async function live({ url, pin }: Server, machine: Machine, credential: Credential, key: KeyObject): Promise<void> {
  let fence: Fence | null = null;
  const driver = new PretendDriver();
  const loop = await createAgentLoop({
    driver,
    machine: () => machine,
    cards: { gate: () => [], verdicts: () => new Map(), blames: () => new Map() },
    clock: Date.now,
    say: console.error,
    report: (entries) => session.report(entries),
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const tests = createTester(async () => Promise.resolve([PASSED]), console.error);
  const session = new ServerSession({
    url,
    certificate: null,
    pin,
    credential,
    key,
    instance_id: randomUUID(),
    loop,
    tests,
    machine: () => machine,
    readings: () => [],
    health: { notices: () => [], noted: () => undefined, override: () => undefined },
    leaving: () => null,
    noted: () => undefined,
    clock: Date.now,
    joined: () => resolve(),
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
  session.ended.then((end) => reject(new Error(JSON.stringify(end)))).catch(reject);
  return promise;
}

const [url = "", token = "", agents = "", places = ""] = process.argv.slice(2);
for (let n = 1; n <= Number(agents); n++) await joined(url, token, n, Number(places));
console.log("ready");
