// The machines of a world: a few sizes, some with cards, each with the facts that an agent reports of it.

import type { NodeRow } from "../../src/core/model/rows-node";
import type { NodeTesting } from "../../src/core/model/node-tests";
import { GIB } from "../../src/core/units";
import { newNode } from "../../src/server/nodes/node-row";
import type { Machine as MachineFacts } from "../../src/wire/agent";
import { makeCards } from "./cards";
import { drawClocks } from "./clocks";
import { drawDirectories } from "./directories";
import { freshDisk, freshRun, type Machine } from "./machine";
import type { Random } from "./random";

export function makeMachine(id: string, random: Random, smallest: number): Machine {
  const cpus = smallest * random.pick([1, 2, 4]);
  const devices = random.chance(0.5) ? makeCards(id, random.fork(`cards ${id}`)) : [];
  return {
    id,
    devices,
    kernel: "1",
    pool: "default",
    directories: drawDirectories(random.fork(`directories ${id}`)),
    memory_bytes: cpus * 4 * GIB,
    boot_id: `${id}-boot-1`,
    boots: 1,
    clocks: drawClocks(random.fork(`clocks ${id}`)),
    deaths: 0,
    power: "on",
    disk: freshDisk(),
    processes: new Map(),
    remains: [],
    known_ends: new Set(),
    capacity: { cpu_milli: cpus * 1_000, memory_bytes: cpus * 4 * GIB, disk_bytes: 100 * GIB, countables: {} },
    run: freshRun(),
    unwritten: new Set(),
    full: false,
    hangs: { keeper: 0, guard: 0, disk: 0 },
    starting: new Set(),
    waits: new Map(),
    changed: () => undefined,
  };
}

export function machineFacts(machine: Machine): MachineFacts {
  return {
    fingerprint: machine.id,
    boot_id: machine.boot_id,
    agent_version: "sim",
    capacity: machine.capacity,
    devices: machine.devices.map((device) => ({ ...device, links: [...device.links] })),
    pool: machine.pool,
    labels: {},
    taints: [],
    facts: {
      os: "linux",
      arch: "x64",
      hostname: machine.id,
      kernel: machine.kernel,
      cpu_model: "sim",
      memory_bytes: machine.memory_bytes,
      address: null,
      cgroups: "none",
      takes_arrays: true,
      cgroups_detail: null,
      limits: null,
      accounts: "existing",
      unix_user: "root",
      unable: machine.full ? DISK_FULL : null,
      takes_heirs: true,
    },
  };
}

/** What an agent says of a full disk. */
export const DISK_FULL = "its disk is full";

/** Makes the row of a machine that joins. */
export function nodeRow(
  id: string,
  machine: Machine,
  public_key: string,
  ordinal: number,
  testing: NodeTesting,
): NodeRow {
  const facts = machineFacts(machine);
  const { fingerprint } = facts;
  return newNode({
    id,
    name: machine.id,
    ordinal,
    public_key,
    fingerprint,
    machine: facts,
    contact: "connected",
    testing,
    joined_by: null,
    now_ms: testing.at_ms,
  });
}
