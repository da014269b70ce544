// Tests every card and the driver. A bad card is a finding about that card, never about the node.

import type { Device } from "../../core/model/device";
import type { Retest } from "../cards/retest";
import type { Bench, Finding } from "./part";

const MOST_CARDS = 256;

/** Tests every card anew, which is the way out of quarantine. */
export async function testDevices({ machine, retest }: Bench): Promise<Finding[]> {
  const tested = await retest();
  return findingsOf(machine().devices, tested);
}

/** Returns findings from the cards as they are now, and from the results of those that were tested anew. */
export function findingsOf(devices: readonly Device[], tested: readonly Retest[]): Finding[] {
  const others = devices.filter(({ id }) => !tested.some((one) => one.id === id));
  const cards = [...tested.map(retestOf), ...others.map(cardOf)];
  // Parts of cards that are created anew again and again may be many, and all results travel in one message.
  const bad = cards.filter(({ verdict }) => verdict === "failed");
  const told = cards.length <= MOST_CARDS ? cards : [...new Set([...bad, ...cards])].slice(0, MOST_CARDS);
  return cards.length === 0 ? [] : [driverOf(devices), ...told];
}

const RETEST_VERDICTS = { passed: "passed", failed: "failed", forgotten: "warned" } as const;

const retestOf = ({ id, model, is, detail }: Retest): Finding => ({
  name: `gpu ${id}`.slice(0, 200),
  required: false,
  verdict: RETEST_VERDICTS[is],
  detail: `${model}: ${detail}`,
  value: null,
  unit: null,
});

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
