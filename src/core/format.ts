// Numbers as people read and write them, in the grammar that the spec file takes: for plans, tables and errors.

import { overIn } from "./model/array";
import { DAY_MS, HOUR_MS, MIB, MINUTE_MS, SECOND_MS, GIB, type Bytes, type Milli, type Ms } from "./units";
import type { GpuRequest, LabelCheck } from "./model/workload";

const BYTE_UNITS = [
  ["PiB", GIB * MIB],
  ["TiB", GIB * 1024],
  ["GiB", GIB],
  ["MiB", MIB],
  ["KiB", 1024],
  ["B", 1],
] as const;

/**
 * Formats bytes: `1GiB`, `1.5GiB`, `1025MiB`. The text is exact where a short number is exact, else rounded to a tenth
 * of the largest unit.
 */
export function formatBytes(bytes: Bytes): string {
  if (bytes < 0) return `-${formatBytes(-bytes)}`;
  for (const [unit, size] of BYTE_UNITS) {
    const tenths = (bytes * 10) / size;
    if (Number.isInteger(tenths) && tenths >= 10 && tenths < 100_000) return `${tenths / 10}${unit}`;
  }
  const [unit, size] = BYTE_UNITS.find(([, each]) => bytes >= each) ?? ["B", 1];
  return `${Math.round((bytes * 10) / size) / 10}${unit}`;
}

/** Formats cores: `500m`, `1`, `1.5`. Below one core in thousandths, above in cores. */
export function formatCpu(cpu_milli: Milli): string {
  return Math.abs(cpu_milli) < 1_000 && cpu_milli !== 0 ? `${cpu_milli}m` : `${cpu_milli / 1_000}`;
}

const TIME_UNITS = [
  ["d", DAY_MS],
  ["h", HOUR_MS],
  ["m", MINUTE_MS],
  ["s", SECOND_MS],
] as const;

/** Formats an age or a rest by its two largest units: `2h10m`, `3d`, `45s`. Seconds are the smallest unit. */
export function formatAge(age_ms: Ms): string {
  const first = TIME_UNITS.findIndex(([, size]) => age_ms >= size);
  if (first < 0) return "0s";
  let rest = age_ms;
  let text = "";
  for (const [unit, size] of TIME_UNITS.slice(first, first + 2)) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) text += `${n}${unit}`;
  }
  return text;
}

/** Formats a duration exactly, as a spec file takes it: `500ms`, `30s`, `1.5s`, `1h30m`, `7d`. */
export function formatDuration(duration_ms: Ms): string {
  if (duration_ms < 0) return `-${formatDuration(-duration_ms)}`;
  if (duration_ms < SECOND_MS) return duration_ms === 0 ? "0s" : `${duration_ms}ms`;
  let rest = duration_ms;
  let text = "";
  for (const [unit, size] of TIME_UNITS) {
    const n = unit === "s" ? rest / size : Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) text += `${n}${unit}`;
  }
  return text;
}

/** Formats a card's memory class: `24GB`, `512MB`. */
function formatCardMemory(bytes: Bytes): string {
  return formatBytes(bytes).replace("iB", "B");
}

/**
 * Formats a GPU request in the spec file's own grammar: `2`, `24GB..40GB:2`, `A100,H100:80GB..:2`, `amd:MI300X`. What
 * that text cannot express becomes an object: `{ count: 2, memory: 24GB, linked: true }`.
 */
export function formatGpu(gpu: GpuRequest): string {
  const { vendor, models, count } = gpu;
  const memory = formatMemoryRange(gpu);
  if (gpu.share_bytes !== undefined || gpu.linked !== undefined) return formatGpuMap(gpu, memory);
  const parts: string[] = [];
  if (vendor !== null) parts.push(vendor);
  if (models.length > 0) parts.push(models.join(","));
  if (memory !== null) parts.push(memory);
  if (count !== 1 || parts.length === 0) parts.push(String(count));
  return parts.join(":");
}

function formatMemoryRange({ memory_min_bytes: min, memory_max_bytes: max }: GpuRequest): string | null {
  if (max !== null) return `${min === null ? "" : formatCardMemory(min)}..${formatCardMemory(max)}`;
  return min === null ? null : formatCardMemory(min);
}

function formatGpuMap({ count, models, vendor, share_bytes, linked }: GpuRequest, memory: string | null): string {
  const parts: string[] = [];
  if (count !== 1) parts.push(`count: ${count}`);
  if (vendor !== null) parts.push(`vendor: ${vendor}`);
  if (models.length > 0) parts.push(`model: [${models.join(", ")}]`);
  if (memory !== null) parts.push(`memory: ${memory}`);
  if (share_bytes !== undefined) parts.push(`share: ${formatCardMemory(share_bytes)}`);
  if (linked !== undefined) parts.push(`linked: ${linked === "demanded"}`);
  return `{ ${parts.join(", ")} }`;
}

/** Formats how far an array is: `812/1000 done, 3 failed`. What is over is done, however it ended. */
export function formatProgress({ total, succeeded, failed, stopped, unknown }: ArrayProgress): string {
  const more = Object.entries({ failed, unknown, stopped }).filter(([, count]) => count > 0);
  const over = overIn({ succeeded, failed, stopped, unknown });
  return [`${over}/${total} done`, ...more.map(([how, count]) => `${count} ${how}`)].join(", ");
}

interface ArrayProgress {
  readonly total: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly stopped: number;
  readonly unknown: number;
}

/** Formats how long is left until something happens, in whole seconds, rounded up: `8s`, `1m30s`; never less than 0. */
export const formatRest = (rest_ms: Ms): string =>
  formatDuration(Math.max(0, Math.ceil(rest_ms / SECOND_MS) * SECOND_MS));

/** Formats memory of cards as people say it: `9.1 GB`. */
export const formatMemory = (bytes: Bytes): string =>
  bytes < GIB ? `${Math.round(bytes / MIB)} MB` : `${Math.round((bytes * 10) / GIB) / 10} GB`;

/** A condition as the spec file writes it: `zone=a`, `zone in (a, b)`, `!old`. */
export function formatLabelCheck(check: LabelCheck): string {
  const values = check.values.join(", ");
  switch (check.op) {
    case "in":
      return check.values.length === 1 ? `${check.key}=${values}` : `${check.key} in (${values})`;
    case "not_in":
      return check.values.length === 1 ? `${check.key}!=${values}` : `${check.key} notin (${values})`;
    case "exists":
      return check.key;
    case "absent":
      return `!${check.key}`;
  }
}
