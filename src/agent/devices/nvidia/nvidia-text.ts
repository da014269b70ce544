// Parsers of what nvidia-smi prints: the comma-separated queries, the matrix of links, the list with MIG's parts, and
// the XML that alone reports the memory of a part.

import type { CardTrouble, Warning } from "../device";
import type { ComputeMode, Link } from "../../../core/model/device";
import { MIB } from "../../../core/units";
import { troubleOf, type RunningProcess } from "./nvml";
import { throttledBy, type LostCard, type NvmlCard, type NvmlPart } from "./nvml-look";
import { numberIn, pciAddress } from "../sysfs";

/**
 * The fields that are queried for each card, in this order. A release that does not know a field is asked without it.
 */
export const FIELDS = [
  "index",
  "uuid",
  "name",
  "pci.bus_id",
  "driver_version",
  "memory.total",
  "memory.used",
  "compute_mode",
  "ecc.mode.current",
  "ecc.mode.pending",
  "ecc.errors.uncorrected.volatile.total",
  "remapped_rows.pending",
  "remapped_rows.failure",
  "temperature.gpu",
  "power.draw",
  "clocks.current.sm",
  "clocks_throttle_reasons.active",
  "utilization.gpu",
  "mig.mode.current",
] as const;
type Field = (typeof FIELDS)[number];
export type Row = Readonly<Record<Field, string | null>>;

/** Returns the field that this release does not know, or null if it complains of something else. */
export const unknownField = (text: string): string | null =>
  /Field "([^"]+)" is not a valid field to query/.exec(text)?.[1] ?? null;

/**
 * Reads lines of values without heading and units. A value that is not reported stands in brackets: `[N/A]`, `[Not
 * Supported]`.
 */
const cellsOf = (text: string): readonly (readonly string[])[] =>
  text
    .split("\n")
    .filter((line) => line.includes(","))
    .map((line) => line.split(",").map((cell) => cell.trim()));

export const rowsOf = (text: string, fields: readonly Field[]): readonly Row[] =>
  cellsOf(text)
    .filter((cells) => cells.length === fields.length)
    .map((cells) => {
      const row = Object.fromEntries(FIELDS.map((field) => [field, null as string | null]));
      for (const [n, field] of fields.entries()) row[field] = cells[n] ?? null;
      return row as Row;
    });

const isTold = (cell: string | null): cell is string => cell !== null && !/^\[.*\]$|^N\/A$|^$/.test(cell);
const numberOf = (cell: string | null): number | null => (isTold(cell) ? numberIn(cell) : null);
const megabytes = (cell: string | null): number | null => {
  const value = numberOf(cell);
  return value === null ? null : value * MIB;
};
const switched = (cell: string | null): boolean | null =>
  cell === "Enabled" ? true : cell === "Disabled" ? false : null;

/** The text of a whole row of an unusable card: `[GPU is lost]`, `[GPU requires reset]`. */
const TROUBLE = /\[(?:GPU is lost|GPU requires reset|Unknown Error)\]/i;

/** Returns the trouble of a card in our words, for any of the texts with which the tool reports it. */
export function troubleIn(text: string): CardTrouble {
  if (/lost/i.test(text)) return troubleOf(15);
  if (/reset/i.test(text)) return troubleOf(16);
  if (/unknown error/i.test(text)) return troubleOf(999);
  return { is: "other", why: text.replaceAll(/[[\]]/g, "").trim() };
}

const MODES: Readonly<Record<string, ComputeMode>> = {
  Default: "shared",
  Prohibited: "prohibited",
  Exclusive_Process: "exclusive",
  Exclusive_Thread: "exclusive",
};

export type SmiCard = Omit<NvmlCard, "links" | "processes" | "parts" | "minor">;

export function cardOf(row: Row): SmiCard | LostCard {
  const id = isTold(row.uuid) ? row.uuid : null;
  const pci = pciAddress(row["pci.bus_id"] ?? "");
  const memory = row["memory.total"] ?? "";
  if (id === null || TROUBLE.test(memory)) {
    return { at: Number(row.index), id, pci, trouble: troubleIn(id === null ? "its UUID is not told" : memory) };
  }
  const reasons = numberOf(row["clocks_throttle_reasons.active"]);
  return {
    id,
    model: isTold(row.name) ? row.name : "NVIDIA",
    memory_bytes: megabytes(memory),
    pci,
    compute_mode: MODES[row.compute_mode ?? ""] ?? null,
    ecc: switched(row["ecc.mode.current"]),
    ecc_errors: numberOf(row["ecc.errors.uncorrected.volatile.total"]),
    warnings: warningsOf(row),
    memory_used_bytes: megabytes(row["memory.used"]),
    utilization_percent: numberOf(row["utilization.gpu"]),
    temperature_celsius: numberOf(row["temperature.gpu"]),
    power_watts: numberOf(row["power.draw"]),
    clock_mhz: numberOf(row["clocks.current.sm"]),
    throttled: reasons === null ? null : throttledBy(reasons),
  };
}

/** Reads processes, by the card that they are on. */
export function processesIn(text: string): ReadonlyMap<string, readonly RunningProcess[]> {
  const found = new Map<string, RunningProcess[]>();
  for (const [card, pid, memory] of cellsOf(text)) {
    const number = numberOf(pid ?? null);
    if (card === undefined || number === null) continue;
    found.set(card, [...(found.get(card) ?? []), { pid: number, memory_bytes: megabytes(memory ?? null) }]);
  }
  return found;
}

export const isSplit = (row: Row): boolean => switched(row["mig.mode.current"]) === true;

function warningsOf(row: Row): readonly Warning[] {
  const [now, next] = [switched(row["ecc.mode.current"]), switched(row["ecc.mode.pending"])];
  const warnings: Warning[] = [];
  if (now !== null && next !== null && now !== next) warnings.push("ecc_pending");
  if (/^(?:yes|1)$/i.test(row["remapped_rows.pending"] ?? "")) warnings.push("remap_pending");
  if (/^(?:yes|1)$/i.test(row["remapped_rows.failure"] ?? "")) warnings.push("remap_failed");
  return warnings;
}

/** Returns the card whose trouble makes the tool fail for all: its address, and the tool's words. */
export function lostIn(text: string): { readonly pci: string; readonly trouble: CardTrouble } | null {
  const found = /device handle for GPU.*?([0-9A-F]{4,8}:[0-9A-F]{2}:[0-9A-F]{2}\.[0-9A-F]):?\s*([^.\n]+)/i.exec(text);
  const pci = pciAddress(found?.[1] ?? "");
  return pci === null ? null : { pci, trouble: troubleIn(found?.[2] ?? "") };
}

/**
 * Reads links from the matrix of `topo -m`, by the numbers of both cards. The tool's underlining adds terminal codes.
 */
export function linksIn(text: string): ReadonlyMap<string, Link["kind"]> {
  const lines = text
    .replaceAll(/\u001b\[[0-9;]*m/g, "")
    .split("\n")
    .map((line) => line.split(/\t|\s{2,}/).map((cell) => cell.trim()))
    .map((cells) => cells.filter((cell) => cell !== ""));
  const heading = lines.find((cells) => /^GPU\d+$/.test(cells[0] ?? "") && !cells.includes("X")) ?? [];
  const links = new Map<string, Link["kind"]>();
  for (const [from, ...cells] of lines) {
    if (!/^GPU\d+$/.test(from ?? "") || !cells.includes("X")) continue;
    for (const [n, to] of heading.entries()) {
      const kind = kindOf(cells[n] ?? "");
      if (kind !== null && /^GPU\d+$/.test(to)) links.set(`${from?.slice(3)} ${to.slice(3)}`, kind);
    }
  }
  return links;
}

function kindOf(cell: string): Link["kind"] | null {
  if (/^NV\d+$/.test(cell)) return "nvlink";
  if (cell === "PIX" || cell === "PXB") return "switch";
  return cell === "PHB" || cell === "NODE" ? "socket" : null;
}

/**
 * Returns the parts of cards by the card's UUID, in the order of their numbers. The list and the XML each hold a half
 * of what is needed.
 */
export function partsIn(list: string, xml: string): ReadonlyMap<string, readonly NvmlPart[]> {
  const parts = new Map<string, NvmlPart[]>();
  let card = { id: "", model: "" };
  for (const line of list.split("\n")) {
    const [, model, id] = /^GPU \d+: (.+) \(UUID: (GPU-[^)]+)\)/.exec(line) ?? [];
    if (model !== undefined && id !== undefined) card = { id, model };
    const [, profile, number, uuid] = /^\s+(MIG \S+)\s+Device\s+(\d+): \(UUID: (MIG-[^)]+)\)/.exec(line) ?? [];
    if (profile === undefined || uuid === undefined) continue;
    const facts = partIn(xml, card.id, Number(number));
    if (facts === null) continue;
    const known = parts.get(card.id) ?? [];
    parts.set(card.id, [...known, { id: uuid, model: `${card.model} ${profile}`, ...facts }]);
  }
  return parts;
}

const valueIn = (xml: string, tag: string): string | null =>
  new RegExp(`<${tag}>([^<]*)</${tag}>`).exec(xml)?.[1] ?? null;
const blocksIn = (xml: string, tag: string): readonly string[] =>
  [...xml.matchAll(new RegExp(`<${tag}(?: [^>]*)?>.*?</${tag}>`, "gs"))].map(([block]) => block);

function partIn(xml: string, card: string, number: number): Omit<NvmlPart, "id" | "model"> | null {
  const whole = blocksIn(xml, "gpu").find((block) => valueIn(block, "uuid") === card) ?? "";
  const part = blocksIn(whole, "mig_device").find((block) => Number(valueIn(block, "index")) === number) ?? "";
  const memory = blocksIn(part, "fb_memory_usage")[0] ?? "";
  const total = sizeOf(valueIn(memory, "total"));
  if (total === null) return null;
  const instance = (block: string, of: string): number | null => numberOf(valueIn(block, `${of}_instance_id`));
  const [gpu_instance, compute_instance] = [instance(part, "gpu"), instance(part, "compute")];
  const processes = blocksIn(whole, "process_info")
    .filter((one) => instance(one, "gpu") === gpu_instance && instance(one, "compute") === compute_instance)
    .map((one) => ({ pid: Number(valueIn(one, "pid")), memory_bytes: sizeOf(valueIn(one, "used_memory")) }));
  return {
    memory_bytes: total,
    memory_used_bytes: sizeOf(valueIn(memory, "used")),
    gpu_instance,
    compute_instance,
    processes,
  };
}

/** Reads `40192 MiB` as bytes. */
const sizeOf = (text: string | null): number | null => megabytes(text?.replace(/ MiB$/, "") ?? null);
