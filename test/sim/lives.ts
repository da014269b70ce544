// The truth about processes, which nobody in the cluster knows: what ran where, from when to when, how it ended and who
// signalled it. It is checked whenever a process starts, is signalled or ends.

import type { TaskFinal } from "../../src/core/model/end";
import { successorUid } from "../../src/core/fresh";
import type { TaskIdentity, TaskRow } from "../../src/core/model/rows-task";
import type { TaskRecord, TaskSettings } from "../../src/core/model/record";
import { slotKey, taskName } from "../../src/core/model/task";
import { checkPromises } from "./cards";
import type { Exit, Machine, Process, Watcher } from "./machine";
import { demand } from "./violation";

export interface Life {
  readonly uid: string;
  readonly identity: TaskIdentity;
  readonly machine: Machine;
  readonly process: Process;
  readonly started_ms: number;
  ended_ms: number | null;
  exit: Exit | null;
}

export interface LivesWorld {
  readonly now: () => number;
  readonly note: (what: string) => void;
  /** Returns the row that any database of this world had last; null if none ever had one. */
  readonly row: (uid: string) => TaskRow | null;
  /** Returns how often a run's task may fail and be started again, as far as it could when this one was placed. */
  readonly retries: (uid: string, run_uid: string) => number;
  /**
   * Returns whether attempts have several members, which all run again when one of them was lost; as far as is known.
   */
  readonly isGang: (identity: TaskIdentity) => boolean;
  /** Returns the end of an attempt that is committed, or null. After a restore it may not be. */
  readonly bookedAs: (uid: string) => TaskFinal["state"] | null;
  /** Returns whether a run whose end nobody knows may run again: a person, or its own policy, says so. */
  readonly mayRepeat: (run_uid: string) => boolean;
  readonly isRestored: () => boolean;
  /** Holds what begins against the timeline that its agent follows. */
  readonly begins: (machine: Machine, uid: string) => void;
  /**
   * Returns whether an attempt may overlap with a newer one: it was given up with a replacement, or is beyond reach.
   */
  readonly mayOverlap: (older: Life, newer: Life) => boolean;
}

export interface Lives extends Watcher {
  readonly all: ReadonlyMap<string, Life>;
  readonly living: ReadonlyMap<string, Life>;
  /**
   * Called when a stop was sent, for a valid reason, to this attempt and to the successors that its agent made of it.
   */
  stopSent(uid: string, attempt: number, grace_ms: number): void;
  /** Called when other settings were sent to this attempt and to the successors that its agent made of it. */
  settingsSent(uid: string, settings: TaskSettings): void;
  /** Called when an agent closed its record. What it wrote must be what happened. */
  recordEnded(machine: Machine, record: TaskRecord): void;
  /** Returns how an attempt's process really ended, whatever was reported. */
  of(uid: string): Life | null;
}

interface Register {
  readonly world: LivesWorld;
  readonly all: Map<string, Life>;
  readonly living: Map<string, Life>;
  readonly bySlot: Map<string, Life[]>;
  readonly stopped: Map<string, Stopped>;
  /** All settings that were sent beside the first ones, by uid. */
  readonly set: Map<string, Told[]>;
}

export function watchLives(world: LivesWorld): Lives {
  const register: Register = {
    world,
    all: new Map(),
    living: new Map(),
    bySlot: new Map(),
    stopped: new Map(),
    set: new Map(),
  };
  const { all, living, stopped, set } = register;
  return {
    all,
    living,
    of: (uid) => all.get(uid) ?? null,
    stopSent: (uid, attempt, grace_ms) => {
      // A restored server may order it once more, with a grace that was changed meanwhile. Either may be the one that
      // came.
      const before = stopped.get(uid) ?? { attempt, at_ms: world.now(), grace_ms };
      stopped.set(uid, { ...before, grace_ms: Math.min(before.grace_ms, grace_ms) });
    },
    settingsSent: (uid, { time_limit_ms, stop }) => {
      const told = { at_ms: world.now(), time_limit_ms, grace_ms: stop.grace_ms };
      set.set(uid, [...(set.get(uid) ?? []), told]);
    },
    claimed: (machine, uid) => world.begins(machine, uid),
    started: (machine, process) => started(register, machine, process),
    signalled: (machine, process, signal, by) => signalled(register, machine, process, signal, by),
    ended: (machine, process, exit) => ended(register, machine, process, exit),
    recordEnded: (machine, { end, assignment }) => {
      const life = all.get(assignment.uid);
      demand(
        end === null || life === undefined || life.ended_ms !== null,
        "I8: no end is recorded of what lives",
        () => `${assignment.name} on ${machine.id} as ${end?.state ?? ""}`,
      );
    },
  };
}

function started(register: Register, machine: Machine, process: Process): void {
  const { world, all, living, bySlot } = register;
  const { identity, boot_id } = process.assignment;
  const life: Life = {
    uid: process.uid,
    identity,
    machine,
    process,
    started_ms: world.now(),
    ended_ms: null,
    exit: null,
  };
  world.note(`+ ${taskName(identity)} ${short(life.uid)} on ${machine.id}`);
  demand(!all.has(life.uid), "I5: an attempt executes once", () => `${describe(life)} was executed before`);
  const end = machine.disk.records.get(life.uid)?.end ?? null;
  demand(end === null, "12: what has ended never begins", () => `${describe(life)} is ${end?.state ?? ""}`);
  demand(boot_id === machine.boot_id, "12: an assignment is for one boot", () => `${describe(life)} is for ${boot_id}`);
  const early = process.assignment.heir_of?.find((uid) => machine.processes.has(uid));
  demand(
    early === undefined,
    "33: an heir comes after its line",
    () => `${describe(life)} beside ${short(early ?? "")}`,
  );
  const key = slotKey(identity.owner_uid, identity.slot);
  const others = bySlot.get(key) ?? [];
  // The batches of an array are many at once, and their elements are watched by themselves.
  if (process.batch === null) {
    for (const other of others) checkPair(other, life, world);
    checkFinished(others, life, register);
    checkRate(others, life, world);
  }
  bySlot.set(key, [...others, life]);
  all.set(life.uid, life);
  living.set(life.uid, life);
  checkRoom(machine);
}

function signalled(
  { world, all, stopped, set }: Register,
  machine: Machine,
  process: Process,
  signal: string,
  by: "agent" | "lease",
): void {
  const life = all.get(process.uid);
  world.note(`! ${signal} by ${by} to ${taskName(process.assignment.identity)} on ${machine.id}`);
  if (life === undefined || by === "lease") return;
  // Times are sums of fractions, and the same instant may be told by a hair apart.
  const orders = [...ordersFor(process, stopped), ...limitsOf(process, set)].filter(
    ({ at_ms }) => Math.floor(at_ms) <= world.now(),
  );
  demand(orders.length > 0, "I7: nothing is stopped without an order", () => `${describe(life)} got ${signal}`);
  const asked_ms = process.signals.find((one) => one.by === "agent")?.at_ms ?? world.now();
  const killable_ms = Math.min(...orders.map(({ at_ms, grace_ms }) => Math.max(at_ms, asked_ms) + grace_ms));
  demand(
    signal !== "KILL" || world.now() >= killable_ms,
    "L5: a grace is kept",
    () => `${describe(life)} is killed ${killable_ms - world.now()} ms early`,
  );
}

function ended({ world, all, living }: Register, machine: Machine, process: Process, exit: Exit): void {
  const life = all.get(process.uid);
  if (life === undefined) return;
  world.note(
    `- ${taskName(process.assignment.identity)} ${short(life.uid)} on ${machine.id}: ` +
      `${exit.exit_code ?? exit.signal ?? "?"}`,
  );
  Object.assign(life, { ended_ms: world.now(), exit });
  living.delete(process.uid);
}

export const short = (uid: string): string => uid.slice(0, 6);

export const describe = (life: Life): string =>
  `${taskName(life.identity)} v${life.identity.version} ${short(life.uid)} on ${life.machine.id}`;

/**
 * Checks that one attempt of a slot and version lives at a time, unless the workload's policy gave the older one up.
 */
function checkPair(older: Life, newer: Life, world: LivesWorld): void {
  const a = older.identity,
    b = newer.identity;
  const mayOverlapNow = (): boolean => world.mayOverlap(older, newer);
  if (older.ended_ms !== null) return;
  const leases = [older, newer].filter((life) => life.process.assignment.lease_ms !== null).length;
  const mayBoth = leases === 0 || a.attempt === b.attempt || (leases === 1 && mayOverlapNow());
  demand(mayBoth, "I3: an exclusive slot never has two", () => `${describe(newer)} beside ${describe(older)}`);
  if (a.attempt === b.attempt && a.member !== b.member) return;
  demand(
    a.attempt !== b.attempt || mayOverlapNow(),
    "I3: an attempt number is one task",
    () => `${describe(newer)} beside ${describe(older)}`,
  );
  if (a.version !== b.version) return;
  demand(
    mayOverlapNow(),
    "I3: one live attempt a slot and version",
    () => `${describe(newer)} beside ${describe(older)}`,
  );
}

/** Checks that what lives on a machine fits on it, and that no device is given out twice. */
function checkRoom(machine: Machine): void {
  let cpu = 0,
    memory = 0;
  for (const process of machine.processes.values()) {
    cpu += process.assignment.promised.cpu_milli * shareOf(process);
    memory += process.assignment.promised.memory_bytes * shareOf(process);
  }
  checkPromises(
    machine.devices,
    [...machine.processes.values()].map(({ assignment }) => assignment.promised),
  );
  demand(
    cpu <= machine.capacity.cpu_milli && memory <= machine.capacity.memory_bytes,
    "I4: a node is never over-committed",
    () => `${machine.id} has ${cpu} of ${machine.capacity.cpu_milli} milli-cores, ${memory} bytes promised`,
  );
}

/** Returns how much of its promise a task may use: a batch has given places up, or lost its keeper. */
const shareOf = ({ batch, kept, assignment }: Process): number =>
  batch === null ? 1 : (kept ? batch.open : batch.running.size) / (assignment.batch?.places ?? 1);

interface Stopped {
  readonly attempt: number;
  readonly at_ms: number;
  readonly grace_ms: number;
}

/**
 * Returns the orders to stop a process. An order for an attempt also covers the successors that its agent made of it.
 */
function ordersFor({ uid, assignment }: Process, stopped: ReadonlyMap<string, Stopped>): Stopped[] {
  const { attempt } = assignment.identity;
  return [...stopped]
    .filter(([first, order]) => first === uid || descends(uid, attempt, first, order.attempt))
    .map(([, order]) => order);
}

/** Returns whether an agent made this attempt of another one under its grant. */
export function descends(uid: string, attempt: number, first_uid: string, first: number): boolean {
  let next = first_uid;
  for (let n = first + 1; n <= attempt && first > 0; n++) {
    next = successorUid(next, n);
    if (next === uid) return true;
  }
  return false;
}

/** A time limit and a grace that were sent, and when. */
interface Told extends Pick<Stopped, "at_ms" | "grace_ms"> {
  readonly time_limit_ms: number | null;
}

/** Returns when each time limit that a process ever had may stop it. A changed one stops nothing in the past. */
function limitsOf(
  { uid, assignment, started_ms }: Process,
  set: ReadonlyMap<string, readonly Told[]>,
): Pick<Stopped, "at_ms" | "grace_ms">[] {
  const { stop, batch } = assignment;
  // That of a batch is one of each of its elements, and the agent's once all of them are over it.
  const late_ms = batch === undefined ? 0 : batch.begins_for_ms + stop.grace_ms;
  const time_limit_ms = assignment.time_limit_ms === null ? null : assignment.time_limit_ms + late_ms;
  const first: Told = { at_ms: started_ms, time_limit_ms, grace_ms: stop.grace_ms };
  return [first, ...(set.get(uid) ?? [])].map(({ at_ms, grace_ms, time_limit_ms: limit }) => ({
    at_ms: limit === null ? Number.POSITIVE_INFINITY : Math.max(at_ms, started_ms + limit),
    grace_ms,
  }));
}

const isInTime = ({ exit, process }: Life, set: Register["set"]): boolean =>
  limitsOf(process, set).every(({ at_ms }) => exit !== null && exit.ended_ms < at_ms);

const endedAlone = (life: Life): boolean =>
  life.exit !== null && life.exit.exit_code !== null && life.process.signals.length === 0;

/** Returns whether an attempt was stopped since somebody had cancelled its run, as its agent has written it down. */
const wasCancelled = ({ machine, uid }: Life): boolean => {
  const end = machine.disk.records.get(uid)?.end;
  return end?.state === "stopped" && end.started_ms !== null && end.reason?.startsWith("cancelled by ") === true;
};

/**
 * I5 and L3 for jobs of one member: success is not repeated, nor what nobody knows of unless somebody said so; and
 * failure only as often as the job's retries allow.
 */
function checkFinished(others: readonly Life[], life: Life, { world, set }: Register): void {
  const { identity, process } = life;
  const isGang = world.isGang(identity) || [...others, life].some((other) => other.identity.member > 0);
  if (identity.kind !== "job" || isGang) return;
  const ended = others.filter((other) => other.ended_ms !== null && !world.mayOverlap(other, life));
  const isUnknown = ({ uid }: Life): boolean => world.bookedAs(uid) === "unknown";
  const asked = world.mayRepeat(identity.owner_uid) ? undefined : ended.find(isUnknown);
  demand(
    asked === undefined,
    "I5: what nobody knows to have failed never runs again by itself",
    () => `${describe(life)} after ${describe(asked ?? life)}`,
  );
  const cancelled = world.mayRepeat(identity.owner_uid) ? undefined : ended.find(wasCancelled);
  demand(
    cancelled === undefined,
    "I5: what somebody cancelled never runs again by itself",
    () => `${describe(life)} after ${describe(cancelled ?? life)}`,
  );
  const before = ended.filter((other) => endedAlone(other) && !isUnknown(other));
  const done = before.find((other) => other.exit?.exit_code === 0 && isInTime(other, set));
  demand(
    done === undefined,
    "I5: finished work never runs again",
    () => `${describe(life)} after ${describe(done ?? life)}`,
  );
  const retries = world.retries(life.uid, identity.owner_uid);
  // A restored database takes in the ends of different nodes in any order, and counts only those without a later
  // attempt.
  if (world.isRestored()) return;
  const failed = before.filter((other) => other.exit?.exit_code !== 0 && world.bookedAs(other.uid) !== null).length;
  demand(
    failed <= retries || process.assignment.identity.attempt === 1,
    "L3: retries are bounded",
    () => `${describe(life)} after ${failed} failures, ${retries} retries`,
  );
}

const CROWD_MS = 5_000;
const CROWD = 7;

/** L3: what crashes is started again at growing intervals. */
function checkRate(others: readonly Life[], life: Life, world: LivesWorld): void {
  const recent = others.filter(
    (other) =>
      other.identity.version === life.identity.version &&
      other.identity.member === life.identity.member &&
      endedAlone(other) &&
      life.started_ms - other.started_ms < CROWD_MS &&
      !world.mayOverlap(other, life),
  );
  demand(
    recent.length < CROWD,
    "L3: restarts are bounded",
    () => `${describe(life)} is the ${recent.length + 1}th in 5 s`,
  );
}
