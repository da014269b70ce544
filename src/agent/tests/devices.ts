// Every card, and their driver: a bad card is a finding about that card, never about the node.

import type { Device } from "../../core/device";
import type { Bench, Finding } from "./battery";

export function testDevices({ machine }: Bench): Promise<Finding[]> {
  return Promise.resolve(findingsOf(machine().devices));
}

/** What the cards as they are now say. */
export function findingsOf(devices: readonly Device[]): Finding[] {
  if (devices.length === 0) return [];
  return [driverOf(devices), ...devices.map(cardOf)];
}

function driverOf(devices: readonly Device[]): Finding {
  const drivers = [
    ...new Set(devices.flatMap(({ vendor, driver }) => (driver === null ? [] : [`${vendor} ${driver}`]))),
  ];
  const seen = devices.some(({ state }) => state !== "missing");
  return {
    name: "gpu_driver",
    required: false,
    verdict: seen ? "passed" : "failed",
    detail: seen ? (drivers.length === 0 ? "it does not tell its version" : drivers.join(", ")) : "no card answers",
    value: null,
    unit: null,
  };
}

function cardOf({ id, model, state, reason }: Device): Finding {
  const ok = state === "ok";
  return {
    name: `gpu ${id}`.slice(0, 200),
    required: false,
    verdict: ok ? "passed" : state === "dirty" ? "warned" : "failed",
    detail: ok ? model : `${model} is ${state}${reason === null ? "" : `: ${reason}`}`,
    value: null,
    unit: null,
  };
}
