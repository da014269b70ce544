// AMD's cards: /sys, read by a child process that may hang, and AMD's tools for product names. Where /sys shows no card
// and a person has named rocm-smi, the tool alone is asked.

import { cardsInRocmSmi, ROCM_SMI_ALL } from "./amd-alone";
import { AMD_SMI_ARGS, namesInAmdSmi, namesInRocmSmi, ROCM_SMI_ARGS, type Names } from "./amd-tools";
import { amdCards, type AmdCard } from "./amd-look";
import { createAsker, onceForEach, oneAtATime, toolAt } from "../asker";
import type { Card, DeviceProbe, DeviceLook, LookLimits, ProbePlaces } from "../device";
import { treeAt } from "../sysfs";

const AMD_SMI = ["usr/bin/amd-smi", "opt/rocm/bin/amd-smi", "usr/local/bin/amd-smi"];
const ROCM_SMI = ["usr/bin/rocm-smi", "opt/rocm/bin/rocm-smi", "usr/local/bin/rocm-smi"];
const SHARED_FILES = ["/dev/kfd"];
/** How long the agent waits for a product name. A card without one is called by its model number. */
const NAMING_MS = 5_000;

const inSys = (places: ProbePlaces): boolean => amdCards(treeAt(places.root)).length > 0;
export const hasAmd = (places: ProbePlaces): boolean => places.rocm_smi !== null || inSys(places);

export function amdProbe(places: ProbePlaces, limits: LookLimits): DeviceProbe {
  const asker = createAsker<readonly AmdCard[]>("amd", places.root, limits);
  const namer = createNamer(places, Math.min(NAMING_MS, limits.later_ms));
  const rocmSmi = toolAt(places.root, places.rocm_smi, []);
  const alone = async (): Promise<DeviceLook> => {
    const tool = rocmSmi();
    if (tool === null) return { is: "none" };
    const told = await tool.run(ROCM_SMI_ALL, limits.later_ms);
    const cards = cardsInRocmSmi(told, treeAt(places.root));
    if (cards.length > 0) return { is: "seen", cards, shared_files: SHARED_FILES, unknown: [] };
    return { is: "failed", why: told.is === "failed" ? told.why : `${tool.path} lists no card that it tells all of` };
  };
  const look = async (): Promise<DeviceLook> => {
    if (!inSys(places)) return alone();
    const found = await asker.ask();
    if (typeof found === "string") return { is: "failed", why: `amdgpu: ${found}` };
    const names = await namer(found);
    const cards = found.map(({ device, ...card }, index): Card => {
      const model = names.get(card.pci) ?? card.model ?? `AMD ${device}`;
      return { ...card, index, model };
    });
    return { is: "seen", cards, shared_files: SHARED_FILES, unknown: [] };
  };
  return { vendor: "amd", look: oneAtATime(look), close: () => asker.close() };
}

/**
 * Makes a function that asks AMD's tools for product names. It looks for the tools again each time, since a new driver
 * may bring new ones.
 */
function createNamer(places: ProbePlaces, timeout_ms: number): (cards: readonly AmdCard[]) => Promise<Names> {
  const amdSmi = toolAt(places.root, places.amd_smi, AMD_SMI);
  const rocmSmi = toolAt(places.root, places.rocm_smi, ROCM_SMI);
  return onceForEach(
    (cards) => cards.map(({ pci, driver }) => `${pci} ${driver}`).join("\n"),
    async (cards) => {
      const [smi, old] = [amdSmi(), rocmSmi()];
      const told =
        (smi === null ? null : namesInAmdSmi(await smi.run(AMD_SMI_ARGS, timeout_ms))) ??
        (old === null ? null : namesInRocmSmi(await old.run(ROCM_SMI_ARGS, timeout_ms))) ??
        new Map<string, string>();
      return { told, complete: cards.every(({ pci }) => told.has(pci)) };
    },
  );
}
