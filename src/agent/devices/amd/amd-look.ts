// One look at AMD's cards in /sys: what amdgpu reports of each card, and what its compute driver (KFD) reports of
// links, memory by process, and the order in which ROCm counts. It runs in a child process, since the files of a broken
// card may hang.

import { PLAIN_CARD } from "../device";
import type { Link } from "../../../core/model/device";
import { GIB } from "../../../core/units";
import type { Card, CardProcess } from "../device";
import { busLinks, drmCards, drmProcesses, joinProcesses, scaled, sensorsOf, type DrmCard } from "../drm";
import { byBus, driverVersion, drmFiles, machineTag, numaNode, pciAddress, type Tree } from "../sysfs";

export const AMD = "0x1002";
/** The graphics of a processor have less memory than this set aside. No card to compute on has so little. */
const LEAST_MEMORY = 3 * GIB;

/** A card whose product name AMD's tools may know better. */
export interface AmdCard extends Omit<Card, "model" | "index"> {
  readonly pci: string;
  /** The product name, or null if neither the card nor a list on this machine has one. */
  readonly model: string | null;
  /** The vendor's number of the model: `0x744c`. */
  readonly device: string;
}

const memoryOf = (tree: Tree, { dir }: DrmCard): number => tree.number(`${dir}/mem_info_vram_total`) ?? 0;

/** Returns the cards that have memory to compute with. Finding them asks nothing of the hardware. */
export const amdCards = (tree: Tree): readonly DrmCard[] =>
  drmCards(tree, AMD).filter((card) => memoryOf(tree, card) >= LEAST_MEMORY);

export function lookAtAmd(tree: Tree): readonly AmdCard[] {
  const nodes = computeNodes(tree);
  const open = drmProcesses(tree);
  const driver = driverVersion(tree, "amdgpu");
  const cards = amdCards(tree).map((card) => ({ ...card, id: idOf(tree, card) }));
  return cards
    .map((card): AmdCard => {
      const own = nodes.filter(({ pci }) => pci === card.pci);
      const near = xgmiLinks(own, nodes, cards);
      const far = busLinks(tree, card, cards).filter(({ id }) => !near.some((link) => link.id === id));
      return {
        ...PLAIN_CARD,
        id: card.id,
        vendor: "amd",
        model: modelOf(tree, card),
        device: card.device,
        memory_bytes: memoryOf(tree, card),
        visible: own.map(({ place }) => place).join(","),
        pci: card.pci,
        numa_node: numaNode(tree, card.pci),
        driver,
        links: [...near, ...far],
        ...eccOf(tree, card),
        files: [...drmFiles(tree, card.pci), ...own.flatMap(({ render }) => render ?? [])].filter(isFirst),
        ...readingsOf(tree, card),
        processes: joinProcesses(computeProcesses(tree, own), open.on(card.pci)),
      };
    })
    .sort(byBus);
}

const isFirst = (value: string, at: number, all: readonly string[]): boolean => all.indexOf(value) === at;

/** Returns the id that ROCm gives the card. A card without a number of its own is named by its position on the bus. */
function idOf(tree: Tree, { dir, pci }: DrmCard): string {
  const unique = tree.text(`${dir}/unique_id`) ?? "";
  return /^[0-9a-f]*[1-9a-f][0-9a-f]*$/.test(unique)
    ? `GPU-${unique.padStart(16, "0")}`
    : `amd-${machineTag(tree)}-${pci}`;
}

/**
 * Returns the product name. Server cards carry it; other cards are looked up in the list that comes with the graphics
 * library.
 */
function modelOf(tree: Tree, { dir, device }: DrmCard): string | null {
  const own = tree.text(`${dir}/product_name`) ?? "";
  if (own !== "") return own;
  const revision = tree.text(`${dir}/revision`) ?? "";
  const wanted = [device, revision].map((code) => Number(code));
  for (const line of (tree.text("usr/share/libdrm/amdgpu.ids") ?? "").split("\n")) {
    const [id, rev, name] = line.split(",\t");
    if (Number(`0x${id}`) === wanted[0] && Number(`0x${rev}`) === wanted[1]) return name?.trim() ?? null;
  }
  return null;
}

function eccOf(tree: Tree, { dir }: DrmCard): Pick<Card, "ecc" | "ecc_errors"> {
  const counts = tree.text(`${dir}/ras/umc_err_count`);
  const uncorrected = /^ue: (\d+)$/m.exec(counts ?? "")?.[1];
  return { ecc: counts === null ? null : true, ecc_errors: uncorrected === undefined ? null : Number(uncorrected) };
}

type Readings = Pick<
  Card,
  "memory_used_bytes" | "utilization_percent" | "temperature_celsius" | "power_watts" | "clock_mhz" | "throttled"
>;

function readingsOf(tree: Tree, { dir }: DrmCard): Readings {
  const sensors = sensorsOf(tree, dir);
  const sensor = (name: string): number | null => (sensors === null ? null : tree.number(`${sensors}/${name}`));
  return {
    memory_used_bytes: tree.number(`${dir}/mem_info_vram_used`),
    utilization_percent: tree.number(`${dir}/gpu_busy_percent`),
    temperature_celsius: scaled(sensor(`temp${coreSensor(tree, sensors)}_input`), 1e3),
    power_watts: scaled(sensor("power1_average") ?? sensor("power1_input"), 1e6),
    clock_mhz: scaled(sensor("freq1_input"), 1e6),
    throttled: throttledOf(tree, dir),
  };
}

/**
 * Returns the number of the sensor at the chip's edge, which other cards also report. The largest cards have only the
 * sensor at their hottest spot.
 */
function coreSensor(tree: Tree, sensors: string | null): number {
  const labels = [1, 2, 3].map((n) => tree.text(`${sensors}/temp${n}_label`));
  const at = labels.indexOf("edge");
  return at < 0 ? Math.max(0, labels.indexOf("junction")) + 1 : at + 1;
}

/**
 * The layout of gpu_metrics_v1_3 in the kernel's kgd_pp_interface.h, the only version that reports throttling alike for
 * all chips.
 */
const METRICS = { length: 120, format: 1, content: 3, reasons_at: 112 } as const;
/** Throttling reasons in groups of sixteen bits: power and current, then temperature. */
const [POWER, HEAT] = [0xffff_ffffn, 0xffff_0000_0000n];

function throttledOf(tree: Tree, dir: string): string | null {
  const bytes = tree.bytes(`${dir}/gpu_metrics`, METRICS.length);
  if (bytes?.length !== METRICS.length) return null;
  if (bytes[2] !== METRICS.format || bytes[3] !== METRICS.content) return null;
  const reasons = new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(METRICS.reasons_at, true);
  // The firmware reports all ones where it does not know.
  if (reasons === 2n ** 64n - 1n) return null;
  if ((reasons & HEAT) !== 0n) return "thermal";
  return (reasons & POWER) === 0n ? null : "power";
}

/** One unit that computes, as KFD counts them. A card in partitions is several units. */
interface ComputeNode {
  readonly name: string;
  readonly pci: string;
  /** The unit's position among all units: the number that ROCR_VISIBLE_DEVICES counts. */
  readonly place: number;
  readonly gpu_id: string;
  readonly render: string | null;
  /** The units that this one has links to. */
  readonly linked: readonly string[];
}

const NODES = "sys/class/kfd/kfd/topology/nodes";
const XGMI = 11;

function computeNodes(tree: Tree): readonly ComputeNode[] {
  return tree
    .names(NODES)
    .map((name) => ({ name, facts: propertiesIn(tree.text(`${NODES}/${name}/properties`)) }))
    .filter(({ facts }) => (facts.get("simd_count") ?? 0) > 0)
    .map(({ name, facts }, place) => ({
      name,
      pci: addressOf(facts.get("domain") ?? 0, facts.get("location_id") ?? 0),
      place,
      gpu_id: tree.text(`${NODES}/${name}/gpu_id`) ?? "",
      render: (facts.get("drm_render_minor") ?? 0) > 0 ? `/dev/dri/renderD${facts.get("drm_render_minor")}` : null,
      linked: tree
        .names(`${NODES}/${name}/io_links`)
        .map((link) => propertiesIn(tree.text(`${NODES}/${name}/io_links/${link}/properties`)))
        .filter((link) => link.get("type") === XGMI)
        .map((link) => String(link.get("node_to"))),
    }));
}

/** Reads lines that consist of a name and a number. */
const propertiesIn = (text: string | null): ReadonlyMap<string, number> =>
  new Map(
    (text ?? "").split("\n").map((line) => {
      const [name, value] = line.split(" ");
      return [name ?? "", Number(value)];
    }),
  );

/**
 * Returns the address of a unit on the bus. Bus, device and function are packed into one number. Partitions of a card
 * appear as further functions of its address.
 */
function addressOf(domain: number, location: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, "0");
  const [bus, device] = [(location >> 8) & 0xff, (location >> 3) & 0x1f];
  return pciAddress(`${hex(domain, 4)}:${hex(bus, 2)}:${hex(device, 2)}.0`) ?? "";
}

function xgmiLinks(
  own: readonly ComputeNode[],
  nodes: readonly ComputeNode[],
  cards: readonly { id: string; pci: string }[],
): readonly Link[] {
  const reached = new Set(own.flatMap(({ linked }) => linked));
  const here = new Set(own.map(({ name }) => name));
  const linked = nodes.filter(({ name, linked: back }) => reached.has(name) || back.some((to) => here.has(to)));
  return cards
    .filter(({ pci }) => own.every((node) => node.pci !== pci) && linked.some((node) => node.pci === pci))
    .map(({ id }) => ({ id, kind: "xgmi" }));
}

const PROCESSES = "sys/class/kfd/kfd/proc";

/**
 * Returns the processes on a unit: those that use memory of it. Every process that computes has all cards open, so open
 * files do not tell.
 */
const computeProcesses = (tree: Tree, own: readonly ComputeNode[]): readonly CardProcess[] =>
  tree.names(PROCESSES).flatMap((pid) => {
    const memory = own.reduce((sum, { gpu_id }) => sum + (tree.number(`${PROCESSES}/${pid}/vram_${gpu_id}`) ?? 0), 0);
    return memory > 0 ? { pid: Number(pid), memory_bytes: memory } : [];
  });
