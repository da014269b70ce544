// The faults of the first phase. Each kind occurs again and again at random times, and most pass by themselves.

import { hangUp } from "./ambush";
import { GIB } from "../../src/core/units";
import { cutAlone, isQuiet } from "./alone";
import { cardTurnsBad, strangerComes } from "./cards";
import { backUp, olderCopy, restore, wrongDatabase } from "./copies";
import { bootAgent, bootServer, crashAgent, crashServer } from "./processes";
import type { World } from "./world";
import { drawError } from "./clocks";
import { emptyDatabase } from "./database";
import { TROUBLES, type Trouble } from "./faults";
import { hangs } from "./hangs";
import { later } from "./later";
import { freshDisk, makeRoom, type Machine } from "./machine";
import { joinMachine } from "./operators";

/** Lets every kind of fault of this seed occur at its own times until the world is calm. */
export function beginTroubles(world: World): void {
  for (const trouble of TROUBLES) {
    const every_ms = world.faults.every_ms[trouble];
    if (every_ms !== null) again(world, trouble, every_ms);
  }
  if (world.faults.every_ms.restore !== null || world.faults.every_ms.wrong_copy !== null) backUp(world);
}

function again(world: World, trouble: Trouble, every_ms: number): void {
  world.schedule.in(world.dice.troubles.wait(every_ms), () => {
    if (world.calm) return;
    if (!isQuiet(world)) MAKE[trouble](world);
    again(world, trouble, every_ms);
  });
}

const someMachine = (world: World): Machine => world.dice.troubles.pick(world.machines);

function cut(world: World, way: "up" | "down" | "both", count: number): void {
  const machines = new Set(Array.from({ length: count }, () => someMachine(world)));
  const names = [...machines].map(({ id }) => id).join(" ");
  world.trace.note(`cut ${way}: ${names}`);
  for (const { id } of machines) world.network.cut(id, way);
  later(world, 240_000, () => {
    world.trace.note(`mended: ${names}`);
    for (const { id } of machines) world.network.mend(id);
  });
}

function breakLink(world: World): void {
  const { id } = someMachine(world);
  world.network.breakLinks(id);
  world.heardSince.delete(id);
}

function pauseAgent(world: World): void {
  const agent = world.agents.get(someMachine(world).id);
  if (agent === undefined || agent.owner.state !== "running") return;
  world.trace.note(`agent ${agent.machine.id} stopped`);
  agent.owner.state = "paused";
  later(world, 240_000, () => {
    world.trace.note(`agent ${agent.machine.id} wakes`);
    world.host.wake(agent.owner);
  });
}

function pauseServer(world: World): void {
  const { server } = world;
  if (server === null || server.owner.state !== "running") return;
  world.trace.note("server stalls");
  server.owner.state = "paused";
  later(world, 120_000, () => {
    world.trace.note("server goes on");
    world.host.wake(server.owner);
  });
}

function killServerFor(world: World): void {
  // Each start of a wrong database makes it look newer. Nobody goes on starting a server that every node refuses.
  if (world.wrongDatabase) return;
  const { troubles } = world.dice;
  crashServer(world, troubles.chance(0.3));
  // Mostly something restarts the server at once.
  later(world, troubles.chance(0.6) ? 5_000 : 120_000, () => void bootServer(world));
}

function reboot(world: World, machine: Machine): void {
  if (machine.power === "dead") return;
  world.trace.note(`${machine.id} reboots`);
  crashAgent(world, machine);
  world.keeper.reboot(machine);
  bootAgent(world, machine);
}

function powerOff(world: World): void {
  const machine = someMachine(world);
  if (machine.power !== "on") return;
  world.trace.note(`${machine.id} goes down`);
  crashAgent(world, machine);
  world.keeper.powerOff(machine);
  later(world, 300_000, () => reboot(world, machine));
}

function death(world: World): void {
  const machine = someMachine(world);
  if (machine.power === "dead" || world.machines.filter(({ power }) => power === "on").length < 2) return;
  world.trace.note(`${machine.id} dies for good`);
  crashAgent(world, machine);
  world.keeper.powerOff(machine);
  machine.power = "dead";
}

/** Loses the agent's data directory, at once or when the agent has been away. Somebody lets the machine join again. */
function loseDisk(world: World): void {
  const machine = someMachine(world);
  if (machine.power !== "on" || machine.disk.identity === null) return;
  crashAgent(world, machine);
  if (world.dice.troubles.chance(0.5)) loseDiskOf(world, machine);
  else later(world, 60_000, () => loseDiskOf(world, machine));
}

function loseDiskOf(world: World, machine: Machine): void {
  if (machine.power !== "on" || machine.disk.identity === null) return;
  world.trace.note(`${machine.id} loses its agent's disk`);
  crashAgent(world, machine);
  world.lostDisks.add(machine.id);
  const { records, claims, unreadable } = machine.disk;
  for (const uid of [records, claims, unreadable, machine.processes].flatMap((each) => [...each.keys()])) {
    world.unknowable.add(uid);
  }
  machine.run.owed.clear();
  machine.disk = freshDisk();
  joinMachine(world, machine);
  comeBack(world, machine);
}

/**
 * Breaks connections some time after. What the new disk has applied by then proves nothing about the time before it.
 */
function comeBack(world: World, machine: Machine): void {
  const { ambush } = world.dice;
  for (const after_ms of [ambush.int(500, 10_000), ambush.int(10_000, 60_000)]) {
    world.schedule.in(after_ms, () => {
      if (!world.calm) hangUp(world, machine.id);
    });
  }
}

/** Kills a machine's keeper, so that nobody writes down how its tasks end; perhaps together with the agent. */
function keeperDies(world: World, withAgent: boolean): void {
  const machine = someMachine(world);
  if (machine.power !== "on") return;
  world.trace.note(`the keeper of ${machine.id} is killed`);
  for (const uid of [...machine.processes.keys(), ...machine.starting]) world.unknowable.add(uid);
  if (withAgent) crashAgent(world, machine);
  world.keeper.die(machine);
  if (withAgent) later(world, 60_000, () => bootAgent(world, machine));
}

/** Lets a machine's keeper hang for a while. What it was asked to begin meanwhile begins when it goes on. */
function keeperHangs(world: World): void {
  const machine = someMachine(world);
  if (machine.power !== "on") return;
  world.trace.note(`the keeper of ${machine.id} hangs`);
  machine.hangs.keeper = world.schedule.now_ms + world.dice.troubles.int(1_000, LONGEST_HANG_MS);
}

const LONGEST_HANG_MS = 30_000;

/** Loses the directory of one task, living or ended, while the agent is away. */
function loseTaskDir(world: World): void {
  const machine = someMachine(world);
  const { records, claims, exits, journals, acked, unreadable } = machine.disk;
  // With its journal lost as well, nothing on the machine could know that a task ran.
  const uids = [...new Set([...records.keys(), ...claims.keys()])].filter(
    (uid) => !claims.has(uid) || machine.run.claims.has(uid),
  );
  if (!world.agents.has(machine.id) || uids.length === 0) return;
  const uid = world.dice.troubles.pick(uids);
  crashAgent(world, machine);
  world.trace.note(`${machine.id} loses the directory of task ${uid.slice(0, 6)}`);
  world.unknowable.add(uid);
  for (const each of [records, claims, exits, journals, acked, unreadable]) each.delete(uid);
  later(world, 60_000, () => bootAgent(world, machine));
}

/**
 * Loses the keepers' journal of what has ended, while the agent is away. Of a task whose directory is lost as well the
 * journal stays: with both, nothing on the machine could know that it ran.
 */
function loseJournal(world: World): void {
  const machine = someMachine(world);
  if (!world.agents.has(machine.id)) return;
  crashAgent(world, machine);
  world.trace.note(`${machine.id} loses its journal`);
  for (const uid of machine.run.claims.keys()) {
    if (!machine.processes.has(uid) && !machine.starting.has(uid) && machine.disk.claims.has(uid))
      machine.run.claims.delete(uid);
  }
  bootAgent(world, machine);
}

/** Longer than a keeper takes to begin an order. */
const START_MS = 50;

/** Restarts the agent with less capacity than it had. */
function shrink(world: World): void {
  const machine = someMachine(world);
  if (!world.agents.has(machine.id) || machine.hangs.keeper > world.schedule.now_ms) return;
  crashAgent(world, machine);
  const { cpu_milli, memory_bytes } = machine.capacity;
  world.schedule.in(START_MS, () => {
    crashAgent(world, machine);
    machine.capacity = {
      ...machine.capacity,
      cpu_milli: Math.max(1_000, Math.floor(cpu_milli / 2)),
      memory_bytes: Math.max(GIB, Math.floor(memory_bytes / 2)),
    };
    world.trace.note(`${machine.id} shrinks to ${machine.capacity.cpu_milli} milli-cores`);
    bootAgent(world, machine);
  });
}

/** Fills a disk, and makes room on it later. */
function fillDisk(world: World): void {
  const machine = someMachine(world);
  if (machine.full) return;
  world.trace.note(`${machine.id}: its disk is full`);
  machine.full = true;
  later(world, 120_000, () => {
    world.trace.note(`${machine.id}: its disk has room again`);
    makeRoom(machine);
  });
}

/** Makes one record of a stopped agent unreadable. */
function spoilRecord(world: World): void {
  const machine = someMachine(world);
  const agent = world.agents.get(machine.id);
  const records = [...machine.disk.records.values()].filter((record) => record.end === null);
  if (agent === undefined || records.length === 0) return;
  const { assignment } = world.dice.troubles.pick(records);
  crashAgent(world, machine);
  world.trace.note(`${machine.id}: the record of ${assignment.name} cannot be read any more`);
  machine.disk.records.delete(assignment.uid);
  world.unknowable.add(assignment.uid);
  machine.disk.unreadable.set(assignment.uid, {
    uid: assignment.uid,
    name: assignment.name,
    pid: null,
    held: assignment.promised,
  });
  bootAgent(world, machine);
}

/** Sets a wall clock right, or wrong: that of the server's machine, or that of another one. */
function clockJumps(world: World): void {
  const { troubles } = world.dice;
  const machine = troubles.chance(0.3) ? null : someMachine(world);
  const { clocks } = machine ?? world.serverWorld;
  const before_ms = clocks.wall_ms;
  clocks.wall_ms = drawError(troubles);
  world.trace.note(`the clock of ${machine?.id ?? "the server"} jumps by ${clocks.wall_ms - before_ms} ms`);
}

const MAKE: Record<Trouble, (world: World) => void> = {
  cut: (world) => cut(world, "both", 1),
  cut_one_way: (world) => cut(world, world.dice.troubles.pick(["up", "down"] as const), 1),
  cut_many: (world) => cut(world, "both", world.dice.troubles.int(2, 6)),
  cut_alone: (world) => cutAlone(world, someMachine(world).id),
  break_link: breakLink,
  forget_flow: (world) => {
    const { id } = someMachine(world);
    world.trace.note(`the connections of ${id} are forgotten`);
    world.network.forget(id);
    world.heardSince.delete(id);
  },
  clock_jump: clockJumps,
  server_kill: killServerFor,
  server_pause: pauseServer,
  restore,
  wrong_copy: (world) => wrongDatabase(world, () => olderCopy(world)),
  empty_database: (world) => wrongDatabase(world, () => emptyDatabase("another", "timeline-x")),
  agent_kill: (world) => {
    const machine = someMachine(world);
    crashAgent(world, machine);
    later(world, 200_000, () => bootAgent(world, machine));
  },
  agent_pause: pauseAgent,
  agent_upgrade: (world) => {
    const machine = someMachine(world);
    crashAgent(world, machine);
    bootAgent(world, machine);
  },
  hang: hangs,
  agent_disk_loss: loseDisk,
  keeper_kill: (world) => keeperDies(world, false),
  keeper_and_agent_kill: (world) => keeperDies(world, true),
  keeper_hang: keeperHangs,
  task_dir_loss: loseTaskDir,
  journal_loss: loseJournal,
  reboot: (world) => reboot(world, someMachine(world)),
  power_off: powerOff,
  death,
  shrink,
  bad_record: spoilRecord,
  full_disk: fillDisk,
  stranger: (world) => strangerComes(world, someMachine(world), (what) => later(world, 120_000, what)),
  bad_card: (world) => cardTurnsBad(world, someMachine(world), (what) => later(world, 120_000, what)),
  slow_commit: (world) => {
    world.slowCommits = !world.slowCommits;
  },
};
