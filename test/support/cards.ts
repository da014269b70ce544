// Cards for tests: one with every field set, and a probe that shows what a test has put there, or hangs, or fails.

import type { Card, DeviceProbe, DeviceLook } from "../../src/agent/devices/device";
import { MIB } from "../../src/core/units";

export const cardFor = (id: string, over: Partial<Card> = {}): Card => ({
  id,
  vendor: "nvidia",
  model: "NVIDIA A100-SXM4-80GB",
  memory_bytes: 81_920 * MIB,
  index: 0,
  visible: "0",
  pci: "0000:65:00.0",
  numa_node: 0,
  driver: "550.54.15",
  parent: null,
  split: false,
  links: [],
  compute_mode: "shared",
  ecc: true,
  files: [],
  memory_used_bytes: 500 * MIB,
  utilization_percent: 0,
  temperature_celsius: 30,
  power_watts: 60,
  clock_mhz: 210,
  throttled: null,
  ecc_errors: 0,
  processes: [],
  warnings: [],
  trouble: null,
  ...over,
});

export interface ScriptedProbe extends DeviceProbe {
  /** What the next look shows; `hangs` never ends. */
  shows: DeviceLook | "hangs";
  looks: number;
  closed: boolean;
}

export function scriptedProbe(shows: DeviceLook | "hangs"): ScriptedProbe {
  const probe: ScriptedProbe = {
    vendor: "nvidia",
    shows,
    looks: 0,
    closed: false,
    look: () => {
      probe.looks++;
      return probe.shows === "hangs" ? new Promise(() => undefined) : Promise.resolve(probe.shows);
    },
    close: () => void (probe.closed = true),
  };
  return probe;
}

export const seenAs = (...cards: readonly Card[]): DeviceLook => ({ is: "seen", cards, shared_files: [], unknown: [] });
