// An agent process on a simulated machine: the real loop, session and connection, on virtual time and a virtual socket.
// Killing it loses all of them; the machine, its keeper and its disk stay.

import { NO_INPUTS } from "../support/inputs";
import { FatalAgentError, stayConnected, type Connection } from "../../src/agent/link/connection";
import { keepFence } from "../../src/agent/link/fence";
import { createAgentLoop, type AgentLoop } from "../../src/agent/loop/loop";
import { createOutgoing } from "../../src/agent/link/outgoing";
import type { Fence } from "../../src/core/agent/fence";
import { traceOf } from "../../src/os/errors";
import type { Machine as MachineFacts } from "../../src/wire/agent";
import { makeSimCards } from "./card-gate";
import { wallOf } from "./clocks";
import { makeLooker } from "./directories";
import { makeTasks, slowDisk, type DriverWorld } from "./driver";
import { newOwner, type Owner } from "./host";
import { identityOf } from "../support/keys";
import type { Machine } from "./machine";
import { DISK_FULL, machineFacts } from "./nodes";
import { simTester } from "./testing";

export interface AgentWorld extends DriverWorld {
  readonly isCalm: () => boolean;
  readonly note: (what: string) => void;
  /** Called when an agent, or its disk, replaces a fence by another one. */
  readonly fenced: (machine: Machine, before: Fence | null, next: Fence) => void;
  /** Called when a bug has shown itself. */
  readonly failed: (why: string) => void;
  /** The machine of each process, which the virtual socket looks up when an agent dials. */
  readonly machines: Map<Owner, Machine>;
  /** Called when an agent process ends by itself, since the server told it something that cannot heal. */
  readonly gaveUp: (agent: Agent, why: FatalAgentError) => void;
}

export interface Agent {
  readonly machine: Machine;
  readonly owner: Owner;
  connection: Connection | null;
}

let instances = 0;

export function startAgent(world: AgentWorld, machine: Machine): Agent {
  const owner = newOwner(`agent ${machine.id}`);
  const agent: Agent = { machine, owner, connection: null };
  world.machines.set(owner, machine);
  world.host.enter(owner, () => {
    run(world, agent).catch((error: unknown) => {
      if (error instanceof FatalAgentError) world.gaveUp(agent, error);
      else world.failed(traceOf(error));
    });
  });
  return agent;
}

export function killAgent(world: AgentWorld, agent: Agent): void {
  agent.owner.state = "dead";
  agent.machine.changed = () => undefined;
  world.machines.delete(agent.owner);
}

async function run(world: AgentWorld, agent: Agent): Promise<void> {
  const { machine } = agent;
  const { identity, disk } = { identity: machine.disk.identity, disk: machine.disk };
  if (identity === null) return;
  const say = (line: string): void => {
    world.note(`${machine.id} says: ${line}`);
    // On a full disk a start fails, and is tried again.
    if (/^task \w+: /.test(line) && !line.endsWith(DISK_FULL)) world.failed(line);
  };
  const { clocks } = machine;
  const clock = (): number => world.schedule.now_ms + clocks.boot_ms;
  const wall = (): number => wallOf(clocks, world.schedule.now_ms);
  const cards = makeSimCards(world, machine, () => {
    loop.wake();
    agent.connection?.changed();
  });
  const facts = (): MachineFacts => ({ ...machineFacts(machine), devices: cards.devices() });
  const loop: AgentLoop = await createAgentLoop({
    ...makeTasks(world, machine, agent.owner),
    inputs: NO_INPUTS,
    clock,
    say,
    machine: facts(),
    cards,
    report: (entries) => agent.connection?.report(entries),
  });
  const write = slowDisk(world, machine, agent.owner);
  const fence = keepFence({
    found: disk.fence,
    write: (next) =>
      write(() => {
        world.fenced(machine, disk.fence, next);
        disk.fence = next;
      }),
    say,
  });
  agent.connection = stayConnected({
    ...identity,
    urls: ["https://server"],
    certificate: () => Promise.resolve(""),
    pin: identityOf(identity.credential.cluster_id).pin,
    loop,
    clock,
    wall,
    say,
    instance_id: `${machine.id}-${instances++}`,
    machine: facts,
    readings: () => [],
    looker: makeLooker(machine, world.random),
    health: { notices: () => [], noted: () => undefined, override: () => undefined },
    leaving: () => null,
    noted: () => undefined,
    random: world.random.next,
    signal: new AbortController().signal,
    joined: () => undefined,
    tests: simTester(world, machine.id),
    outgoing: (send) =>
      createOutgoing(send, async function* () {
        /* no logs are asked for */
      }),
    fence: {
      get: fence.get,
      set: (next, durable) => {
        world.fenced(machine, fence.get(), next);
        return fence.set(next, durable);
      },
    },
  });
  await agent.connection.done;
}
