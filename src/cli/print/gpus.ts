// Cards as `orch gpus` shows them: whether the card is free, how full it really is, and who uses it.

import { formatAge, formatBytes } from "../../core/format";
import type { Ms } from "../../core/units";
import type { GpuView } from "../../wire/api/devices";
import type { Style } from "./color";
import { share } from "./figures";
import { summary } from "./fold";
import type { Column } from "./table";

/**
 * `split`: the card is cut into parts, which are promised instead. `bad` is the card's own state, `away` its node's.
 */
export type GpuUse =
  | { readonly is: "free" | "taken" | "shared" | "foreign" | "split" }
  | { readonly is: "bad"; readonly state: GpuView["state"] }
  | { readonly is: "away"; readonly state: GpuView["node_state"] };

/** Returns the use of a card in one word. */
export function useOf(gpu: GpuView, all: readonly GpuView[]): GpuUse {
  const { state, node_state, promised, foreign_bytes, foreign, reading } = gpu;
  if (state !== "ok") return { is: "bad", state };
  if (all.some((other) => other.parent === gpu.id && other.node === gpu.node)) return { is: "split" };
  if (promised.some(({ memory_bytes }) => memory_bytes === null)) return { is: "taken" };
  if (promised.length > 0) return { is: "shared" };
  if (node_state !== "ready") return { is: "away", state: node_state };
  const isForeign = foreign_bytes > 0 || foreign !== null || reading?.processes.some((one) => one.foreign) === true;
  return { is: isForeign ? "foreign" : "free" };
}

const wordOf = (use: GpuUse): string => ("state" in use ? use.state : use.is);

function paintUse(styled: Style, use: GpuUse, cell: string): string {
  if (use.is === "free") return styled.green(cell);
  if (use.is === "bad") return styled.red(cell);
  return use.is === "taken" || use.is === "split" ? cell : styled.yellow(cell);
}

const SHORT = 8;

/** Returns the id without the prefix that all ids share, as short as still tells the cards apart. */
export function shortGpuId(id: string, all: readonly GpuView[]): string {
  const plain = (one: string): string => one.replace(/^(GPU|MIG)-/, "");
  const own = plain(id);
  const others = all.map((gpu) => plain(gpu.id)).filter((one) => one !== own);
  for (let length = SHORT; length < own.length; length++) {
    const short = own.slice(0, length);
    if (!short.endsWith("-") && !others.some((other) => other.startsWith(short))) return short;
  }
  return own;
}

/** Returns `3` for card 3, and `3:1` for its second part. */
function placeOf(gpu: GpuView, all: readonly GpuView[]): string {
  if (gpu.parent === null) return String(gpu.index);
  const here = all.filter(({ node }) => node === gpu.node);
  const parts = here.filter(({ parent }) => parent === gpu.parent);
  const parent = here.find(({ id }) => id === gpu.parent);
  return `${parent?.index ?? gpu.index}:${parts.indexOf(gpu)}`;
}

/** Returns the model without the words that all cards of its vendor have. */
export const shortModel = (model: string): string =>
  model.replace(/^(NVIDIA|AMD|Intel)\s+/i, "").replace(/^GeForce\s+/i, "");

/** Returns what the card itself shows as used of its memory. */
function usedOf({ reading, memory_bytes }: GpuView): string {
  const used = reading?.memory_used_bytes ?? null;
  return used === null ? `-/${formatBytes(memory_bytes)}` : share(used, memory_bytes);
}

/** Returns what of a shared card is not promised yet. Of other cards all or nothing is free, as their state says. */
const leftOf = (gpu: GpuView, all: readonly GpuView[]): string =>
  useOf(gpu, all).is === "shared"
    ? formatBytes(Math.max(0, gpu.memory_bytes - gpu.promised_bytes - gpu.foreign_bytes))
    : "";

const unit = (value: number | null | undefined, text: string): string =>
  value === null || value === undefined ? "" : `${Math.round(value)}${text}`;

const sizeOf = (bytes: number | null): string => (bytes === null || bytes === 0 ? "" : ` ${formatBytes(bytes)}`);

/** Returns why the card is not available, then the tasks that it is promised to, then its foreign users. */
function whoOf(gpu: GpuView, now_ms: Ms): string {
  const { state, reason, state_ms, promised, foreign, foreign_bytes, reading } = gpu;
  const trouble = state === "ok" ? [] : [`for ${formatAge(now_ms - state_ms)}${reason === null ? "" : `: ${reason}`}`];
  const tasks = promised.map(
    ({ user, task, title, memory_bytes }) =>
      `${user === null ? "" : `${user} `}${title ?? task}${sizeOf(memory_bytes)}`,
  );
  const strangers = (reading?.processes ?? [])
    .filter((one) => one.foreign)
    .map(
      ({ user, command, memory_bytes }) =>
        `foreign: ${user === null ? "" : `${user} `}${command}${sizeOf(memory_bytes)}`,
    );
  const told = strangers.length > 0 || (foreign === null && foreign_bytes === 0);
  const summed = told ? [] : [`foreign: ${foreign ?? "not known"}${sizeOf(foreign_bytes)}`];
  const slow = reading?.throttled ?? null;
  return [...trouble, ...tasks, ...strangers, ...summed, ...(slow === null ? [] : [`slowed down: ${slow}`])].join(", ");
}

const staleOf = ({ reading }: GpuView): string => (reading?.stale === true ? `${formatAge(reading.age_ms)} ago` : "");

/**
 * Returns the columns of a table with one row per card. `all` are all cards of the cluster; `wide` adds what operators
 * need.
 */
export function gpuColumns(all: readonly GpuView[], now_ms: Ms, wide: boolean, styled: Style): Column<GpuView>[] {
  const extra: Column<GpuView>[] = [
    { title: "POWER", align: "right", gives: [[9, "below"]], cell: ({ reading }) => unit(reading?.power_watts, "W") },
    { title: "CLOCK", align: "right", gives: [[8, "below"]], cell: ({ reading }) => unit(reading?.clock_mhz, "MHz") },
    { title: "PCI", gives: [[6, "below"]], cell: ({ pci }) => pci ?? "" },
    {
      title: "NUMA",
      align: "right",
      gives: [[7, "below"]],
      cell: ({ numa_node }) => (numa_node === null ? "" : String(numa_node)),
    },
    { title: "DRIVER", gives: [[5, "below"]], cell: ({ driver }) => driver ?? "" },
    { title: "LINKS", gives: [[4, "below"]], cell: (gpu) => linksOf(gpu, all) },
  ];
  return [
    { title: "NODE", cut: "middle", gives: [[12, 16]], cell: ({ node }) => node },
    { title: "GPU", align: "right", cell: (gpu) => placeOf(gpu, all) },
    {
      title: "STATE",
      cell: (gpu) => wordOf(useOf(gpu, all)),
      paint: (gpu, cell) => paintUse(styled, useOf(gpu, all), cell),
    },
    {
      title: "MODEL",
      gives: [
        [1, 18],
        [13, 8],
      ],
      cell: ({ model }) => shortModel(model),
    },
    { title: "USED", align: "right", cell: usedOf },
    { title: "LEFT", align: "right", gives: [[8, "below"]], cell: (gpu) => leftOf(gpu, all) },
    { title: "UTIL", align: "right", cell: ({ reading }) => unit(reading?.utilization_percent, "%") },
    { title: "TEMP", align: "right", gives: [[10, 0]], cell: ({ reading }) => unit(reading?.temperature_celsius, "C") },
    { title: "STALE", align: "right", gives: [[2, "below"]], cell: staleOf },
    ...(wide ? extra : []),
    { title: "ID", gives: [wide ? [3, "below"] : [11, 0]], cell: ({ id }) => (wide ? id : shortGpuId(id, all)) },
    { title: "WHO", prose: true, cell: (gpu) => whoOf(gpu, now_ms) },
  ];
}

export const gpuSummary = (gpus: readonly GpuView[], all: readonly GpuView[]): string =>
  summary(
    "cards",
    gpus.map((gpu) => wordOf(useOf(gpu, all))),
  );

/** Returns the links of a card: `nvlink 1,2; switch 3` names cards of the same node by their place. */
function linksOf(gpu: GpuView, all: readonly GpuView[]): string {
  const kinds = [...new Set(gpu.links.map(({ kind }) => kind))];
  const others = (kind: string): GpuView[] =>
    gpu.links.flatMap((link) => {
      const other = link.kind === kind ? all.find(({ id, node }) => id === link.id && node === gpu.node) : undefined;
      return other === undefined ? [] : [other];
    });
  const places = (kind: string): string[] =>
    others(kind)
      .sort((a, b) => a.index - b.index)
      .map((other) => placeOf(other, all));
  return kinds.map((kind) => `${kind} ${places(kind).join(",")}`).join("; ");
}

export interface GpuProcess {
  readonly gpu: GpuView;
  readonly process: NonNullable<GpuView["reading"]>["processes"][number];
}

export const processesOf = (gpus: readonly GpuView[]): GpuProcess[] =>
  gpus.flatMap((gpu) => (gpu.reading?.processes ?? []).map((process) => ({ gpu, process })));

/** Returns the columns of a table with one row per process that uses a card. */
export function processColumns(all: readonly GpuView[], styled: Style): Column<GpuProcess>[] {
  const isForeign = ({ process }: GpuProcess): boolean => process.foreign;
  return [
    { title: "NODE", cut: "middle", gives: [[1, 16]], cell: ({ gpu }) => gpu.node },
    { title: "GPU", align: "right", cell: ({ gpu }) => placeOf(gpu, all) },
    { title: "PID", align: "right", cell: ({ process }) => String(process.pid) },
    { title: "USER", gives: [[2, 8]], cell: ({ process }) => process.user ?? "-" },
    {
      title: "MEM",
      align: "right",
      cell: ({ process }) => (process.memory_bytes === null ? "-" : formatBytes(process.memory_bytes)),
    },
    {
      title: "TASK",
      cut: "middle",
      gives: [[3, 24]],
      cell: ({ process }) => (process.foreign ? "foreign" : (process.title ?? process.task ?? process.task_id ?? "-")),
      paint: (row, cell) => (isForeign(row) ? styled.yellow(cell) : cell),
    },
    { title: "STALE", align: "right", cell: ({ gpu }) => staleOf(gpu) },
    { title: "COMMAND", prose: true, cell: ({ process }) => process.command },
  ];
}
