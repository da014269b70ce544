// Which cards a GPU request means: models by whole tokens of their names, memory by the sizes that are sold.

import type { Device } from "../model/device";
import { GIB, type Bytes } from "../units";
import type { GpuRequest } from "../model/workload";

/** A card sold as N GB reports between 0.92 and 1.02 times N GiB. Sizes within these bounds count as equal. */
const CLASS_LOW = 0.92;
const CLASS_HIGH = 1.02;

const tokensOf = (model: string): string[] =>
  model.toLowerCase().match(/[a-z]+\d+[a-z0-9]*|[a-z]+|\d+[a-z0-9]*/g) ?? [];

const joined = (model: string): string => model.toLowerCase().replaceAll(/[^a-z0-9]/g, "");

/**
 * Returns whether a card's full name is the model that was asked for. `H100` is `NVIDIA H100 80GB HBM3`, `rtx4090` is
 * `NVIDIA GeForce RTX 4090`, and `A10` is not `A100`. Case, spaces and dashes do not count; whole tokens do.
 */
export const isModel = (asked: string, model: string): boolean => holdsRun(asked, tokensOf(model), 0);

/** Returns whether some consecutive tokens, the first at `from` or before, spell the text that was asked for. */
function holdsRun(asked: string, tokens: readonly string[], from: number): boolean {
  const wanted = joined(asked);
  if (wanted === "") return false;
  for (let first = 0; first < tokens.length; first++) {
    let text = "";
    for (let last = first; last < tokens.length && text.length < wanted.length; last++) {
      text += tokens[last];
      if (text === wanted && last >= from) return true;
    }
  }
  return false;
}

/**
 * Returns whether a name means a part of a card: `1g.10gb` and `A100 MIG 1g.10gb` do, `A100` means whole cards only.
 */
export function isPart(asked: string, model: string): boolean {
  const tokens = tokensOf(model);
  return holdsRun(asked, tokens, Math.max(0, tokens.indexOf("mig")));
}

/**
 * Returns whether a card is of the kind that was asked for. A part of a card (MIG) is where one card of no particular
 * model is asked for, or where the model names the part: a process sees one part only, and whoever asks for an A100
 * wants a whole one.
 */
export function isKind(request: GpuRequest, device: Device): boolean {
  const { models, count } = request;
  if (device.vendor !== (request.vendor ?? "nvidia")) return false;
  if (device.parent === null) return models.length === 0 || models.some((model) => isModel(model, device.model));
  return models.length === 0 ? count === 1 : models.some((model) => isPart(model, device.model));
}

/** Returns whether a card's memory class is within the bounds, and the card has room for a share at all. */
export function hasMemory(request: GpuRequest, device: Device): boolean {
  const { memory_min_bytes: min, memory_max_bytes: max } = request;
  return (
    (min === null || device.memory_bytes >= min * CLASS_LOW) &&
    (max === null || device.memory_bytes <= max * CLASS_HIGH) &&
    (request.share_bytes === undefined || shareOn(request.share_bytes, device) <= device.memory_bytes)
  );
}

export const matches = (request: GpuRequest, device: Device): boolean =>
  isKind(request, device) && hasMemory(request, device);

/** Returns whether the request names a model, a vendor or a memory size. */
export const isChoosy = (request: GpuRequest): boolean =>
  request.models.length > 0 || request.memory_min_bytes !== null || request.memory_max_bytes !== null;

/**
 * Returns the bytes that a share takes of a card: the same part of what the card reports as of what it is sold as. So
 * three shares of 8 GB fit on a card of 24 GB, which reports a few MiB less than 24 GiB.
 */
export function shareOn(share_bytes: Bytes, { memory_bytes }: Pick<Device, "memory_bytes">): Bytes {
  const sold_bytes = (soldAs(memory_bytes) ?? 0) * GIB;
  return sold_bytes <= memory_bytes ? share_bytes : Math.floor((share_bytes * memory_bytes) / sold_bytes);
}

/** Returns the devices of a node that can be promised. A card that is cut into parts is promised by its parts. */
export function promisable<T extends Device>(devices: readonly T[]): readonly T[] {
  if (!devices.some((device) => device.parent !== null)) return devices;
  const here = new Set(devices.filter(({ state }) => state !== "missing").map(({ id }) => id));
  // A part that is missing while its card is there was joined to a whole card again.
  const left = devices.filter(({ id, parent }) => parent === null || here.has(id) || !here.has(parent));
  const parents = new Set(left.map(({ parent }) => parent));
  return left.filter(({ id }) => !parents.has(id));
}

const SOLD_GB = [
  1, 2, 3, 4, 5, 6, 8, 10, 11, 12, 16, 20, 24, 32, 40, 48, 64, 80, 94, 96, 128, 141, 144, 180, 192, 256, 288,
];

/** Returns how many GB a card of this memory is sold as, or null if no such size is known. */
const soldAs = (bytes: Bytes): number | null =>
  SOLD_GB.find((gb) => bytes >= gb * GIB * CLASS_LOW && bytes <= gb * GIB * CLASS_HIGH) ?? null;

/** Returns a card's memory class in GB, by which cards are compared. */
export const classGb = (bytes: Bytes): number => soldAs(bytes) ?? bytes / GIB;

/** Formats a card's memory as its box says it: `24 GB` for a card that reports 23.6 GiB. */
export const formatCard = (bytes: Bytes): string => `${soldAs(bytes) ?? Math.round((bytes / GIB) * 10) / 10} GB`;

/** Shortens a device's id as far as people need to tell it from others: `GPU-8a1c2d3e` for a UUID. */
export const shortDevice = (id: string): string => /^([A-Za-z]+-[0-9a-f]{8})-[0-9a-f]{4}-/.exec(id)?.[1] ?? id;
