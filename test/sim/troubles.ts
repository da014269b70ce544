// Everything that goes wrong in the first phase: each trouble comes again and again at random times, and most of them
// pass by themselves. What people do wrong (an old copy, an empty database) is here, too.

import { GIB } from "../../src/core/units";
import { cutAlone } from "./alone";
import { cardTurnsBad, strangerComes } from "./cards";
import { bootAgent, bootServer, crashAgent, crashServer, replaceDatabase } from "./processes";
import type { World } from "./world";
import { copyDatabase, emptyDatabase, type Database } from "./database";
import { TROUBLES, type Trouble } from "./faults";
import { freshDisk, type Machine } from "./machine";
import { giveUpMissing, joinMachine } from "./operators";
import { restored } from "./restore";

/** Lets every trouble of this seed come at its own times until the world is calm. */
export function beginTroubles(world: World): void {
  for (const trouble of TROUBLES) {
    const every_ms = world.faults.every_ms[trouble];
    if (every_ms !== null) again(world, trouble, every_ms);
  }
  if (world.faults.every_ms.restore !== null || world.faults.every_ms.wrong_copy !== null) backUp(world);
}

/** Somebody copies the database now and then, for those who need a copy. */
function backUp(world: World): void {
  world.schedule.in(world.dice.troubles.int(5_000, 60_000), () => {
    if (world.server !== null && !world.wrongDatabase) world.backups.push(copyDatabase(world.database));
    if (!world.calm) backUp(world);
  });
}

function again(world: World, trouble: Trouble, every_ms: number): void {
  world.schedule.in(world.dice.troubles.wait(every_ms), () => {
    if (world.calm) return;
    MAKE[trouble](world);
    again(world, trouble, every_ms);
  });
}

/** What passes by itself does so early or late, and at once when the world calms down (see settle.ts). */
function later(world: World, longest_ms: number, what: () => void): void {
  world.schedule.in(world.dice.troubles.wait(longest_ms / 3), () => {
    if (!world.calm) what();
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
  // Each start of a wrong database makes it look newer; nobody goes on starting what every node refuses.
  if (world.wrongDatabase) return;
  crashServer(world);
  // Mostly something starts it again at once.
  later(world, world.dice.troubles.chance(0.6) ? 5_000 : 120_000, () => void bootServer(world));
}

/** A backup is brought back with `orch restore`; sometimes on another machine, without the file that knows more. */
function restore(world: World): void {
  const { troubles } = world.dice;
  const [oldest] = world.backups;
  if (oldest === undefined || world.wrongDatabase) return;
  crashServer(world);
  // Nothing at all could tell the second one of a copy which numbers the first one gave.
  const elsewhere = !world.restored && troubles.chance(0.5);
  // Of a machine that is gone there is often only what was carried away long ago.
  const copy = elsewhere && troubles.chance(0.5) ? oldest : troubles.pick(world.backups);
  if (elsewhere) world.guard = { epoch: 0, next_run: 0 };
  world.trace.note(`restore${elsewhere ? " on another machine" : ""}`);
  bringBack(world, copy, elsewhere ? null : world.database);
}

function bringBack(world: World, copy: Database, present: Database | null): void {
  const { revision, timeline: origin } = copy.state.cluster;
  const timeline = `timeline-${world.dice.troubles.hex(8)}`;
  replaceDatabase(
    world,
    restored(copyDatabase(copy), present, world.guard, timeline, 1_000_000 + world.schedule.now_ms),
    origin,
    revision,
  );
  world.trace.note(`${timeline} begins from revision ${revision}`);
  bootServer(world);
  later(world, 200_000, () => giveUpMissing(world));
}

/** Somebody puts an old copy, or nothing, in the place of the database, notices, and puts the right one back. */
function wrongDatabase(world: World, wrong: () => ReturnType<typeof emptyDatabase> | null): void {
  const copy = wrong();
  if (copy === null || world.server === null || world.wrongDatabase) return;
  crashServer(world);
  const right = world.database,
    { guard } = world,
    acks = [...world.acks];
  const withGuard = world.dice.troubles.chance(0.5) || !allKnowBetter(world, copy);
  world.trace.note(`wrong database in place, ${withGuard ? "beside the guard" : "guard gone too"}`);
  if (!withGuard) world.guard = { epoch: 0, next_run: 0 };
  world.acks.length = 0;
  world.database = copy;
  world.wrongDatabase = true;
  bootServer(world);
  const back = (): void => {
    crashServer(world);
    world.trace.note("the right database is back");
    Object.assign(world, { guard, database: right, wrongDatabase: false });
    world.acks.push(...acks);
    if (!bootServer(world)) bringBack(world, right, null);
  };
  world.undo.push(back);
  later(world, 120_000, () => {
    const at = world.undo.indexOf(back);
    if (at < 0) return;
    world.undo.splice(at, 1);
    back();
  });
}

/** A copy of an earlier start: one whose next epoch agents have not passed cannot be told from the right one by it. */
function olderCopy(world: World): Database | null {
  const copies = world.backups.filter(({ state }) => state.cluster.epoch + 1 < world.guard.epoch);
  const [oldest] = copies;
  return oldest === undefined ? null : copyDatabase(oldest);
}

/** Whether every agent has seen a later start than the one that comes: one that has not would follow it. */
function allKnowBetter(world: World, { state: { cluster } }: Database): boolean {
  return world.machines.every(
    ({ disk: { fence } }) =>
      fence !== null && (fence.cluster_id !== cluster.cluster_id || fence.epoch > cluster.epoch + 1),
  );
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

/** The agent's data directory is lost; somebody joins the machine again. */
function loseDisk(world: World): void {
  const machine = someMachine(world);
  if (machine.power !== "on" || machine.disk.identity === null) return;
  world.trace.note(`${machine.id} loses its agent's disk`);
  crashAgent(world, machine);
  world.lostDisks.add(machine.id);
  machine.disk = freshDisk();
  joinMachine(world, machine);
}

/** Longer than a keeper takes to begin what it was told to. */
const START_MS = 50;

/** The agent comes back with less to give than it had. */
function shrink(world: World): void {
  const machine = someMachine(world);
  if (!world.agents.has(machine.id)) return;
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

/** One record of a stopped agent becomes unreadable. */
function spoilRecord(world: World): void {
  const machine = someMachine(world);
  const agent = world.agents.get(machine.id);
  const records = [...machine.disk.records.values()].filter((record) => record.end === null);
  if (agent === undefined || records.length === 0) return;
  const { assignment } = world.dice.troubles.pick(records);
  crashAgent(world, machine);
  world.trace.note(`${machine.id}: the record of ${assignment.name} cannot be read any more`);
  machine.disk.records.delete(assignment.uid);
  world.lostDisks.add(machine.id);
  machine.disk.unreadable.set(assignment.uid, {
    uid: assignment.uid,
    name: assignment.name,
    pid: null,
    held: assignment.promised,
  });
  bootAgent(world, machine);
}

const MAKE: Record<Trouble, (world: World) => void> = {
  cut: (world) => cut(world, "both", 1),
  cut_one_way: (world) => cut(world, world.dice.troubles.pick(["up", "down"] as const), 1),
  cut_many: (world) => cut(world, "both", world.dice.troubles.int(2, 6)),
  cut_alone: (world) => cutAlone(world, someMachine(world).id),
  break_link: breakLink,
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
  agent_disk_loss: loseDisk,
  reboot: (world) => reboot(world, someMachine(world)),
  power_off: powerOff,
  death,
  shrink,
  bad_record: spoilRecord,
  stranger: (world) => strangerComes(world, someMachine(world), (what) => later(world, 120_000, what)),
  bad_card: (world) => cardTurnsBad(world, someMachine(world), (what) => later(world, 120_000, what)),
  slow_commit: (world) => {
    world.slowCommits = !world.slowCommits;
  },
};
