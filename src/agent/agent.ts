// The agent put together: identity, machine, driver, loop and connection. It opens no port and owns no decision.

import { join } from "node:path";
import type { Device } from "../core/device";
import type { Taint } from "../core/workload";
import { findCgroups } from "../os/cgroup";
import { nowMs, steadyClock } from "../os/clock";
import { randomHex } from "../os/dice";
import { takeDir } from "../os/files";
import { networkFileSystem } from "../os/filesystem";
import { noteHolder, takeLock } from "../os/lock";
import { bootId, statOf } from "../os/proc";
import { createAccounts, type AccountMode } from "./account";
import { FatalAgentError, stayConnected, type Connection } from "./connection";
import { openProcessDriver } from "./drivers/process";
import { openFence } from "./fence";
import { joinCluster, readIdentity, type Identity } from "./identity";
import { readLog } from "./logs";
import { createAgentLoop } from "./loop";
import { createOutgoing } from "./outgoing";
import { probeMachine, type Share } from "./probe";
import { forgetAgent, noteAgent, otherAgents, runDirOf, runName, takeRunDir } from "./rundir";

export interface AgentOptions {
  readonly urls: readonly string[];
  /** Needed once: an agent that has joined finds its identity in its data directory. */
  readonly token: string | null;
  readonly name: string | null;
  readonly data_dir: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly accounts: AccountMode;
  readonly capacity: Share | null;
  readonly devices: readonly Device[];
  readonly version: string;
  readonly signal: AbortSignal;
  say(line: string): void;
}

/** Runs the agent until `signal` aborts; its tasks live on. Throws FatalAgentError for what cannot heal. */
export async function runAgent(options: AgentOptions): Promise<void> {
  const data = join(options.data_dir, "agent");
  demandDir(takeDir(data) ?? networkOf(data), `${data} cannot be used`, DATA_HINT);
  const release = lockData(data);
  const run = runDirOf(data);
  try {
    demandDir(takeRunDir(run), `${run} cannot be used`, "set XDG_RUNTIME_DIR to a directory of this account");
    claimShare(run, data, options);
    await serve(data, options);
    forgetAgent(run);
  } finally {
    release();
  }
}

const DATA_HINT = "choose a directory of this user on a local disk with --data DIR or ORCH_DATA";

/** Locks and syncs are only believed of a local disk. */
function networkOf(data: string): string | null {
  const network = networkFileSystem(data);
  return network === null ? null : `it lies on a network file system (${network})`;
}

function demandDir(why: string | null, what: string, hint: string): void {
  if (why !== null) throw new FatalAgentError("directory", `${what}: ${why}`, hint);
}

/** Two agents on one directory would both be the node and both start its tasks. */
function lockData(data: string): () => void {
  const file = join(data, "lock");
  const locked = takeLock(file);
  if (locked.ok) {
    noteHolder(file, nowMs());
    return locked.release;
  }
  const { holder } = locked;
  const who = holder === null ? "another agent" : `the agent of process ${holder.pid} on ${holder.host}`;
  throw new FatalAgentError(
    "held",
    `${data} is held by ${who}`,
    "it is the node already; for a second one on this machine: --data DIR --name NAME --capacity …",
  );
}

/** Several agents on one machine must not all give away the whole of it. */
function claimShare(run: string, data: string, { capacity }: AgentOptions): void {
  const others = otherAgents(run);
  const greedy = others.find((other) => !other.share);
  if (others.length > 0 && (capacity === null || greedy !== undefined)) {
    const other = greedy ?? others[0];
    throw new FatalAgentError(
      "share",
      `another agent runs on this machine (process ${other?.pid}, ${other?.data})`,
      "several agents on one machine need an explicit share each: --capacity cpu=2,memory=4GiB",
      2,
    );
  }
  const start = statOf(process.pid)?.start ?? "";
  noteAgent(run, { pid: process.pid, start, boot_id: bootId(), data, share: capacity !== null });
}

async function serve(data: string, options: AgentOptions): Promise<void> {
  const clock = steadyClock();
  const known = readIdentity(data);
  const ownName = options.name ?? runName(data);
  const machine = await probeMachine({
    data,
    version: options.version,
    cgroups: findCgroups(runName(data)),
    accounts: options.accounts,
    pool: options.pool,
    labels: options.labels,
    taints: options.taints,
    share: options.capacity,
    devices: options.devices,
    joined_as: known?.credential.fingerprint ?? null,
    share_names: [options.capacity === null ? "" : ownName, "", runName(data), known?.credential.name ?? ""],
  });
  const identity = known ?? (await firstJoin(data, options, machine));
  const driver = await openProcessDriver({
    data,
    version: options.version,
    accounts: createAccounts(options.accounts),
    devices: () => machine.devices,
    clock,
    say: options.say,
  });
  let connection: Connection | null = null;
  const loop = await createAgentLoop({
    driver,
    machine: () => machine,
    clock,
    say: options.say,
    report: (entries) => connection?.report(entries),
  });
  try {
    connection = stayConnected({
      urls: options.urls.length > 0 ? options.urls : identity.urls,
      certificate: identity.certificate,
      pin: identity.pin,
      credential: identity.credential,
      key: identity.key,
      instance_id: randomHex(16),
      machine: () => machine,
      loop,
      fence: openFence(data, options.say),
      clock,
      random: () => Number.parseInt(randomHex(4), 16) / 2 ** 32,
      say: options.say,
      signal: options.signal,
      joined: (name) => options.say(`joined as ${name}`),
      outgoing: (send) =>
        createOutgoing(send, (what, signal) =>
          readLog(what, {
            data,
            now_ms: nowMs,
            signal,
            living: (uid) => driver.seen().get(uid)?.process.is === "alive",
          }),
        ),
    });
    await connection.done;
  } finally {
    loop.stop();
    driver.close();
  }
}

async function firstJoin(
  data: string,
  options: AgentOptions,
  machine: Awaited<ReturnType<typeof probeMachine>>,
): Promise<Identity> {
  if (options.token === null) {
    throw new FatalAgentError(
      "token",
      "this agent has not joined a cluster yet, and no token was given",
      "on the server: orch token new --role agent; then: orch agent join URL --token TOKEN",
      2,
    );
  }
  return joinCluster({ data, urls: options.urls, token: options.token, name: options.name, machine });
}
