// Intel's cards: /sys, read by a child process that may hang, and xpu-smi for what the drivers do not show: products,
// memory sizes, ECC and links, and the processes of other accounts where the agent may not read those.

import { bootMs } from "../../../os/clock";
import type { Tool } from "../../../os/process/tool";
import { createAsker, onceForEach, oneAtATime, toolAt } from "../asker";
import { PLAIN_CARD } from "../device";
import type { Card, DeviceProbe, DeviceLook, LookLimits, ProbePlaces } from "../device";
import { joinProcesses } from "../drm";
import { intelCards, type IntelCard, type IntelLook } from "./intel-look";
import { askXpuCards, askXpuProcesses, askXpuStats, type XpuCards, type XpuStats } from "./intel-tools";
import { byBus, drmFiles, machineTag, numaNode, treeAt, type Tree } from "../sysfs";

const XPU_SMI = ["usr/bin/xpu-smi", "usr/local/bin/xpu-smi", "opt/intel/xpum/bin/xpu-smi"];
/** How long the agent waits for the tool. A look is complete without it. */
const TOOL_MS = 5_000;
/** How old figures from the tool may be. The tool costs much more than all other reads. */
const STATS_EVERY_MS = 30_000;

const inSys = (places: ProbePlaces): boolean => intelCards(treeAt(places.root)).length > 0;
/**
 * Returns whether to look for Intel's cards. Where a person has named the tool and /sys shows no card, as in a
 * container, the tool alone is asked.
 */
export const hasIntel = (places: ProbePlaces): boolean => places.xpu_smi !== null || inSys(places);

interface ToolReport {
  readonly cards: XpuCards;
  readonly stats: ReadonlyMap<string, XpuStats>;
  readonly processes: Awaited<ReturnType<typeof askXpuProcesses>>;
}

export function intelProbe(places: ProbePlaces, limits: LookLimits): DeviceProbe {
  const asker = createAsker<IntelLook>("intel", places.root, limits);
  const asks = createXpuAsks(places, Math.min(TOOL_MS, limits.later_ms));
  const toolNow = toolAt(places.root, places.xpu_smi, []);
  const timeout_ms = Math.min(TOOL_MS, limits.later_ms);
  const alone = async (): Promise<DeviceLook> => {
    const tool = toolNow();
    if (tool === null) return { is: "none" };
    const { told, complete, why } = await askXpuCards(tool, timeout_ms);
    if (!complete) return { is: "failed", why };
    const stats = await statsOf(tool, told, timeout_ms);
    const processes = await askXpuProcesses(tool, timeout_ms);
    return joined(cardsOf(told, treeAt(places.root)), { cards: told, stats, processes });
  };
  const look = async (): Promise<DeviceLook> => {
    if (!inSys(places)) return alone();
    const found = await asker.ask();
    if (typeof found === "string") return { is: "failed", why: `Intel's driver: ${found}` };
    return joined(found.cards, await asks(found));
  };
  return { vendor: "intel", look: oneAtATime(look), close: () => asker.close() };
}

function createXpuAsks(places: ProbePlaces, timeout_ms: number): (look: IntelLook) => Promise<ToolReport> {
  const toolNow = toolAt(places.root, places.xpu_smi, XPU_SMI);
  const askCards = onceForEach<IntelCard, XpuCards>(
    (cards) => cards.map(({ pci, driver }) => `${pci} ${driver}`).join("\n"),
    async () => {
      const tool = toolNow();
      return tool === null ? { told: new Map(), complete: false } : askXpuCards(tool, timeout_ms);
    },
  );
  let stats: ReadonlyMap<string, XpuStats> = new Map();
  let asked_ms: number | null = null;

  return async ({ cards, complete }) => {
    const known = await askCards(cards);
    const tool = toolNow();
    if (tool === null || known.size === 0) return { cards: known, stats: new Map(), processes: new Map() };
    const due = asked_ms === null || bootMs() - asked_ms >= STATS_EVERY_MS;
    const lacks = cards.some((card) => card.temperature_celsius === null) && due;
    if (!complete || lacks) {
      asked_ms = bootMs();
      stats = await statsOf(tool, known, timeout_ms);
    }
    return { cards: known, stats, processes: complete ? new Map() : await askXpuProcesses(tool, timeout_ms) };
  };
}

async function statsOf(tool: Tool, cards: XpuCards, timeout_ms: number): Promise<ReadonlyMap<string, XpuStats>> {
  const found = new Map<string, XpuStats>();
  for (const [pci, { number }] of cards) {
    const stats = await askXpuStats(tool, number, timeout_ms);
    if (stats === null) break;
    found.set(pci, stats);
  }
  return found;
}

/** Returns cards that only the tool knows: their addresses, without anything that a driver would show. */
const cardsOf = (told: XpuCards, tree: Tree): readonly IntelCard[] =>
  [...told.keys()]
    .map((pci) => ({ id: `intel-${machineTag(tree)}-${pci}`, pci }))
    .sort(byBus)
    .map(({ id, pci }, index) => ({
      ...PLAIN_CARD,
      id,
      vendor: "intel",
      model: null,
      device: "card",
      memory_bytes: null,
      visible: String(index),
      pci,
      numa_node: numaNode(tree, pci),
      driver: null,
      files: drmFiles(tree, pci),
    }));

/** Joins what the driver and the tool report. The driver's figures win, since they are as of now. */
export function joined(found: readonly IntelCard[], told: ToolReport): DeviceLook {
  const sized = found.map((card) => ({ ...card, memory_bytes: card.memory_bytes ?? sizeOf(card, told) }));
  const usable = sized.filter((card) => card.memory_bytes !== null);
  const idOf = new Map([...told.cards].map(([pci, { number }]) => [number, usable.find((one) => one.pci === pci)?.id]));
  const cards = usable.map(({ device, ...card }, index): Card => {
    const xpu = told.cards.get(card.pci);
    const stats = told.stats.get(card.pci);
    const near = (xpu?.linked ?? []).flatMap((number) => idOf.get(number) ?? []);
    return {
      ...card,
      index,
      model: xpu?.model ?? card.model ?? `Intel ${device}`,
      memory_bytes: card.memory_bytes ?? 0,
      ecc: xpu?.ecc ?? null,
      links: [
        ...near.map((id) => ({ id, kind: "xelink" as const })),
        ...card.links.filter(({ id }) => !near.includes(id) && usable.some((one) => one.id === id)),
      ],
      memory_used_bytes: card.memory_used_bytes ?? stats?.memory_used_bytes ?? null,
      temperature_celsius: card.temperature_celsius ?? stats?.temperature_celsius ?? null,
      power_watts: card.power_watts ?? stats?.power_watts ?? null,
      utilization_percent: card.utilization_percent ?? stats?.utilization_percent ?? null,
      processes: joinProcesses(card.processes, (xpu && told.processes.get(xpu.number)) ?? []),
    };
  });
  const unknown = sized
    .filter((card) => card.memory_bytes === null)
    .map((card) => `${card.model ?? `Intel ${card.device}`} (${card.pci}): how much memory it has only xpu-smi tells`);
  return { is: "seen", cards, shared_files: [], unknown };
}

const sizeOf = ({ pci }: IntelCard, { cards }: ToolReport): number | null => cards.get(pci)?.memory_bytes ?? null;
