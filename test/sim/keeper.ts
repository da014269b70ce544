// The keeper of a machine: it claims, starts, signals and watches processes by itself, so that they outlive the agent.
// The ends of leases are in lease.ts.

import { HOUSE_LIMITS, LEASE_TIMES } from "../../src/core/limits";
import type { StartTrouble } from "../../src/core/model/end";
import type { Assignment } from "../../src/core/model/record";
import { leasePhase } from "../../src/agent/keeper/lease";
import { keptExit, startFailed } from "../../src/agent/tasks/taskdir";
import { SimBatch, type BatchHands } from "./batches";
import { leaveRemains } from "./card-gate";
import { bootClocks, clocksOf } from "./clocks";
import type { Executions } from "./elements";
import { losePower } from "./journal";
import { behaviourOf, claim, freshRun, type Exit, type Machine, type Process, type Watcher } from "./machine";
import { supervise } from "./lease";
import type { Random } from "./random";
import type { Schedule } from "./schedule";

export interface Keeper {
  /** Asks the keeper to claim and start a task. The keeper goes on by itself, also when the agent dies. */
  start(machine: Machine, assignment: Assignment, done: () => void): void;
  signal(machine: Machine, uid: string, signal: string, by: "agent" | "lease"): void;
  /** Kills the keeper: nobody writes down how its tasks end, and exclusive ones end with it. */
  die(machine: Machine): void;
  reboot(machine: Machine): void;
  powerOff(machine: Machine): void;
}

export interface Watchers {
  readonly lives: Watcher;
  readonly elements: Executions;
  readonly wrote: BatchHands["wrote"];
}

interface Hands {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly watcher: Watcher;
  readonly batches: BatchHands;
  /** Whether nothing goes wrong any more. */
  readonly isCalm: () => boolean;
  next_pid: number;
}

export function makeKeeper(
  schedule: Schedule,
  random: Random,
  { lives, elements, wrote }: Watchers,
  isCalm: () => boolean = () => false,
): Keeper {
  const batches: BatchHands = {
    schedule,
    random: random.fork("batches"),
    elements,
    isCalm,
    wrote,
    over: (machine, process, exit) => finish(hands, machine, process, exit ?? unseen(process, schedule.now_ms)),
  };
  const hands: Hands = { schedule, random, watcher: lives, batches, isCalm, next_pid: 1_000 };
  return {
    start: (machine, assignment, done) => start(hands, machine, assignment, done),
    signal: (machine, uid, name, by) => signal(hands, machine, uid, name, by),
    die: (machine) => die(hands, machine),
    powerOff: (machine) => {
      machine.power = "off";
      down(hands, machine);
    },
    reboot: (machine) => {
      down(hands, machine);
      machine.boots++;
      machine.boot_id = `${machine.id}-boot-${machine.boots}`;
      bootClocks(machine.clocks, random, schedule.now_ms);
      if (random.chance(0.3)) machine.kernel = `${machine.boots}`;
      machine.power = "on";
    },
  };
}

/** How a task ended whose keeper is dead. Nobody writes it down. */
const unseen = ({ started_ms }: Process, ended_ms: number): Exit => ({
  exit_code: null,
  signal: null,
  started_ms,
  ended_ms,
  reason: null,
});

function start(hands: Hands, machine: Machine, assignment: Assignment, done: () => void): void {
  const { schedule, random } = hands;
  const { boot_id } = machine;
  const { deaths } = machine;
  const isSameBoot = (): boolean => machine.boot_id === boot_id && machine.power === "on" && machine.deaths === deaths;
  // A keeper that hangs, or whose disk does, begins nothing meanwhile.
  const { keeper, disk } = machine.hangs;
  schedule.at(Math.max(schedule.now_ms, keeper, disk) + random.int(1, 30), () => {
    if (!isSameBoot() || !hasLease(machine, assignment, schedule.now_ms)) return done();
    const { records, acked } = machine.disk;
    const hasDirectory = records.has(assignment.uid) && !acked.has(assignment.uid);
    if (!hasDirectory || !claim(machine, assignment.uid, assignment)) return done();
    hands.watcher.claimed(machine, assignment.uid);
    machine.starting.add(assignment.uid);
    machine.changed();
    schedule.in(random.int(1, 10), () => {
      if (!isSameBoot()) return done();
      machine.starting.delete(assignment.uid);
      const { workdir } = assignment;
      if (workdir !== null && !machine.directories.has(workdir)) lack(hands, machine, assignment, "no_directory");
      else if (!random.chance(0.05) || hands.isCalm()) spawn(hands, machine, assignment);
      else lack(hands, machine, assignment, random.pick(LACKS));
      done();
    });
  });
}

/** What a machine may lack for a start. Where all lack the command, the run fails, so that is left to other tests. */
const LACKS = ["no_directory", "no_account", "port_taken", "node_unable"] as const;

/** Ends a task that was claimed and cannot begin on this machine. */
function lack({ schedule }: Hands, machine: Machine, { uid }: Assignment, what: StartTrouble): void {
  const at_ms = schedule.now_ms;
  const failed = startFailed("its machine lacks something", what);
  keep(machine, uid, { exit_code: null, signal: null, started_ms: at_ms, ended_ms: at_ms, ...failed }, at_ms);
  machine.changed();
}

/** The keeper begins an exclusive task only under a lease that is valid as far as the keeper itself knows. */
function hasLease({ run }: Machine, { lease_ms, stop }: Assignment, now_ms: number): boolean {
  return lease_ms === null || leasePhase(run.heard.keeper, lease_ms, stop.grace_ms, now_ms).is === "held";
}

function spawn(hands: Hands, machine: Machine, assignment: Assignment): void {
  const { schedule, watcher } = hands;
  const process: Process = {
    uid: assignment.uid,
    assignment,
    pid: hands.next_pid++,
    started_ms: schedule.now_ms,
    behaviour: behaviourOf(assignment),
    kept: true,
    batch: null,
    signals: [],
  };
  machine.processes.set(assignment.uid, process);
  if (assignment.batch !== undefined) process.batch = new SimBatch(hands.batches, machine, process, assignment.batch);
  watcher.started(machine, process);
  if (process.batch !== null) {
    process.batch.begin();
    return machine.changed();
  }
  const { lives_ms, code } = process.behaviour;
  if (lives_ms !== null) {
    schedule.in(lives_ms, () =>
      finish(hands, machine, process, {
        exit_code: code,
        signal: null,
        started_ms: process.started_ms,
        ended_ms: schedule.now_ms,
        reason: code === 0 ? null : reasonOf(process.uid),
      }),
    );
  }
  if (assignment.lease_ms !== null) {
    const ended = (on: Machine, uid: string, name: string): void => signal(hands, on, uid, name, "lease");
    supervise({ schedule, random: hands.random, signal: ended }, machine, process, assignment.lease_ms);
  }
  machine.changed();
}

/** Returns the words of a command that failed. Some are longer than any message may hold. */
const reasonOf = (uid: string): string | null =>
  /^[0-7]/.test(uid) ? null : "w".repeat(/^[89ab]/.test(uid) ? 60 : 2 * HOUSE_LIMITS.text_chars);

function finish({ watcher, random, schedule }: Hands, machine: Machine, process: Process, exit: Exit): void {
  if (machine.processes.get(process.uid) !== process) return;
  machine.processes.delete(process.uid);
  leaveRemains(machine, process, random, schedule);
  if (process.kept && machine.disk.claims.has(process.uid)) keep(machine, process.uid, exit, schedule.now_ms);
  watcher.ended(machine, process, exit);
  machine.changed();
}

/** Writes down how a task ended, by the clocks of the machine. */
function keep(machine: Machine, uid: string, exit: Exit, now_ms: number): void {
  const { boot_ms } = machine.clocks;
  const [started_ms, ended_ms] = [exit.started_ms + boot_ms, exit.ended_ms + boot_ms];
  const seen = { ...exit, started_ms, ended_ms, peak_memory_bytes: null, oom: false, left: 0 };
  const told: unknown = JSON.parse(JSON.stringify(keptExit(seen, clocksOf(machine, now_ms))));
  machine.disk.exits.set(uid, { boot_id: machine.boot_id, told });
}

function signal(hands: Hands, machine: Machine, uid: string, name: string, by: "agent" | "lease"): void {
  const { schedule, random, watcher } = hands;
  const process = machine.processes.get(uid);
  if (process === undefined) return;
  process.signals.push({ signal: name, by, at_ms: schedule.now_ms });
  watcher.signalled(machine, process, name, by);
  if (process.batch !== null) return process.batch.signal(name);
  if (name !== "KILL" && process.behaviour.hangs) return;
  // A killed process may take a while to be gone, on a machine that is loaded.
  const dying_ms = by === "lease" && random.chance(0.2) ? LEASE_TIMES.dying_ms : 20;
  const delay = name === "KILL" ? random.int(1, dying_ms) : random.int(1, 3_000);
  schedule.in(delay, () =>
    finish(hands, machine, process, {
      exit_code: null,
      signal: name,
      started_ms: process.started_ms,
      ended_ms: schedule.now_ms,
      ...(by === "lease" ? { cause: "lease_expired", reason: "its lease ran out" } : { reason: null }),
    }),
  );
}

function die(hands: Hands, machine: Machine): void {
  machine.deaths++;
  machine.hangs.keeper = 0;
  machine.starting.clear();
  for (const process of Array.from(machine.processes.values())) {
    process.kept = false;
    process.batch?.orphan();
    if (process.assignment.lease_ms !== null) signal(hands, machine, process.uid, "KILL", "lease");
  }
  machine.changed();
}

function down({ schedule, watcher, batches }: Hands, machine: Machine): void {
  for (const journal of machine.disk.journals.values()) losePower(journal, batches.random);
  for (const process of Array.from(machine.processes.values())) {
    machine.processes.delete(process.uid);
    process.batch?.powerOff();
    watcher.ended(machine, process, {
      exit_code: null,
      signal: "POWER",
      started_ms: process.started_ms,
      ended_ms: schedule.now_ms,
      reason: "the machine went down",
    });
  }
  machine.starting.clear();
  machine.remains = [];
  for (const uid of machine.run.owed.keys()) if (!machine.disk.records.has(uid)) machine.unwritten.add(uid);
  machine.run = freshRun();
  Object.assign(machine.hangs, { keeper: 0, guard: 0, disk: 0 });
}
