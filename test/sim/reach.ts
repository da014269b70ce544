// Which machines could be heard, and since when: the truth that the server's opinion of silence is held against.

import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeRow } from "../../src/core/model/rows-node";
import { taskName } from "../../src/core/model/task";
import { SIM_LIMITS } from "./limits";
import type { World } from "./world";
import { demand } from "./violation";

/** How long reconnecting may take beyond the policy's own wait. */
const RECONNECT_MS = 40_000;

/** How long a commit may take. The plan looked at the silence before it. */
const COMMIT_MS = 5_000;

/** Notes after each event since when each machine's agent could be heard. While the server is stopped, none can. */
export function noteReach(world: World): void {
  const isListening = world.server?.owner.state === "running";
  for (const machine of world.machines) {
    const agent = world.agents.get(machine.id);
    const isHeard =
      isListening &&
      agent !== undefined &&
      agent.owner.state === "running" &&
      machine.power === "on" &&
      !world.network.isCut(machine.id);
    if (!isHeard) world.heardSince.delete(machine.id);
    else if (!world.heardSince.has(machine.id)) world.heardSince.set(machine.id, world.schedule.now_ms);
  }
}

/**
 * Notes the loss of a message that an agent waits for when a connection begins. The agent will give the connection up
 * and dial again.
 */
export function noteDrop(world: World, machine: string, data: string): void {
  if (/^\{"type":"(challenge|more|welcome)"/.test(data)) world.heardSince.delete(machine);
}

/** Checks that a node is called silent only if it could not be heard for a while and had time to connect. */
export function checkContact(world: World, node: NodeRow): void {
  const machine = world.nodes.get(node.id);
  const since = machine === undefined ? undefined : world.heardSince.get(machine.id);
  const spoke_ms =
    since === undefined || world.faults.slow > 0 ? 0 : world.schedule.now_ms - Math.max(since, world.server_since_ms);
  demand(
    spoke_ms < SIM_LIMITS.unreachable_after_ms + RECONNECT_MS,
    "16: a node that speaks is not silent",
    () => `${node.name} is ${node.contact}, and could be heard for ${spoke_ms} ms`,
  );
}

/** Checks that an attempt is written off for silence only: its node could not be heard, and was not one of many. */
export function checkSilence(world: World, row: TaskRow): void {
  const machine = world.nodes.get(row.node_id);
  const { server } = world;
  if (machine === undefined || server === null || world.givenUp.has(row.node_id)) return;
  const name = (): string => `${taskName(row)} on ${machine.id}: ${row.written_off?.why ?? ""}`;
  const since = world.heardSince.get(machine.id);
  const spoke_ms = since === undefined ? 0 : world.schedule.now_ms - since;
  demand(
    spoke_ms < SIM_LIMITS.replace_after_ms + RECONNECT_MS,
    "16: a node that speaks is not given up",
    () => `${name()}, heard for ${spoke_ms} ms`,
  );
  demand(
    world.schedule.now_ms - world.server_since_ms >= SIM_LIMITS.replace_after_ms - COMMIT_MS,
    "16: silence counts from the server's start",
    name,
  );
  const { nodes } = server.store.state;
  const contacts = server.loop.contacts();
  const silent = [...nodes.values()].filter(
    (node) =>
      node.contact !== "lost" &&
      (contacts.get(node.id)?.silent_ms ?? server.loop.listening_ms()) >= SIM_LIMITS.unreachable_after_ms + COMMIT_MS,
  );
  demand(
    silent.length < 2 || silent.length * 3 <= nodes.size,
    "18: many silent nodes are the network's silence",
    () => `${name()}, ${silent.length} of ${nodes.size} are silent`,
  );
}
