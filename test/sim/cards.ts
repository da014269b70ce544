// The cards of simulated machines: their connections, their foreign users, and whether promises fit. The sums are made
// in other words than the planner's.

import { PLAIN_DEVICE, type Device, type DeviceState, type LinkKind } from "../../src/core/model/device";
import type { Change, State } from "../../src/core/model/rows-state";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeRow } from "../../src/core/model/rows-node";
import type { Promised } from "../../src/core/model/promised";
import { taskName } from "../../src/core/model/task";
import { GIB, MIB } from "../../src/core/units";
import type { GpuRequest } from "../../src/core/model/workload";
import type { Machine } from "./machine";
import type { Random } from "./random";
import { demand } from "./violation";
import type { World } from "./world";

const MEMORY_BYTES = 40 * GIB;

/** Foreign processes may use this much of a card that is given whole. */
const TOLERATED_BYTES = 512 * MIB;

/** Makes up to four cards. The first two or all of them are connected, or none. */
export function makeCards(id: string, random: Random): Device[] {
  const count = random.int(1, 4);
  const kind = random.pick<LinkKind | null>(["nvlink", "switch", "socket", null]);
  const group = random.pick([2, 4]);
  return Array.from({ length: count }, (_, index): Device => ({
    ...PLAIN_DEVICE,
    id: `GPU-${id}-${index}`,
    vendor: "nvidia",
    model: "A100",
    memory_bytes: MEMORY_BYTES,
    index,
    links: Array.from({ length: count }, (_each, other) => other).flatMap((other) =>
      kind === null || other === index || other >= group || index >= group ? [] : [{ id: `GPU-${id}-${other}`, kind }],
    ),
  }));
}

/** Returns what a task asks for: mostly no card, else one, several, or a part of one. */
export function randomGpu(random: Random): GpuRequest | null {
  if (!random.chance(0.3)) return null;
  const count = random.chance(0.3) ? 2 : 1;
  return {
    count,
    models: [],
    vendor: null,
    memory_min_bytes: null,
    memory_max_bytes: null,
    ...(random.chance(0.5) ? { share_bytes: random.pick([8, 16, 24]) * GIB } : {}),
    ...(count > 1 && random.chance(0.3) ? { linked: "demanded" as const } : {}),
  };
}

// ---- what happens to cards

/** Changes one card of a machine. Its agent sees that and reports it. */
function change(world: World, machine: Machine, id: string, to: Partial<Device>): void {
  machine.devices = machine.devices.map((device) => (device.id === id ? { ...device, ...to } : device));
  const agent = world.agents.get(machine.id);
  if (agent !== undefined) world.host.enter(agent.owner, () => agent.connection?.changed());
}

/** Lets a foreign process use a card for a while. */
export function strangerComes(world: World, machine: Machine, later: (what: () => void) => void): void {
  const { troubles } = world.dice;
  if (machine.devices.length === 0) return;
  const { id } = troubles.pick(machine.devices);
  const foreign_bytes = troubles.pick([256 * MIB, 4 * GIB, 20 * GIB, MEMORY_BYTES]);
  world.trace.note(`others use ${foreign_bytes / MIB} MiB of ${id}`);
  change(world, machine, id, { foreign_bytes, foreign: "eve: python (pid 99)" });
  later(() => {
    world.trace.note(`others leave ${id}`);
    change(world, machine, id, { foreign_bytes: 0, foreign: null });
  });
}

/** Breaks a card for a while. */
export function cardTurnsBad(world: World, machine: Machine, later: (what: () => void) => void): void {
  const { troubles } = world.dice;
  if (machine.devices.length === 0) return;
  const { id } = troubles.pick(machine.devices);
  const state = troubles.pick<DeviceState>(["dirty", "quarantined", "missing"]);
  world.trace.note(`${id} is ${state}`);
  change(world, machine, id, { state, reason: "it was drawn" });
  later(() => {
    world.trace.note(`${id} is put right`);
    change(world, machine, id, { state: "ok", reason: null });
  });
}

/** Repairs all cards of a machine and ends their foreign use. */
export function putCardsRight(world: World, machine: Machine): void {
  for (const { id } of machine.devices)
    change(world, machine, id, { state: "ok", reason: null, foreign_bytes: 0, foreign: null });
  machine.remains = machine.remains.filter(({ killable }) => killable);
}

// ---- what must hold of promises

/**
 * I4: a task that is promised a whole card has it alone, and all shares of a card together are no more than its memory.
 */
export function checkPromises(devices: readonly Device[], promises: readonly Pick<Promised, "devices">[]): void {
  for (const { id, memory_bytes } of devices) {
    const parts = promises.flatMap((promised) => promised.devices.filter((device) => device.id === id));
    const whole = parts.filter(({ bytes }) => bytes === null).length;
    const bytes = parts.reduce((sum, part) => sum + (part.bytes ?? 0), 0);
    demand(whole === 0 || parts.length === 1, "I4: a whole device has one owner", () => `${id} has ${parts.length}`);
    demand(bytes <= memory_bytes, "I4: shares never exceed a device", () => `${id}: ${bytes} of ${memory_bytes} bytes`);
  }
}

/**
 * Checks of placements against nodes as they were before the batch, since a report that came after the plan may be in
 * the same batch.
 */
export interface CardBooks {
  open(state: State): void;
  /** Checks that the cards of a task that was just placed were free. */
  checkPlaced(task: TaskRow, state: State): void;
  /** Returns whether a task is on a card that services leave. */
  isBad(task: TaskRow, state: State): boolean;
  committed(changes: readonly Change[]): void;
}

export function makeCardBooks(): CardBooks {
  const before = new Map<string, NodeRow>();
  const rowsOf = ({ node_id }: TaskRow, state: State): NodeRow[] =>
    [before.get(node_id), state.nodes.get(node_id)].filter((row) => row !== undefined);
  return {
    open: ({ nodes }) => {
      before.clear();
      for (const [id, row] of nodes) before.set(id, row);
    },
    checkPlaced: (task, state) => {
      const here = [...state.tasks.values()].filter(({ node_id }) => node_id === task.node_id);
      const promises = here.map(({ promised }) => promised);
      // A task that a restored server has adopted may be on a card that its rows have given to a task that is over.
      const given = new Set(task.promised.devices.map(({ id }) => id));
      const devices = state.nodes.get(task.node_id)?.devices ?? [];
      checkPromises(
        devices.filter(({ id }) => given.has(id)),
        promises,
      );
      for (const { id, bytes } of task.promised.devices) {
        const shared = promises.flatMap(({ devices }) => devices.filter((device) => device.id === id));
        const sum = shared.reduce((all, device) => all + (device.bytes ?? 0), 0);
        const fits = ({ devices }: NodeRow): boolean =>
          devices.some(
            (device) =>
              device.id === id &&
              device.state === "ok" &&
              device.foreign_bytes <= (bytes === null ? TOLERATED_BYTES : device.memory_bytes - sum),
          );
        demand(
          rowsOf(task, state).some(fits),
          "I4: only a good card with room is given",
          () => `${id} to ${taskName(task)}`,
        );
      }
    },
    isBad: (task, state) =>
      rowsOf(task, state).some(({ devices }) =>
        devices.some(
          (device) =>
            (device.state === "quarantined" || device.state === "missing") &&
            task.promised.devices.some(({ id }) => id === device.id),
        ),
      ),
    committed: (changes) => {
      for (const { table, key, row } of changes) {
        if (table !== "nodes") continue;
        if (row === null) before.delete(key);
        else before.set(key, row);
      }
    },
  };
}
