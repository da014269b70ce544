// Starts and kills the processes of a world, and exchanges the database under its server.

import { killAgent, startAgent } from "./agent";
import type { Database } from "./database";
import type { Machine } from "./machine";
import { killServer, startServer } from "./server";
import { demand } from "./violation";
import type { World } from "./world";

// ---- the server

/** Starts the server on the present database. The file beside it refuses one that is not the newest. */
export function bootServer(world: World): boolean {
  if (world.server !== null) return true;
  const { cluster } = world.database.state;
  if (cluster.epoch < world.guard.epoch) {
    world.trace.note(`server refuses to start: epoch ${cluster.epoch} is behind ${world.guard.epoch}`);
    return false;
  }
  world.server = startServer(world.serverWorld, world.database);
  world.server_since_ms = world.schedule.now_ms;
  world.guard.epoch = world.database.state.cluster.epoch;
  world.ledger.open(world.database);
  world.trace.note(`server up, epoch ${world.guard.epoch}`);
  for (const ack of world.acks) {
    demand(ack.holds(world.database), "I1: what was acknowledged is durable", () => ack.what);
  }
  return true;
}

/** Kills the server. `silently`: its machine loses power, and nobody learns that the connections are over. */
export function crashServer(world: World, silently = false): void {
  if (world.server === null) return;
  world.trace.note(silently ? "server killed with its machine" : "server killed");
  killServer(world.serverWorld, world.server, silently);
  world.server = null;
  const { next_run } = world.database.state.cluster;
  world.guard.next_run = Math.max(world.guard.next_run, Math.ceil(next_run / 1_000) * 1_000);
}

/** Another database replaces the present one. Nothing beyond this revision is expected of it. */
export function replaceDatabase(world: World, database: Database, timeline: string, revision: number): void {
  world.database = database;
  world.restored = true;
  const kept = world.acks.filter((ack) => ack.timeline === timeline && ack.revision <= revision);
  world.acks.splice(0, world.acks.length, ...kept);
}

// ---- agents

export function bootAgent(world: World, machine: Machine): void {
  if (machine.power !== "on" || machine.disk.identity === null || world.agents.has(machine.id)) return;
  world.heardSince.delete(machine.id);
  world.agents.set(machine.id, startAgent(world.agentWorld, machine));
  world.trace.note(`agent ${machine.id} up`);
}

export function crashAgent(world: World, machine: Machine): void {
  const agent = world.agents.get(machine.id);
  if (agent === undefined) return;
  world.trace.note(`agent ${machine.id} killed`);
  world.agents.delete(machine.id);
  killAgent(world.agentWorld, agent);
  world.network.breakEnds((link) => link.machine === machine.id, "up");
}
