// Combines the agent's parts: identity, machine, driver, loop and connection. The agent opens no port and decides
// nothing about work.

import { join } from "node:path";
import type { Device } from "../core/model/device";
import type { BootMs, Ms } from "../core/units";
import type { Seen } from "../core/model/record";
import type { ForeignTask } from "../core/model/rows-node";
import type { Taint } from "../core/model/workload";
import { findCgroups } from "../os/cgroup/hierarchy";
import { bootMs, nowMs } from "../os/clock";
import { randomHex } from "../os/dice";
import { isWritable } from "../os/files/files";
import { takeOwnDir } from "../os/files/own-dir";
import { networkFileSystem } from "../os/files/filesystem";
import { tooMuch } from "../core/nodes/too-much";
import { bootId, statOf } from "../os/proc";
import { stayLean } from "../os/process/lean";
import { collectOrphans, isFirstProcess } from "../os/process/orphans";
import type { Machine } from "../wire/agent";
import { createAccounts, type AccountMode } from "./machine/account";
import { openCards, type AgentCards } from "./cards/cards";
import { FatalAgentError, stayConnected, type Connection } from "./link/connection";
import type { Driver } from "./drivers/driver";
import { openProcessDriver } from "./drivers/process";
import { forgetFence, openFence } from "./link/fence";
import { hasIdentity, readIdentity, trustOf, type AgentIdentity } from "./link/identity";
import { hasAsked, joinCluster, type JoinOptions } from "./link/join";
import { createInputs, type FetchPart } from "./tasks/inputs";
import { elementLog, keptReader } from "./tasks/element-logs";
import type { ElementReader } from "./tasks/element-reader";
import { readLog } from "./tasks/logs";
import { forgetOwed } from "./tasks/owed";
import { clocksNow } from "./tasks/moments";
import { openTaskStore, type TaskFiles } from "./tasks/store";
import { dirOfTask } from "./tasks/taskdir";
import { openLeaving } from "./leave/leaving";
import { createAgentLoop } from "./loop/loop";
import { createOutgoing, type Reader } from "./link/outgoing";
import { watchForeign } from "./machine/foreign";
import { watchDisk } from "./machine/disk-watch";
import { lockData } from "./machine/data-lock";
import { createLooker, type Looker } from "./machine/presence";
import { probeMachine, type Share } from "./machine/probe";
import { forgetAgent, noteAgent, otherAgents, runDirOf, runName, takeRunDir } from "./machine/rundir";
import { batteryOf } from "./tests/battery";
import { createTester } from "./tests/tester";

export interface AgentOptions {
  readonly urls: readonly string[];
  /** Needed only to join: an agent that has joined finds its identity in its data directory. */
  readonly token: string | null;
  /** A data directory of the node's, whose key vouches for this agent's new one; null asks an operator instead. */
  readonly previous: string | null;
  readonly name: string | null;
  readonly data_dir: string;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly accounts: AccountMode;
  readonly capacity: Share | null;
  /** Fake cards (`--device fake:…`). */
  readonly devices: readonly Device[];
  /** The beginnings of the ids of those cards of the machine that this agent may use. An empty list means all cards. */
  readonly cards: readonly string[];
  readonly version: string;
  /** A command or an address that announces the end of this machine, or null. */
  readonly termination_notice: string | null;
  /** An abort asks the agent to drain its node within `drain_ms`, and then to end. */
  readonly leave: AbortSignal;
  readonly drain_ms: Ms;
  readonly signal: AbortSignal;
  /** Called each time the server has welcomed this agent. */
  joined(): void;
  say(line: string): void;
}

/** How often it is looked whether a keeper hangs. */
const SILENT_LOOK_MS = 1_000;
/** How long the first hello waits for the cards. Cards that are found later are reported then. */
const FIRST_LOOK_MS = 2_000;

/**
 * Why an agent ended: `stopped` by its signal, `drained` of its work first, or `left` because its node is out of the
 * cluster.
 */
export type AgentEnd = "stopped" | "drained" | "left";

/**
 * Runs the agent until `signal` aborts; its tasks run on. Throws FatalAgentError for errors that only people can
 * resolve.
 */
export async function runAgent(options: AgentOptions): Promise<AgentEnd> {
  const data = join(options.data_dir, "agent");
  // Files that are made without a mode of their own are written by this account only.
  process.umask(0o022);
  const own = takeOwnDir(data);
  if (own.is === "refused") requireDir(own.why, `${data} cannot be used`, own.mend ?? DATA_HINT);
  else for (const notice of own.notices) options.say(notice);
  requireDir(networkOf(data), `${data} cannot be used`, DATA_HINT);
  const run = runDirOf(data);
  requireDir(takeRunDir(run), `${run} cannot be used`, "set XDG_RUNTIME_DIR to a directory of this account");
  // An agent that has joined starts also where nothing can be written, so that it goes on to tell what runs there.
  const closed = isWritable(data);
  if (closed !== null && !hasIdentity(data)) requireDir(closed, `${data} cannot be used`, DATA_HINT);
  if (closed !== null) options.say(`${data}: ${closed}; this node takes no tasks until that is mended`);
  const locked = lockData(data, run, closed !== null, options.say);
  if (locked.is === "held") throw heldBy(data, locked.who);
  const stopLean = stayLean();
  const stopCollecting = isFirstProcess() ? collectOrphans() : null;
  try {
    claimShare(run, data, options);
    const end = await serve(data, options);
    forgetAgent(run);
    return end;
  } finally {
    stopLean();
    stopCollecting?.();
    locked.release();
  }
}

const DATA_HINT = "choose a directory of this user on a local disk with --data DIR or ORCH_DATA";

/** Returns the reason against a network file system, or null. Locks and syncs are only reliable on a local disk. */
function networkOf(data: string): string | null {
  const network = networkFileSystem(data);
  return network === null ? null : `it lies on a network file system (${network})`;
}

function requireDir(why: string | null, what: string, hint: string): void {
  if (why !== null) throw new FatalAgentError("directory", `${what}: ${why}`, hint);
}

const heldBy = (data: string, who: string): FatalAgentError =>
  new FatalAgentError(
    "held",
    `${data} is held by ${who}`,
    "it is the node already; for a second one on this machine: --data DIR --name NAME --capacity …",
  );

/**
 * Registers this agent on the machine. Throws when several agents run here and one of them would give away the whole
 * machine.
 */
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

interface Grounds {
  readonly clock: () => BootMs;
  readonly cards: AgentCards;
  readonly machine: () => Machine;
  /** What is said of the machine once the tasks are open: why none can be begun, or null, and whose else there are. */
  readonly ability: {
    trouble: () => string | null;
    silent: () => string | null;
    foreign: () => readonly ForeignTask[];
  };
  readonly identity: AgentIdentity;
}

/**
 * Finds out the identity of this agent and the facts of its machine. Joins the cluster if the agent has not joined yet.
 */
async function settle(data: string, options: AgentOptions): Promise<Grounds | null> {
  const clock = bootMs;
  const known = readIdentity(data);
  const previous = known === null && options.previous !== null ? requirePrevious(options.previous) : null;
  const before = known ?? previous;
  const ownName = options.name ?? runName(data);
  const cgroups = findCgroups(runName(data));
  const { machine: probed, also } = await probeMachine({
    data,
    version: options.version,
    cgroups,
    accounts: options.accounts,
    pool: options.pool,
    labels: options.labels,
    taints: options.taints,
    share: options.capacity,
    joined_as: before?.credential.fingerprint ?? null,
    share_names: [options.capacity === null ? "" : ownName, "", runName(data), before?.credential.name ?? ""],
  });
  if (cgroups.is === "none") options.say(`cores and memory of tasks are counted and not enforced: ${cgroups.detail}`);
  for (const much of tooMuch(probed.capacity, probed.facts)) options.say(`--capacity: ${much}; tasks may starve`);
  const cards = openCards({ data, cgroups, fakes: options.devices, only: options.cards, clock, say: options.say });
  const ability: Grounds["ability"] = { trouble: () => null, silent: () => null, foreign: () => [] };
  const machine = (): Machine => {
    const facts = {
      ...probed.facts,
      limits: cards.limits(),
      unable: ability.trouble(),
      silent: ability.silent(),
      foreign_tasks: ability.foreign(),
    };
    return { ...probed, facts, devices: [...cards.watch.devices()] };
  };
  const identity = known ?? (await firstJoin(data, options, { machine: machine(), also, previous }));
  if (identity !== null) return { clock, cards, machine, ability, identity };
  cards.watch.close();
  return null;
}

function tellJoined({ say, joined }: AgentOptions, name: string): void {
  say(`joined as ${name}`);
  joined();
}

/** Opens the records of tasks and the driver that runs tasks. */
async function openTasks(
  data: string,
  { version, accounts, say }: AgentOptions,
  cards: AgentCards,
  clock: () => BootMs,
): Promise<{ readonly store: TaskFiles; readonly driver: Driver; readonly looker: Looker }> {
  const finding = createAccounts(accounts);
  const store = openTaskStore(data, say, runDirOf(data));
  const driver = await openProcessDriver({
    data,
    store,
    version,
    accounts: finding,
    access: (promised) => cards.access(promised),
    clock,
    say,
  });
  return { store, driver, looker: createLooker(finding) };
}

async function serve(data: string, options: AgentOptions): Promise<AgentEnd> {
  const grounds = await settle(data, options);
  if (grounds === null) return "stopped";
  const { clock, cards, machine, ability, identity } = grounds;
  const { watch } = cards;
  const { looker, ...tasks } = await openTasks(data, options, cards, clock);
  let connection: Connection | null = null;
  const machineWatch = await watchMachine(data, options.say, ability, tasks, () => connection?.changed());
  const loop = await createAgentLoop({
    ...tasks,
    inputs: createInputs({ files: tasks.store, ask: fetchOf(() => connection), clock, say: options.say }),
    machine: machine(),
    cards: watch,
    clock,
    say: options.say,
    report: (entries) => connection?.report(entries),
  });
  watch.onChange(() => {
    loop.wake();
    connection?.changed();
  });
  await watch.ready(FIRST_LOOK_MS);
  const leaving = openLeaving({
    data,
    clock,
    name: () => identity.credential.name,
    say: options.say,
    left: () => loop.left(),
    changed: () => connection?.changed(),
    farewell: () => connection?.farewell(),
    notice: options.termination_notice,
    term: { signal: options.leave, within_ms: options.drain_ms },
  });
  const tests = createTester(batteryOf({ data, machine, retest: () => watch.retest() }), options.say);
  try {
    connection = stayConnected({
      urls: options.urls.length > 0 ? options.urls : identity.urls,
      certificate: trustOf(data, identity, options.signal),
      pin: identity.pin,
      credential: identity.credential,
      key: identity.key,
      instance_id: randomHex(16),
      machine,
      readings: () => cards.readings(),
      health: watch,
      leaving: leaving.now,
      noted: leaving.noted,
      loop,
      looker,
      tests,
      fence: openFence(data, options.say, runDirOf(data)),
      clock,
      wall: nowMs,
      random: () => Number.parseInt(randomHex(4), 16) / 2 ** 32,
      say: options.say,
      signal: AbortSignal.any([options.signal, leaving.over]),
      joined: (name) => tellJoined(options, name),
      outgoing: (send) => createOutgoing(send, logsOf(data, tasks.driver)),
    });
    return await leaving.endOf(connection.done);
  } finally {
    leaving.close();
    tests.stop();
    loop.stop();
    watch.close();
    machineWatch.close();
    tasks.driver.close();
    tasks.store.close();
  }
}

/** Returns the function that asks the server for what tasks read, over whichever connection there is. */
const fetchOf =
  (connection: () => Connection | null): FetchPart =>
  (uid, offset) =>
    connection()?.fetch(uid, offset) ?? Promise.resolve({ is: "unconnected" });

/** Watches what is told of the machine beside its cards: whether its disk works, and whose tasks live there. */
async function watchMachine(
  data: string,
  say: (line: string) => void,
  ability: Grounds["ability"],
  { store, driver }: { readonly store: TaskFiles; readonly driver: Driver },
  changed: () => void,
): Promise<{ close(): void }> {
  const disk = await watchDisk(data, changed);
  const foreign = watchForeign(runDirOf(data), say, changed);
  ability.foreign = () => foreign.now();
  ability.trouble = () => disk.trouble() ?? store.trouble() ?? driver.trouble();
  ability.silent = () => driver.silent();
  let silent: string | null = null;
  const looking = setInterval(() => {
    if (driver.silent() === silent) return;
    silent = driver.silent();
    say(silent ?? "every keeper answers again");
    changed();
  }, SILENT_LOOK_MS);
  return {
    close() {
      clearInterval(looking);
      disk.close();
      foreign.close();
    },
  };
}

/** Returns the function that reads the logs that the server asks for. */
const logsOf =
  (data: string, driver: Driver): Reader =>
  (what, signal, begins) => {
    const dirOf = (uid: string): string | null => dirOfTask(data, uid);
    const living = (uid: string): boolean => MAY_WRITE.has(driver.seen().get(uid)?.process.is ?? "none");
    const { uid, element } = what;
    const reader = (): ElementReader | null => driver.reader(uid) ?? keptReader(data, uid);
    const whose = element === undefined ? { living } : elementLog(element, reader(), living);
    return readLog(what, { dirOf, begins, clocks: clocksNow, signal, ...whose });
  };

/** The states of a task's process in which it may write, or will. */
const MAY_WRITE: ReadonlySet<string> = new Set<Seen["process"]["is"]>(["beginning", "alive"]);

/** Returns the identity in the data directory of before. Throws FatalAgentError where there is none. */
function requirePrevious(dir: string): AgentIdentity {
  const identity = readIdentity(join(dir, "agent"));
  if (identity !== null) return identity;
  throw new FatalAgentError(
    "previous",
    `no agent of ${dir} has joined a cluster`,
    "--previous takes the data directory that the agent had, the one with agent/identity.json in it",
    2,
  );
}

type Own = Pick<JoinOptions, "machine" | "also" | "previous">;

/** Joins the cluster. Null: the agent was told to end while it waited for an operator's word. */
async function firstJoin(data: string, options: AgentOptions, own: Own): Promise<AgentIdentity | null> {
  // What the disk owed to an earlier identity in this directory is not of this one.
  for (const forget of [forgetOwed, forgetFence]) forget(runDirOf(data));
  const { token, urls, name, say, signal } = options;
  if (token === null && !hasAsked(data)) {
    throw new FatalAgentError(
      "token",
      "this agent has not joined a cluster yet, and no token was given",
      "on the server: orch token new --role agent; then: orch agent join URL --token-file FILE, or in a terminal",
      2,
    );
  }
  return joinCluster({ data, urls, token, name, ...own, say, signal });
}
