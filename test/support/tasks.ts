// Tasks for tests of the agent: records with every field set, and a driver over a temporary data directory.

import { accessOf, type DeviceAccess } from "../../src/agent/devices/access";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { createAccounts, type AccountMode } from "../../src/agent/machine/account";
import type { Driver } from "../../src/agent/drivers/driver";
import { openProcessDriver } from "../../src/agent/drivers/process";
import { claimStopped } from "../../src/agent/loop/acts";
import { openTaskStore, type TaskStore } from "../../src/agent/tasks/store";
import type { Orphan } from "../../src/core/model/rows-node";
import type { Promised } from "../../src/core/model/promised";
import type { Fence } from "../../src/core/agent/fence";
import type { AgentView } from "../../src/core/agent/step";
import type { RecordEnd } from "../../src/core/model/end";
import type { Assignment, Seen, Stamp, TaskRecord } from "../../src/core/model/record";
import { MIB } from "../../src/core/units";
import { bootMs } from "../../src/os/clock";
import { randomHex } from "../../src/os/dice";
import { bootId } from "../../src/os/proc";
import { runDirOf, runName } from "../../src/agent/machine/rundir";
import { KEEPER_COMMAND } from "./fixtures/keeper";
import { cgroupsOf, processesOf, signal } from "./processes";
import { makeScratch, removeScratch } from "./scratch";
import { waitUntil } from "./wait";

/** Makes an assignment of a shell script, or of an argv. `over` replaces any other field. */
export function assignmentFor(command: string | readonly string[], over: Partial<Assignment> = {}): Assignment {
  const uid = over.uid ?? randomHex(16);
  return {
    uid,
    name: `test.task.0-${uid.slice(0, 4)}`,
    boot_id: bootId(),
    desired: "run",
    grant_until: 1,
    streak: 0,
    identity: {
      owner_uid: randomHex(16),
      app_uid: null,
      project: "p",
      user: "alice",
      app: "test",
      workload: "task",
      kind: "job",
      run: 1,
      version: 1,
      spec_hash: "",
      slot: 0,
      member: 0,
      attempt: 1,
    },
    command:
      typeof command === "string" ? { kind: "shell", shell: "sh", script: command } : { kind: "argv", argv: command },
    env: {},
    workdir: null,
    unix_user: null,
    may_be_system: true,
    server_uid: null,
    promised: {
      cpu_milli: 100,
      memory_bytes: 256 * MIB,
      disk_bytes: 0,
      countables: {},
      memory_limited: false,
      devices: [],
      ports: [],
    },
    stop: { signal: "TERM", grace_ms: 2_000 },
    restart: { backoff_min_ms: 1_000, backoff_max_ms: 60_000, attempts: null, offline: false },
    stable_ms: 60_000,
    time_limit_ms: null,
    lease_ms: null,
    ...over,
  };
}

export const recordFor = (assignment: Assignment): TaskRecord => ({
  assignment,
  boot_id: bootId(),
  accepted_ms: 0,
  go: true,
  not_before_ms: 0,
  stop: null,
  verdict: null,
  end: null,
});

/** What an agent's core looks at: tasks on a machine where all is well. `over` replaces any other field. */
export const viewOf = (records: readonly TaskRecord[], over: Partial<AgentView> = {}): AgentView => ({
  records: new Map(records.map((record) => [record.assignment.uid, record])),
  seen: new Map(),
  busy: new Set(),
  signalled: new Map(),
  reserved: new Set(),
  boot_id: bootId(),
  now_ms: 0,
  begun_ms: 0,
  capacity: { cpu_milli: 1, memory_bytes: 1, disk_bytes: 1, countables: {} },
  devices: [],
  unreadable: [],
  blames: new Map(),
  blocked: new Map(),
  fetching: new Map(),
  heard_ms: null,
  ...over,
});

/** The end of a task that succeeded without a successor. */
export const SUCCEEDED: RecordEnd = {
  state: "succeeded",
  exit_code: 0,
  signal: null,
  reason: null,
  peak_memory_bytes: null,
  started_ms: 20,
  finished_ms: 90,
  next_uid: null,
};

export interface SiteOptions {
  readonly version?: string;
  readonly accounts?: AccountMode;
  readonly access?: (promised: Promised["devices"]) => DeviceAccess;
  readonly log_cap_bytes?: number;
  readonly keeper_command?: readonly string[];
  /** Whether what the disk does not take is owed, as with an agent. It is an error of its caller otherwise. */
  readonly owes?: boolean;
}

/** The fence of an agent that has applied nothing yet, and a stamp of the server that it knows. */
export const FENCE: Fence & Stamp = {
  cluster_id: "c",
  timeline: "t",
  epoch: 1,
  session: 1,
  applied_n: 0,
  revision: 0,
  since: 0,
  passed: null,
  signature: "",
};

/** The tasks of one agent without its loop: a store, and the driver beside it. */
export interface OpenTasks {
  readonly store: TaskStore;
  readonly driver: Driver;
  /** Reads all records and looks at all tasks, as a loop does once when it starts. */
  load(): Promise<{ readonly records: Map<string, TaskRecord>; readonly orphans: readonly Orphan[] }>;
  /** Claims an attempt so that it never executes, and ends what lives of it without a record. */
  claim(uid: string): Promise<void>;
  close(): void;
}

/** `close` lets go of both, as an agent does that ends. */
export function tasksOf(store: TaskStore, driver: Driver, close: () => void): OpenTasks {
  return {
    store,
    driver,
    load: async () => {
      const stored = await store.read();
      return { records: stored.records, orphans: await driver.find(stored) };
    },
    claim: async (uid) => void (await claimStopped({ store, driver }, uid)),
    close,
  };
}

export interface Site {
  readonly data: string;
  readonly said: string[];
  open(options?: SiteOptions): Promise<OpenTasks>;
  /** Ends everything; gives back the control groups that are left, which shall be none. */
  close(): Promise<string[]>;
}

/** Makes a temporary data directory for drivers. `close` ends everything that runs for it. */
export async function makeSite(): Promise<Site> {
  const dir = makeScratch("agent");
  const data = join(dir, "agent");
  const said: string[] = [];
  const open: OpenTasks[] = [];
  return {
    data,
    said,
    open: async (options = {}) => {
      const say = (line: string): void => void said.push(line);
      const store = openTaskStore(data, say, options.owes === true ? runDirOf(data) : null);
      const driver = await openProcessDriver({
        data,
        store,
        version: options.version ?? "1",
        clock: bootMs,
        accounts: createAccounts(options.accounts ?? "existing"),
        access: options.access ?? ((promised) => accessOf(promised, [], { keeps: false, mps: null })),
        keeper_command: options.keeper_command ?? KEEPER_COMMAND,
        say,
        ...(options.log_cap_bytes === undefined ? {} : { log_cap_bytes: options.log_cap_bytes }),
      });
      const tasks = tasksOf(store, driver, () => {
        driver.close();
        store.close();
      });
      open.push(tasks);
      return tasks;
    },
    close: async () => {
      for (const tasks of open) tasks.close();
      try {
        // Keepers end by themselves once their tasks are over, and take their control groups with them.
        await waitUntil("the keepers to end", () => {
          const left = processesOf(dir);
          for (const one of left) if (!one.command.includes(KEEPER_COMMAND[1] ?? "")) signal(one, "SIGKILL");
          return left.length === 0;
        });
      } finally {
        removeScratch(dir);
        await rm(runDirOf(data), { recursive: true, force: true });
      }
      return cgroupsOf(runName(data));
    },
  };
}

/** Writes the record of a task and starts it. */
export async function begin({ store, driver }: OpenTasks, assignment: Assignment): Promise<string> {
  const record = recordFor(assignment);
  await store.write(record);
  await driver.start(record);
  return assignment.uid;
}

export type Ended = Extract<Seen["process"], { is: "ended" }>;

export const ended = async ({ driver }: Pick<OpenTasks, "driver">, uid: string, deadline_ms = 10_000): Promise<Ended> =>
  waitUntil(
    `task ${uid} to end`,
    () => {
      const seen = driver.seen().get(uid)?.process;
      return seen?.is === "ended" ? seen : null;
    },
    deadline_ms,
  );

/** Waits until a task's process lives, and gives back its pid. */
export const alive = async ({ driver }: Pick<OpenTasks, "driver">, uid: string): Promise<number> =>
  waitUntil(`task ${uid} to live`, () => {
    const seen = driver.seen().get(uid)?.process;
    return seen?.is === "alive" ? seen.handle.pid : null;
  });

/** Returns the whole of a task's stream, wherever its directory is. */
export async function output(data: string, uid: string, name: "stdout" | "stderr" = "stdout"): Promise<string> {
  for (const place of ["tasks", "ended"]) {
    const file = Bun.file(join(data, place, uid, name));
    if (await file.exists()) return file.text();
  }
  return "";
}
