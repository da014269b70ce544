// AMD's cards: /sys, read by a child that may hang, and AMD's tools for the names of products.

import { join } from "node:path";
import { exists } from "../../os/files";
import { createTool, type Tool } from "../../os/tool";
import { AMD_SMI_ARGS, namesInAmdSmi, namesInRocmSmi, ROCM_SMI_ARGS, type Names } from "./amd-tools";
import { amdCards, type AmdCard } from "./amd-look";
import { createAsker, oneAtATime } from "./asker";
import type { Card, DeviceProbe, Look, LookLimits, ProbePlaces } from "./device";
import { treeAt } from "./sysfs";

const AMD_SMI = ["usr/bin/amd-smi", "opt/rocm/bin/amd-smi", "usr/local/bin/amd-smi"];
const ROCM_SMI = ["usr/bin/rocm-smi", "opt/rocm/bin/rocm-smi", "usr/local/bin/rocm-smi"];
const SHARED_FILES = ["/dev/kfd"];
/** The most that a name is waited for: without one, cards are called by their number. */
const NAMING_MS = 5_000;
/** After how many looks tools are asked again that gave no name for a card. */
const AGAIN_AFTER = 100;

export const hasAmd = (places: ProbePlaces): boolean => amdCards(treeAt(places.root)).length > 0;

export function amdProbe(places: ProbePlaces, limits: LookLimits): DeviceProbe {
  const asker = createAsker<readonly AmdCard[]>("amd", places.root, limits);
  const namer = createNamer(places, Math.min(NAMING_MS, limits.later_ms));
  const look = async (): Promise<Look> => {
    if (!hasAmd(places)) return { is: "none" };
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

/** Names that AMD's tools have for cards; asked again when there are other cards, or another driver. */
function createNamer(places: ProbePlaces, timeout_ms: number): (cards: readonly AmdCard[]) => Promise<Names> {
  const tools = new Map<string, Tool>();
  const toolFor = (named: string | null, usual: readonly string[]): Tool | null => {
    const path = named ?? usual.map((one) => join(places.root, one)).find((one) => exists(one)) ?? null;
    if (path === null) return null;
    const tool = tools.get(path) ?? createTool(path);
    tools.set(path, tool);
    return tool;
  };
  let known: { readonly of: string; readonly names: Names; readonly complete: boolean; looks: number } | null = null;

  return async (cards) => {
    const of = cards.map(({ pci, driver }) => `${pci} ${driver}`).join("\n");
    if (known?.of === of && (known.complete || known.looks++ < AGAIN_AFTER)) return known.names;
    const smi = toolFor(places.amd_smi, AMD_SMI);
    const old = toolFor(places.rocm_smi, ROCM_SMI);
    const names =
      (smi === null ? null : namesInAmdSmi(await smi.run(AMD_SMI_ARGS, timeout_ms))) ??
      (old === null ? null : namesInRocmSmi(await old.run(ROCM_SMI_ARGS, timeout_ms))) ??
      new Map<string, string>();
    known = { of, names, complete: cards.every(({ pci }) => names.has(pci)), looks: 0 };
    return names;
  };
}
