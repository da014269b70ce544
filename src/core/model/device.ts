// What is known of a card: facts that are committed and planned on, and readings that are only looked at.

import type { Bytes, Ms } from "../units";

export const VENDORS = ["nvidia", "amd", "intel", "apple"] as const;
export type Vendor = (typeof VENDORS)[number];

/**
 * `dirty`: not handed over, since what ran on it has left something. `quarantined`: a finding of its health, or an
 * operator, keeps work away. `missing`: it was here and is not seen any more.
 */
export const DEVICE_STATES = ["ok", "dirty", "quarantined", "missing"] as const;
export type DeviceState = (typeof DEVICE_STATES)[number];

/** How two cards are connected, the fastest first: directly (by the first three), by one PCIe switch, by one socket. */
export const LINK_KINDS = ["nvlink", "xgmi", "xelink", "switch", "socket"] as const;
export type LinkKind = (typeof LINK_KINDS)[number];

export interface Link {
  /** The other card. */
  readonly id: string;
  readonly kind: LinkKind;
}

export type ComputeMode = "shared" | "exclusive" | "prohibited";

/** A card, or a part of one (MIG), as its node's agent tells it. */
export interface Device {
  /** Its UUID, unique in the cluster. */
  readonly id: string;
  readonly vendor: Vendor;
  readonly model: string;
  readonly memory_bytes: Bytes;
  /** Its place in the order of the bus among whole cards of its vendor: what CUDA_VISIBLE_DEVICES counts. */
  readonly index: number;
  /** `0000:65:00.0`. */
  readonly pci: string | null;
  readonly numa_node: number | null;
  readonly driver: string | null;
  /** The card that this one is a part of (MIG). */
  readonly parent: string | null;
  readonly links: readonly Link[];
  /** `exclusive` cards take one process at a time and `prohibited` ones none, whatever a task asks for. */
  readonly compute_mode: ComputeMode | null;
  /** Whether its memory corrects errors; `null`: not known, or it cannot. */
  readonly ecc: boolean | null;
  readonly state: DeviceState;
  readonly reason: string | null;
  /** Memory of processes that orch did not start, in steps of `FOREIGN_STEP_BYTES`, so that it seldom changes. */
  readonly foreign_bytes: Bytes;
  /** Who that is, for people: `bob: python (pid 4711)`. */
  readonly foreign: string | null;
}

/** A card as its node's row has it. */
export interface NodeDevice extends Device {
  /** When its state last changed. */
  readonly state_ms: Ms;
}

export const FOREIGN_STEP_BYTES = 256 * 2 ** 20;

/** A process that holds a card, whoever started it. */
export interface DeviceProcess {
  readonly pid: number;
  readonly user: string | null;
  readonly command: string;
  readonly memory_bytes: Bytes | null;
  /** The task that it belongs to; `null`: it is foreign. */
  readonly task_uid: string | null;
}

/** What a card shows of itself. `null` is what it does not tell. */
export interface Gauges {
  readonly memory_used_bytes: Bytes | null;
  readonly utilization_percent: number | null;
  readonly temperature_celsius: number | null;
  readonly power_watts: number | null;
  readonly clock_mhz: number | null;
  /** Why it runs slower than it could: `thermal`, `power`; `null`: it does not. */
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

/** What a card showed when it was last looked at. */
export interface Reading extends Gauges {
  /** The device's id. */
  readonly id: string;
  /** How old the values are. */
  readonly age_ms: Ms;
  /** Whether looking again failed or hung, so that these are the last known values. */
  readonly stale: boolean;
  readonly processes: readonly DeviceProcess[];
}

/** What is not told of a made-up or simple card. */
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

/** The devices of a row after its agent told what they are now: a state that did not change keeps its time. */
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
