// Makes NVIDIA's cards from what the driver reports now and what was known before: positions on the bus, device files,
// and the last known facts of lost cards.

import type { Card, CardTrouble } from "../device";
import { NO_GAUGES } from "../../../core/model/device";
import type { LostCard, NvmlCard, NvmlLook, NvmlPart } from "./nvml-look";
import { byBus, drmFiles, numaNode, type Tree } from "../sysfs";

/** Cards and parts by id, as they were when they were last seen. */
export type Known = ReadonlyMap<string, Card>;
type SeenCards = Extract<NvmlLook, { is: "seen" }>;

interface Kept {
  readonly cards: readonly Card[];
  readonly known: Known;
  readonly unknown: readonly string[];
}

export function keepKnown(known: Known, found: SeenCards, tree: Tree): Kept {
  const told = found.cards.map((card) => wholeCard(card, found.driver, tree));
  const before = [...known.values()].filter(({ id, parent }) => parent === null && !told.some((one) => one.id === id));
  const { lost, unknown } = recognise(found.lost, before);
  const counted = [...told, ...lost].sort(byBus);
  const places = placesOf(counted.length, unknown);
  const whole = counted.map((card, n) => placed(card, places[n] ?? n));
  const cards = whole.flatMap((card) => [card, ...partsOf(card, found, known, tree)]);
  // A card that the driver does not count now may come back as a lost card.
  const gone = before.filter(({ id }) => !lost.some((one) => one.id === id));
  return {
    cards,
    known: new Map([...gone, ...cards].map((card) => [card.id, card])),
    unknown: unknown.map(({ at, pci, trouble }) => `card ${at}${pci === null ? "" : ` (${pci})`}: ${trouble.why}`),
  };
}

/**
 * Recognises lost cards among the known ones: by the identity that they still report, else by their address, else
 * because only one known card is left.
 */
function recognise(lost: readonly LostCard[], before: readonly Card[]): { lost: Card[]; unknown: LostCard[] } {
  const left = new Map(before.map((card) => [card.id, card]));
  const found: Card[] = [];
  const unknown: LostCard[] = [];
  const take = (one: LostCard, is: (card: Card) => boolean): boolean => {
    const card = [...left.values()].find(is);
    if (card === undefined) return false;
    left.delete(card.id);
    found.push(withTrouble(card, one.trouble));
    return true;
  };
  const nameless = lost.filter(
    (one) => !take(one, ({ id, pci }) => id === one.id || (pci !== null && pci === one.pci)),
  );
  const misplaced = nameless.filter((one) => !take(one, ({ index }) => one.pci === null && index === one.at));
  for (const one of misplaced) {
    if (one.pci !== null || left.size !== 1 || !take(one, () => true)) unknown.push(one);
  }
  return { lost: found, unknown };
}

/**
 * Returns the positions of the cards that are known. The driver also counts cards that nobody could identify, and the
 * others keep their positions around those.
 */
function placesOf(count: number, unknown: readonly LostCard[]): readonly number[] {
  const taken = new Set(unknown.map(({ at }) => at));
  const all = Array.from({ length: count + unknown.length }, (_, n) => n);
  return all.filter((n) => !taken.has(n));
}

const placed = (card: Card, index: number): Card => ({ ...card, index, visible: String(index) });

/** Returns the card with its facts and without readings. */
const withTrouble = (card: Card, trouble: CardTrouble): Card => ({
  ...card,
  links: [],
  ...NO_GAUGES,
  processes: [],
  warnings: [],
  trouble,
});

function wholeCard({ minor, parts, memory_bytes, ...card }: NvmlCard, driver: string | null, tree: Tree): Card {
  return {
    ...card,
    vendor: "nvidia",
    memory_bytes: memory_bytes ?? sharedMemory(tree),
    index: 0,
    visible: "0",
    numa_node: numaNode(tree, card.pci),
    driver,
    parent: null,
    split: parts !== null,
    files: [...(minor === null ? [] : [`/dev/nvidia${minor}`]), ...drmFiles(tree, card.pci)],
    trouble: null,
  };
}

/**
 * Returns the memory of a card that has none of its own: three quarters of the machine's, so that a quarter stays for
 * everything else.
 */
function sharedMemory(tree: Tree): number {
  const kilobytes = Number(/^MemTotal:\s+(\d+) kB/m.exec(tree.text("proc/meminfo") ?? "")?.[1] ?? 0);
  return Math.floor((kilobytes * 3) / 4) * 1024;
}

function partsOf(card: Card, found: SeenCards, known: Known, tree: Tree): readonly Card[] {
  const { trouble } = card;
  if (trouble !== null) {
    const parts = [...known.values()].filter(({ parent }) => parent === card.id);
    return parts.map((part) => ({ ...withTrouble(part, trouble), index: card.index }));
  }
  const told = found.cards.find(({ id }) => id === card.id);
  return told?.parts?.map((part) => partCard(part, told, card, tree)) ?? [];
}

function partCard(part: NvmlPart, told: NvmlCard, card: Card, tree: Tree): Card {
  return {
    ...card,
    id: part.id,
    model: part.model,
    memory_bytes: part.memory_bytes,
    visible: part.id,
    parent: card.id,
    split: false,
    links: [],
    files: [...card.files, ...capabilityFiles(part, told.minor, tree)],
    memory_used_bytes: part.memory_used_bytes,
    utilization_percent: null,
    processes: part.processes,
  };
}

/** Returns the files that grant the right to use a GPU instance and a compute instance of it. */
function capabilityFiles(part: NvmlPart, minor: number | null, tree: Tree): readonly string[] {
  if (minor === null || part.gpu_instance === null) return [];
  const instance = `proc/driver/nvidia/capabilities/gpu${minor}/mig/gi${part.gpu_instance}`;
  const paths = [`${instance}/access`];
  if (part.compute_instance !== null) paths.push(`${instance}/ci${part.compute_instance}/access`);
  return paths.flatMap((path) => {
    const file = /^DeviceFileMinor:\s*(\d+)/m.exec(tree.text(path) ?? "")?.[1];
    return file === undefined ? [] : `/dev/nvidia-caps/nvidia-cap${file}`;
  });
}
