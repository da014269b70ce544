// What xpu-smi reports of Intel's cards: product, memory, ECC and Xe links once for a set of cards, and now and then
// the figures that a driver does not show. The tool numbers cards in its own way, so they are matched by address.

import type { CommandResult } from "../../../os/process/spawn";
import { fieldsOf } from "../../../os/files/json";
import { jsonIn, type Tool } from "../../../os/process/tool";
import { MIB } from "../../../core/units";
import type { CardProcess } from "../device";
import { numberIn, pciAddress } from "../sysfs";

/** A card as xpu-smi reports it. */
export interface XpuCard {
  readonly number: number;
  readonly model: string | null;
  readonly memory_bytes: number | null;
  readonly ecc: boolean | null;
  /** The tool's numbers of the cards that Xe links lead to. */
  readonly linked: readonly number[];
}
export type XpuCards = ReadonlyMap<string, XpuCard>;

export interface XpuStats {
  readonly memory_used_bytes: number | null;
  readonly temperature_celsius: number | null;
  readonly power_watts: number | null;
  readonly utilization_percent: number | null;
}

interface Discovery {
  /** What the tool reported until it failed. */
  readonly told: XpuCards;
  readonly complete: boolean;
  /** Why the answer is not complete. */
  readonly why: string;
}

/** Asks for everything that does not change while the machine runs. */
export async function askXpuCards(tool: Tool, timeout_ms: number): Promise<Discovery> {
  const found = new Map<string, XpuCard>();
  const list = await tool.run(["discovery", "-j"], timeout_ms);
  const entries = fieldsOf(jsonIn(list))["device_list"];
  if (!Array.isArray(entries) || entries.length === 0) {
    return { told: found, complete: false, why: list.is === "failed" ? list.why : `${tool.path} lists no card` };
  }
  const matrix = entries.length > 1 ? await tool.run(["topology", "-m"], timeout_ms) : null;
  const links = matrix === null ? [] : xeLinksIn(matrix);
  for (const entry of entries as readonly unknown[]) {
    const { device_id, device_name, pci_bdf_address } = fieldsOf(entry);
    const pci = typeof pci_bdf_address === "string" ? pciAddress(pci_bdf_address) : null;
    if (pci === null || typeof device_id !== "number") continue;
    const asked = await tool.run(["discovery", "-d", String(device_id), "-j"], timeout_ms);
    if (asked.is === "failed") return { told: found, complete: false, why: asked.why };
    const details = fieldsOf(jsonIn(asked));
    found.set(pci, {
      number: device_id,
      model: typeof device_name === "string" ? plainName(device_name) : null,
      memory_bytes: numberIn(textOf(details["memory_physical_size_byte"])),
      ecc: switched(details["memory_ecc_state"]),
      linked: links.flatMap(([from, to]) => (from === device_id ? to : [])),
    });
  }
  return { told: found, complete: true, why: "" };
}

const textOf = (value: unknown): string | null =>
  typeof value === "string" || typeof value === "number" ? String(value) : null;
const switched = (value: unknown): boolean | null => (value === "enabled" ? true : value === "disabled" ? false : null);

/** Returns `Intel Arc A770` for `Intel(R) Arc(TM) A770 Graphics`, or null for a product that only has a number. */
function plainName(name: string): string | null {
  const plain = name.replaceAll(/\((?:R|TM)\)/g, "").trim();
  return /^Intel Graphics \[0x[0-9a-f]+\]$/i.test(plain) ? null : plain;
}

/**
 * Reads pairs of connected cards from the matrix of their tiles. `XL16` is a direct link; `XL*` leads over the card's
 * other tile. Both count.
 */
function xeLinksIn(result: CommandResult): readonly (readonly [from: number, to: number])[] {
  if (result.is === "failed") return [];
  const rows = result.out.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const cardOf = (cell: string | undefined): number => Number(/^GPU (\d+)\/\d+$/.exec(cell ?? "")?.[1] ?? Number.NaN);
  const isHeading = (row: readonly string[]): boolean => row.length > 2 && !Number.isNaN(cardOf(row[1]));
  const heading = (rows.find(isHeading) ?? []).map(cardOf);
  const pairs = new Map<string, readonly [number, number]>();
  for (const row of rows) {
    const from = cardOf(row[0]);
    if (Number.isNaN(from) || isHeading(row)) continue;
    for (const [n, cell] of row.slice(1).entries()) {
      const to = heading[n] ?? Number.NaN;
      if (!Number.isNaN(to) && to !== from && /^XL(?:\d+|\*)$/.test(cell)) pairs.set(`${from} ${to}`, [from, to]);
    }
  }
  return [...pairs.values()];
}

/**
 * Asks for figures that change. A card's own value counts; where only its tiles have one, their highest or their sum.
 */
export async function askXpuStats(tool: Tool, card: number, timeout_ms: number): Promise<XpuStats | null> {
  const stats = fieldsOf(jsonIn(await tool.run(["stats", "-d", String(card), "-j"], timeout_ms)));
  const whole = metricsIn(stats["device_level"]);
  const tiles = (Array.isArray(stats["tile_level"]) ? (stats["tile_level"] as unknown[]) : []).map((tile) =>
    metricsIn(fieldsOf(tile)["data_list"]),
  );
  if (whole.size === 0 && tiles.length === 0) return null;
  const metric = (name: string, join: (values: readonly number[]) => number): number | null => {
    const values = tiles.flatMap((tile) => tile.get(name) ?? []);
    return whole.get(name) ?? (values.length === 0 ? null : join(values));
  };
  const sum = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0);
  const highest = (values: readonly number[]): number => Math.max(...values);
  const used = metric("XPUM_STATS_MEMORY_USED", sum);
  return {
    memory_used_bytes: used === null ? null : Math.round(used * (used > MOST_MEBIBYTES ? 1 : MIB)),
    temperature_celsius: metric("XPUM_STATS_GPU_CORE_TEMPERATURE", highest),
    power_watts: metric("XPUM_STATS_POWER", sum),
    utilization_percent: metric("XPUM_STATS_GPU_UTILIZATION", highest),
  };
}

/**
 * Releases before 1.2 report bytes, later ones mebibytes. A figure above this one is in bytes, since no card has so
 * many mebibytes.
 */
const MOST_MEBIBYTES = 4_194_304;

const metricsIn = (list: unknown): ReadonlyMap<string, number> =>
  new Map(
    (Array.isArray(list) ? (list as unknown[]) : []).flatMap((one) => {
      const { metrics_type, value } = fieldsOf(one);
      return typeof metrics_type === "string" && typeof value === "number" ? [[metrics_type, value] as const] : [];
    }),
  );

/** Asks for processes, by the tool's number of the card that they are on. The tool's own process is left out. */
export async function askXpuProcesses(tool: Tool, timeout_ms: number): Promise<ReadonlyMap<number, CardProcess[]>> {
  const found = new Map<number, CardProcess[]>();
  const list = fieldsOf(jsonIn(await tool.run(["ps", "-j"], timeout_ms)))["device_util_by_proc_list"];
  for (const one of Array.isArray(list) ? (list as unknown[]) : []) {
    const { device_id, process_id, process_name, mem_size } = fieldsOf(one);
    if (typeof device_id !== "number" || typeof process_id !== "number" || process_name === "xpu-smi") continue;
    const memory_bytes = typeof mem_size === "number" ? mem_size * 1_000 : null;
    found.set(device_id, [...(found.get(device_id) ?? []), { pid: process_id, memory_bytes }]);
  }
  return found;
}
