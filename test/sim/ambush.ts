// Faults at the worst moment: just when an agent is told to start something or reports what it has, or while a commit
// becomes durable and nobody knows yet. Chance alone would hardly ever hit these few milliseconds.

import { cutAlone, isQuiet } from "./alone";
import { drawError } from "./clocks";
import { restore } from "./copies";
import { copyDatabase } from "./database";
import type { Machine } from "./machine";
import type { Link } from "./network";
import { bootAgent, bootServer, crashAgent, crashServer } from "./processes";
import type { World } from "./world";

const HALF_OPEN = 0.1;
/** How often somebody copies the database just when a machine is cut off that was told to start something. */
const COPIED = 0.5;
const LONGEST_MS = 200_000;
/** Messages of a dead connection hardly ever arrive later than this. */
const LONGEST_STALL_MS = 20_000;

/**
 * Returns after how long the fault is over: mostly soon, since nothing is given up where all nodes are away at once;
 * now and then late.
 */
const backAfter = ({ dice: { ambush } }: World): number => Math.round(10 * (LONGEST_MS / 10) ** ambush.next());

/** Kills or stops the agent to which something was just sent, cuts its machine off, or breaks its connection. */
export function ambushAgent(world: World, link: Link, data: string): void {
  const { ambush } = world.dice;
  if (isQuiet(world) || !data.includes('"verb":"')) return;
  if (data.includes('"verb":"assign"')) {
    const isService = data.includes('"kind":"service"');
    if (isService && ambush.chance(world.faults.cut_told)) {
      // Only a copy of this moment wants what is about to be given up.
      if (world.faults.every_ms.restore !== null && !world.wrongDatabase && ambush.chance(COPIED))
        world.backups.push(copyDatabase(world.database));
      return cutAlone(world, link.machine);
    }
    if (ambush.chance(world.faults.restore_told)) {
      // What is told now waits in the hanging keeper, and may begin when it goes on.
      if (world.faults.every_ms.keeper_hang !== null) hangKeeper(world, link.machine);
      return restoreSoon(world);
    }
  }
  if (!ambush.chance(world.faults.ambush)) return;
  const kill = ambush.chance(0.5),
    back_ms = backAfter(world),
    dice = ambush.next();
  if (dice < 0.25) return cutOff(world, link.machine, back_ms);
  if (dice < 0.5) return breakSoon(world, link.machine);
  world.schedule.in(ambush.int(1, 100), () => {
    const agent = world.agents.get(link.machine);
    if (agent === undefined || world.calm || agent.owner.state !== "running") return;
    world.trace.note(`agent ${link.machine} is ${kill ? "killed" : "stopped"} by an ambush`);
    if (kill) crashAgent(world, agent.machine);
    else agent.owner.state = "paused";
    world.schedule.in(back_ms, () => {
      if (world.calm) return;
      if (kill) bootAgent(world, agent.machine);
      else world.host.wake(agent.owner);
    });
  });
}

/** Lets the keeper of a machine hang for longer than a restored server takes to be heard. */
function hangKeeper(world: World, id: string): void {
  const machine = world.machines.find((one) => one.id === id);
  if (machine === undefined || machine.power !== "on") return;
  world.trace.note(`the keeper of ${id} hangs`);
  machine.hangs.keeper = world.schedule.now_ms + world.dice.ambush.int(5_000, 30_000);
}

/** Restores a copy while somebody was told to start something and may not have done so yet. */
function restoreSoon(world: World): void {
  world.schedule.in(world.dice.ambush.int(10, 1_000), () => {
    if (!world.calm && !world.restored) restore(world);
  });
}

/**
 * Breaks the connection while the agent writes down what it just received. The agent dials again before it has
 * finished.
 */
const breakSoon = (world: World, machine: string): void =>
  world.schedule.in(world.dice.ambush.int(5, 100), () => {
    if (!world.calm) hangUp(world, machine);
  });

/** Breaks the connection of a machine. Its agent dials again at once. */
export function hangUp(world: World, machine: string): void {
  world.trace.note(`the connection of ${machine} breaks`);
  world.network.hangUp(machine);
  world.heardSince.delete(machine);
}

/** Cuts the machine off while the message is on its way. */
function cutOff(world: World, machine: string, back_ms: number): void {
  world.trace.note(`${machine} is cut off by an ambush`);
  world.network.cut(machine, "both");
  world.schedule.in(back_ms, () => {
    if (!world.calm) world.network.mend(machine);
  });
}

/** Restarts an agent, or reboots its machine, while its inventory is on its way, perhaps for long. */
export function ambushInventory(world: World, machine: Machine, data: string): void {
  const { ambush } = world.dice;
  if (isQuiet(world) || !data.startsWith('{"type":"inventory"') || !ambush.chance(world.faults.ambush)) return;
  const reboot = ambush.chance(0.5);
  if (ambush.chance(0.5)) world.network.stall(machine.id, ambush.int(100, LONGEST_STALL_MS));
  world.schedule.in(ambush.int(1, 50), () => {
    if (world.calm || machine.power !== "on" || !world.agents.has(machine.id)) return;
    world.trace.note(`agent ${machine.id} is started again by an ambush${reboot ? ", with its machine" : ""}`);
    crashAgent(world, machine);
    if (reboot) world.keeper.reboot(machine);
    bootAgent(world, machine);
  });
}

/** Restores a copy while an end is on its way, which is often one of an attempt that the copy has never heard of. */
export function ambushReport(world: World, data: string): void {
  if (isQuiet(world) || world.restored || !data.startsWith('{"type":"report"')) return;
  if (!data.includes('"finished_age_ms"') || !world.dice.copies.chance(world.faults.restore_told)) return;
  world.schedule.in(0, () => {
    if (!world.calm && !world.restored) restore(world);
  });
}

/** Takes a machine its power while an element runs on it, and what the journal of its batch says is not synced. */
export function ambushElement(world: World, machine: Machine): void {
  const { arrays } = world.dice;
  if (isQuiet(world) || !arrays.chance(world.faults.element_power)) return;
  world.schedule.in(arrays.int(1, 60), () => {
    if (world.calm || machine.power !== "on") return;
    world.trace.note(`${machine.id} loses its power while elements run`);
    crashAgent(world, machine);
    world.keeper.reboot(machine);
    bootAgent(world, machine);
  });
}

/** Kills the server right after a commit, before it could tell anybody, or while the commit is being written. */
export function ambushServer(world: World): void {
  const { ambush } = world.dice;
  if (isQuiet(world) || !ambush.chance(world.faults.ambush / 20)) return;
  const back_ms = backAfter(world);
  world.schedule.in(0, () => {
    if (world.calm || world.server === null || world.wrongDatabase) return;
    crashServer(world, ambush.chance(0.4));
    world.schedule.in(back_ms, () => {
      if (!world.calm) bootServer(world);
    });
  });
}

/**
 * The quiet phase may begin with a connection that is half open. The side that dialled has to find that out by itself.
 */
export function ambushPeace(world: World, { id, power }: Machine): void {
  if (power !== "on" || !world.dice.ambush.chance(HALF_OPEN)) return;
  world.trace.note(`the next connection of ${id} is half open`);
  world.network.deafen(id);
  hangUp(world, id);
}

/** Starts an agent again while an attempt waits for its back-off. The wall clock may be set just then. */
export function ambushWait(world: World, machine: Machine): void {
  const { ambush } = world.dice;
  if (isQuiet(world) || !ambush.chance(world.faults.ambush)) return;
  world.schedule.in(ambush.int(1, 2_000), () => {
    if (world.calm || !world.agents.has(machine.id)) return;
    crashAgent(world, machine);
    if (ambush.chance(0.5)) machine.clocks.wall_ms = drawError(ambush);
    world.schedule.in(ambush.int(1, 500), () => {
      if (!world.calm) bootAgent(world, machine);
    });
  });
}
