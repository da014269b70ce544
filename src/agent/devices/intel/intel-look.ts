// One look at Intel's cards in /sys, by either of their drivers (i915, xe), and at the processes that have them open.
// It runs in a child process, since it may hang. It remembers counters that only rise (energy, idle time), to turn them
// into rates.

import { PLAIN_CARD } from "../device";
import type { Ms } from "../../../core/units";
import type { Card } from "../device";
import { busLinks, drmCards, drmProcesses, scaled, sensorsOf, type DrmCard } from "../drm";
import { byBus, driverVersion, drmFiles, machineTag, numaNode, type Tree } from "../sysfs";

export const INTEL = "0x8086";

/** A card of which Intel's tool may know more. */
export interface IntelCard extends Omit<Card, "model" | "index" | "memory_bytes"> {
  readonly pci: string;
  readonly model: string | null;
  /** The memory in bytes, or null if the driver does not report it. */
  readonly memory_bytes: number | null;
  /** The vendor's number of the model: `0x56a0`. */
  readonly device: string;
}

export interface IntelLook {
  readonly cards: readonly IntelCard[];
  /** Whether every process could be read. */
  readonly complete: boolean;
}

const memoryOf = (tree: Tree, { name, dir }: DrmCard): number | null =>
  tree.number(`sys/class/drm/${name}/lmem_total_bytes`) ??
  tree.number(`${dir}/lmem_total_bytes`) ??
  tilesOf(tree, dir)
    .map((tile) => tree.number(`${tile}/physical_vram_size_bytes`))
    .reduce((sum, size) => (size === null ? sum : (sum ?? 0) + size), null);

const tilesOf = (tree: Tree, dir: string): readonly string[] =>
  tree
    .names(dir)
    .filter((name) => /^tile\d+$/.test(name))
    .map((name) => `${dir}/${name}`);

/** The address of a processor's own graphics, which use the machine's memory. */
const WITHIN_PROCESSOR = "0000:00:02.0";
const isCard = (tree: Tree, card: DrmCard): boolean => card.pci !== WITHIN_PROCESSOR || memoryOf(tree, card) !== null;

/** Returns the cards that have memory of their own. Finding them asks nothing of the hardware. */
export const intelCards = (tree: Tree): readonly DrmCard[] =>
  drmCards(tree, INTEL).filter((card) => isCard(tree, card));

/** Counters that only rise, and when they were read. */
interface Counts {
  readonly at_ms: Ms;
  readonly energy: number | null;
  readonly idle_ms: number | null;
}

export class IntelLooker {
  readonly #before = new Map<string, Counts>();

  constructor(
    readonly tree: Tree,
    readonly clock: () => Ms,
  ) {}

  look(): IntelLook {
    const { tree } = this;
    const open = drmProcesses(tree);
    // Level Zero counts the processor's graphics as well, so positions are taken among all cards.
    const all = drmCards(tree, INTEL).map((card) => ({ ...card, id: `intel-${machineTag(tree)}-${card.pci}` }));
    const counted = all.toSorted(byBus);
    const cards = counted.filter((card) => isCard(tree, card));
    return {
      complete: open.complete,
      cards: cards.map((card): IntelCard => {
        const processes = open.on(card.pci);
        const memory_bytes = memoryOf(tree, card);
        const sum = processes.reduce((bytes, one) => bytes + (one.memory_bytes ?? 0), 0);
        return {
          ...PLAIN_CARD,
          id: card.id,
          vendor: "intel",
          model: productName(tree, card.device),
          device: card.device,
          memory_bytes,
          visible: String(counted.indexOf(card)),
          pci: card.pci,
          numa_node: numaNode(tree, card.pci),
          driver: driverOf(tree, card),
          links: busLinks(tree, card, cards),
          files: drmFiles(tree, card.pci),
          memory_used_bytes: usedBy(tree, card, memory_bytes) ?? (open.complete ? sum : null),
          ...this.#readings(card),
          processes,
        };
      }),
    };
  }

  #readings(
    card: DrmCard,
  ): Pick<Card, "utilization_percent" | "temperature_celsius" | "power_watts" | "clock_mhz" | "throttled"> {
    const { tree } = this;
    const sensors = sensorsOf(tree, card.dir);
    const engine = engineOf(tree, card);
    const now: Counts = {
      at_ms: this.clock(),
      energy: sensors === null ? null : tree.number(`${sensors}/energy1_input`),
      idle_ms: tree.number(engine.idle),
    };
    const before = this.#before.get(card.pci);
    this.#before.set(card.pci, now);
    const awake = rateOf(before?.idle_ms, now.idle_ms, before?.at_ms, now.at_ms);
    return {
      // The part of the time in which the card was awake. It is the only figure that both drivers report for all
      // engines together.
      utilization_percent: awake === null ? null : Math.round(100 * Math.min(1, Math.max(0, 1 - awake))),
      temperature_celsius: sensors === null ? null : scaled(temperatureIn(tree, sensors), 1e3),
      power_watts: scaled(rateOf(before?.energy, now.energy, before?.at_ms, now.at_ms), 1e3),
      clock_mhz: tree.number(engine.clock),
      throttled: throttledOf(tree, engine.reasons),
    };
  }
}

/** Returns how fast a counter rose, per millisecond. */
function rateOf(
  before: number | null | undefined,
  now: number | null,
  before_ms: Ms | undefined,
  now_ms: Ms,
): number | null {
  if (before == null || now === null || before_ms === undefined || now_ms <= before_ms || now < before) return null;
  return (now - before) / (now_ms - before_ms);
}

interface Engine {
  readonly clock: string;
  readonly idle: string;
  /** The text in front of `thermal`, `pl1` and the other reasons in the names of files. */
  readonly reasons: string;
}

function engineOf(tree: Tree, { name, dir }: DrmCard): Engine {
  const xe = `${dir}/tile0/gt0`;
  if (tree.has(xe)) {
    const reasons = `${xe}/freq0/throttle/reason_`;
    return { clock: `${xe}/freq0/act_freq`, idle: `${xe}/gtidle/idle_residency_ms`, reasons };
  }
  const i915 = `sys/class/drm/${name}/gt/gt0`;
  const reasons = `${i915}/throttle_reason_`;
  return { clock: `${i915}/rps_act_freq_mhz`, idle: `${i915}/rc6_residency_ms`, reasons };
}

const HEAT = ["thermal", "prochot", "ratl", "vr_thermalert"];
const POWER = ["pl1", "pl2", "pl4", "vr_tdc"];

function throttledOf(tree: Tree, reasons: string): string | null {
  const holds = (reason: string): boolean => tree.number(`${reasons}${reason}`) === 1;
  if (HEAT.some(holds)) return "thermal";
  return POWER.some(holds) ? "power" : null;
}

/** Returns the temperature of the chip. Where several sensors have labels, the chip's own is taken. */
function temperatureIn(tree: Tree, sensors: string): number | null {
  const numbers = [1, 2, 3, 4].filter((n) => tree.has(`${sensors}/temp${n}_input`));
  const own = numbers.find((n) => tree.text(`${sensors}/temp${n}_label`) === "pkg") ?? numbers[0];
  return own === undefined ? null : tree.number(`${sensors}/temp${own}_input`);
}

function usedBy(tree: Tree, { name }: DrmCard, total: number | null): number | null {
  const free = tree.number(`sys/class/drm/${name}/lmem_avail_bytes`);
  return free === null || total === null ? null : Math.max(0, total - free);
}

function driverOf(tree: Tree, { dir }: DrmCard): string | null {
  const module = tree.link(`${dir}/driver`)?.split("/").at(-1) ?? "i915";
  const version = driverVersion(tree, module);
  return version === null ? null : `${module} ${version}`;
}

const PCI_IDS = ["usr/share/hwdata/pci.ids", "usr/share/misc/pci.ids"];

/** Returns the name in brackets from the machine's list of PCI devices: `Intel Arc A770`. */
function productName(tree: Tree, device: string): string | null {
  const list = PCI_IDS.map((path) => tree.text(path)).find((text) => text !== null);
  const vendor = /^8086\s.*(?:\n(?:\t|#).*)*/m.exec(list ?? "")?.[0] ?? "";
  const line = new RegExp(`^\\t${device.replace("0x", "")}\\s+(.+)$`, "m").exec(vendor)?.[1];
  const name = /\[([^\]]+)\]/.exec(line ?? "")?.[1];
  return name === undefined ? null : `Intel ${name}`;
}
