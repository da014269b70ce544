// What is known of a card: facts that are committed and planned on, and readings that people only look at.

import type { Bytes, Ms } from "../units";

export const VENDORS = ["nvidia", "amd", "intel", "apple"] as const;
export type Vendor = (typeof VENDORS)[number];

/**
 * `dirty`: the card is not given to another task, since the last one has left something on it. `quarantined`: a finding
 * of its health, or an operator, keeps work away. `missing`: the card was there and is no longer seen.
 */
export const DEVICE_STATES = ["ok", "dirty", "quarantined", "missing"] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

/**
 * How two cards are connected, the fastest first: directly (the first three), by a common PCIe switch, by a common
 * socket.
 */
export const LINK_KINDS = ["nvlink", "xgmi", "xelink", "switch", "socket"] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

export interface Link {
  /** The id of the other card. */
  readonly id: string;
  readonly kind: LinkKind;
}

export type ComputeMode = "shared" | "exclusive" | "prohibited";

/** A card, or a part of one (MIG), as its node's agent reports it. */
export interface Device {
  /** The card's UUID, unique in the cluster. */
  readonly id: string;
  readonly vendor: Vendor;
  readonly model: string;
  readonly memory_bytes: Bytes;
  /**
   * The card's position in the order of the bus among the whole cards of its vendor: what CUDA_VISIBLE_DEVICES counts.
   */
  readonly index: number;
  /** The card's address on the bus: `0000:65:00.0`. */
  readonly pci: string | null;
  readonly numa_node: number | null;
  readonly driver: string | null;
  /** The id of the card that this one is a part of (MIG), or null. */
  readonly parent: string | null;
  readonly links: readonly Link[];
  /** An `exclusive` card takes one process at a time, a `prohibited` one none, whatever a task asks for. */
  readonly compute_mode: ComputeMode | null;
  /** Whether the card's memory corrects errors. Null: unknown, or the card cannot do that. */
  readonly ecc: boolean | null;
  readonly state: DeviceState;
  readonly reason: string | null;
  /**
   * Memory of processes that orch did not start, rounded to steps of `FOREIGN_STEP_BYTES` so that it seldom changes.
   */
  readonly foreign_bytes: Bytes;
  /** Those processes in words: `bob: python (pid 4711)`. */
  readonly foreign: string | null;
}

/** A card in its node's row. */
export interface NodeDevice extends Device {
  /** When the card's state last changed. */
  readonly state_ms: Ms;
}

export const FOREIGN_STEP_BYTES = 256 * 2 ** 20;

/** A process that uses a card, whoever started it. */
export interface DeviceProcess {
  readonly pid: number;
  readonly user: string | null;
  readonly command: string;
  readonly memory_bytes: Bytes | null;
  /** The task that the process belongs to. Null: the process is foreign. */
  readonly task_uid: string | null;
}

/** What a card reports of itself. A field is null if the card does not report it. */
export interface Gauges {
  readonly memory_used_bytes: Bytes | null;
  readonly utilization_percent: number | null;
  readonly temperature_celsius: number | null;
  readonly power_watts: number | null;
  readonly clock_mhz: number | null;
  /** Why the card runs slower than it could (`thermal`, `power`), or null. */
  readonly throttled: string | null;
  /** Memory errors since the driver was loaded that could not be corrected. */
  readonly ecc_errors: number | null;
}

export const NO_GAUGES = {
  memory_used_bytes: null,
  utilization_percent: null,
  temperature_celsius: null,
  power_watts: null,
  clock_mhz: null,
  throttled: null,
  ecc_errors: null,
} satisfies Gauges;

/** What a card reported when it was last looked at. */
export interface Reading extends Gauges {
  /** The device's id. */
  readonly id: string;
  /** How old the values are. */
  readonly age_ms: Ms;
  /** Whether the newest look failed or hung, so that these are older values. */
  readonly stale: boolean;
  readonly processes: readonly DeviceProcess[];
}

/** The facts of a card that reports nothing beyond its model and memory. */
export const PLAIN_DEVICE = {
  index: 0,
  pci: null,
  numa_node: null,
  driver: null,
  parent: null,
  links: [],
  compute_mode: null,
  ecc: null,
  state: "ok",
  reason: null,
  foreign_bytes: 0,
  foreign: null,
} satisfies Partial<Device>;

/**
 * Returns the devices of a node's row after its agent has reported them anew. A device whose state has not changed
 * keeps the time of its state.
 */
export function devicesAfter(
  before: readonly NodeDevice[],
  told: readonly Device[],
  now_ms: Ms,
): readonly NodeDevice[] {
  const known = new Map(before.map((device) => [device.id, device]));
  return told.map((device) => {
    const was = known.get(device.id);
    return { ...device, state_ms: was !== undefined && was.state === device.state ? was.state_ms : now_ms };
  });
}
