// Apple's graphics: one card that shares the machine's memory. The answer of system_profiler does not change while the
// machine runs, so it is asked once. It does not report what is in use.

import { machineMemory } from "../../../os/facts";
import { fieldsOf } from "../../../os/files/json";
import { jsonIn } from "../../../os/process/tool";
import { oneAtATime, toolAt } from "../asker";
import { PLAIN_CARD } from "../device";
import type { Card, DeviceProbe, DeviceLook, LookLimits, ProbePlaces } from "../device";
import { machineTag, numberIn, treeAt } from "../sysfs";

const SYSTEM_PROFILER = ["usr/sbin/system_profiler"];
const ARGS = ["-json", "SPDisplaysDataType", "SPHardwareDataType"];
/** The part of the machine's memory that the system lets graphics have. */
const SHARE_OF_MEMORY = 3 / 4;

export const hasApple = ({ system_profiler }: ProbePlaces): boolean =>
  system_profiler !== null || process.platform === "darwin";

export function appleProbe(places: ProbePlaces, limits: LookLimits): DeviceProbe {
  const toolNow = toolAt(places.root, places.system_profiler, SYSTEM_PROFILER);
  const tag = machineTag(treeAt(places.root));
  let known: readonly Card[] | null = null;
  const look = async (): Promise<DeviceLook> => {
    if (known === null) {
      const tool = toolNow();
      if (tool === null) return { is: "none" };
      const result = await tool.run(ARGS, limits.first_ms);
      if (result.is === "failed") return { is: "failed", why: result.why };
      const told = jsonIn(result);
      if (told === null) return { is: "failed", why: `${tool.path}: it prints no JSON (exit ${result.code})` };
      known = cardsIn(told, tag);
    }
    return { is: "seen", cards: known, shared_files: [], unknown: [] };
  };
  const forget = (): void => {
    known = null;
  };
  return { vendor: "apple", look: oneAtATime(look), close: forget };
}

/**
 * Returns Apple's own card. Cards of other vendors in the same machine are not used for computing, and displays are no
 * cards.
 */
function cardsIn(told: unknown, tag: string): readonly Card[] {
  const list = (name: string): readonly unknown[] => {
    const value = fieldsOf(told)[name];
    return Array.isArray(value) ? (value as unknown[]) : [];
  };
  const uuid = fieldsOf(list("SPHardwareDataType")[0])["platform_UUID"];
  return list("SPDisplaysDataType")
    .map(fieldsOf)
    .filter(({ spdisplays_vendor }) => spdisplays_vendor === "sppci_vendor_Apple")
    .slice(0, 1)
    .map(({ sppci_model, _name, sppci_cores }) => {
      const model = [sppci_model, _name].find((one) => typeof one === "string") ?? "Apple";
      const cores = typeof sppci_cores === "string" ? numberIn(sppci_cores) : null;
      return appleCard(
        typeof uuid === "string" ? `apple-${uuid.toLowerCase()}` : `apple-${tag}`,
        cores === null ? String(model) : `${String(model)} (${cores} cores)`,
      );
    });
}

const appleCard = (id: string, model: string): Card => ({
  ...PLAIN_CARD,
  id,
  vendor: "apple",
  model,
  memory_bytes: Math.floor(machineMemory() * SHARE_OF_MEMORY),
  index: 0,
  visible: "0",
  pci: null,
  numa_node: null,
  driver: null,
  files: [],
});
