// What is kept of the tasks on a node that the server does not know. A node may list ever so many, under names without
// end, that hold more than the node has. What is kept of them is bounded, so that the node's row is.

import { cutText } from "../cut";
import { HOUSE_LIMITS } from "../limits";
import type { Amounts, Promised } from "../model/promised";
import type { NodeRow, Orphan } from "../model/rows-node";

/** The uid of the row that stands for the orphans of which only the room is kept. */
const REST = "ffff".padEnd(32, "0");

export interface KeptOrphans {
  readonly orphans: readonly Orphan[];
  /** Of how many orphans only the room is kept. */
  readonly beyond: number;
}

type Machine = Pick<NodeRow, "capacity" | "devices">;

/** Returns the orphans as a node's row keeps them. What was kept once is kept as it is. */
export function keptOrphans(node: Machine, listed: readonly Orphan[]): KeptOrphans {
  const orphans: Orphan[] = [];
  const rest: Orphan[] = [];
  let beyond = 0;
  let chars = 0;
  for (const { name, held, ...orphan } of listed) {
    const one = {
      ...orphan,
      name: cutText(name, HOUSE_LIMITS.orphan_name_chars),
      held: held === null ? null : within(held, node.capacity),
    };
    if (one.uid === REST) {
      rest.push(one);
      continue;
    }
    const size = JSON.stringify(one).length;
    if (orphans.length < HOUSE_LIMITS.orphans && chars + size <= HOUSE_LIMITS.orphans_chars) {
      chars += size;
      orphans.push(one);
    } else {
      rest.push(one);
      beyond++;
    }
  }
  return { orphans: rest.length === 0 ? orphans : [...orphans, together(node, rest)], beyond };
}

/** Nothing on a node holds more than the node has. */
const within = (held: Promised, capacity: Amounts): Promised => ({
  ...held,
  cpu_milli: Math.min(held.cpu_milli, capacity.cpu_milli),
  memory_bytes: Math.min(held.memory_bytes, capacity.memory_bytes),
  disk_bytes: Math.min(held.disk_bytes, capacity.disk_bytes),
  countables: countablesWithin(held.countables, capacity.countables),
});

function countablesWithin(
  held: Readonly<Record<string, number>>,
  capacity: Readonly<Record<string, number>>,
): Record<string, number> {
  const names = Object.keys(held).filter((name) => Object.hasOwn(capacity, name));
  return Object.fromEntries(names.map((name) => [name, Math.min(Math.max(held[name] ?? 0, 0), capacity[name] ?? 0)]));
}

/** Returns one orphan that holds what all of them hold. Of their cards, those of the node count, as whole ones. */
function together({ capacity, devices }: Machine, rest: readonly Orphan[]): Orphan {
  const held = rest.flatMap((orphan) => orphan.held ?? []);
  const sum = (key: "cpu_milli" | "memory_bytes" | "disk_bytes"): number =>
    held.reduce((total, one) => Math.min(total + one[key], capacity[key]), 0);
  const countables = new Map<string, number>();
  for (const one of held) {
    for (const [name, count] of Object.entries(one.countables))
      countables.set(name, (countables.get(name) ?? 0) + count);
  }
  const cards = new Set(held.flatMap((one) => one.devices.map(({ id }) => id)));
  const ports = new Map(held.flatMap((one) => one.ports.map((port) => [port.published, { ...port, name: "" }])));
  return {
    uid: REST,
    name: "further tasks that no server knows, of which only the room is kept",
    pid: null,
    held: {
      cpu_milli: sum("cpu_milli"),
      memory_bytes: sum("memory_bytes"),
      disk_bytes: sum("disk_bytes"),
      countables: countablesWithin(Object.fromEntries(countables), capacity.countables),
      memory_limited: false,
      devices: devices.filter(({ id }) => cards.has(id)).map(({ id }) => ({ id, bytes: null })),
      ports: [...ports.values()].slice(0, HOUSE_LIMITS.ports),
    },
  };
}
