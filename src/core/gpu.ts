// Which cards a GPU request means: models by whole tokens, memory by the classes that are sold, the smallest first.

import type { Device } from "./device";
import { GIB, type Bytes } from "./units";
import type { GpuRequest } from "./workload";

/** A card sold as N GB shows between these shares of N GiB; within them sizes count as equal. */
const CLASS_LOW = 0.92;
const CLASS_HIGH = 1.02;

const tokensOf = (model: string): string[] =>
  model.toLowerCase().match(/[a-z]+\d+[a-z0-9]*|[a-z]+|\d+[a-z0-9]*/g) ?? [];

const joined = (model: string): string => model.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/**
 * Whether a card's full name is the model that was asked for: `H100` is `NVIDIA H100 80GB HBM3`, `rtx4090` is
 * `NVIDIA GeForce RTX 4090`, and `A10` is not `A100`. Case, spaces and dashes do not count, whole tokens do.
 */
export function isModel(asked: string, model: string): boolean {
  const wanted = joined(asked);
  if (wanted === "") return false;
  const tokens = tokensOf(model);
  for (let first = 0; first < tokens.length; first++) {
    let text = "";
    for (let last = first; last < tokens.length && text.length < wanted.length; last++) text += tokens[last];
    if (text === wanted) return true;
  }
  return false;
}

/** Whether a card is of the kind asked for; `vendor` stands in where none was named. */
export function isKind(request: GpuRequest, device: Device): boolean {
  if (device.vendor !== (request.vendor ?? "nvidia")) return false;
  return request.models.length === 0 || request.models.some((model) => isModel(model, device.model));
}

/** Whether a card's memory is of a class within the bounds. */
export function hasMemory(request: GpuRequest, device: Device): boolean {
  const { memory_min_bytes: min, memory_max_bytes: max } = request;
  return (
    (min === null || device.memory_bytes >= min * CLASS_LOW) &&
    (max === null || device.memory_bytes <= max * CLASS_HIGH)
  );
}

export const matches = (request: GpuRequest, device: Device): boolean =>
  isKind(request, device) && hasMemory(request, device);

/** The devices of a node that can be promised: a card that is cut in parts is promised by its parts. */
export function wholeDevices(devices: readonly Device[]): readonly Device[] {
  if (!devices.some((device) => device.parent !== null)) return devices;
  const parents = new Set(devices.map((device) => device.parent));
  return devices.filter((device) => !parents.has(device.id));
}

/** Smallest first, so that big cards stay free for those who need them; ties break by id. */
export const bySize = (a: Device, b: Device): number => a.memory_bytes - b.memory_bytes || (a.id < b.id ? -1 : 1);

/**
 * Picks cards out of the free ones, smallest that do first and of one model where one model has enough; `null` when
 * there are too few.
 */
export function pickDevices(request: GpuRequest, free: readonly Device[]): readonly Device[] | null {
  const fitting = free.filter((device) => matches(request, device)).sort(bySize);
  if (fitting.length < request.count) return null;
  if (request.count > 1) {
    for (const first of fitting) {
      const alike = fitting.filter(
        (device) => device.model === first.model && device.memory_bytes === first.memory_bytes,
      );
      if (alike.length >= request.count) return alike.slice(0, request.count);
    }
  }
  return fitting.slice(0, request.count);
}

const SOLD_GB = [
  1, 2, 3, 4, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 80, 94, 96, 128, 141, 144, 180, 192, 256, 288,
];

/** A card's memory as its box says it: `24 GB` for what shows 23.6 GiB. */
export function formatCard(bytes: Bytes): string {
  const sold = SOLD_GB.find((gb) => bytes >= gb * GIB * CLASS_LOW && bytes <= gb * GIB * CLASS_HIGH);
  return `${sold ?? Math.round((bytes / GIB) * 10) / 10} GB`;
}
