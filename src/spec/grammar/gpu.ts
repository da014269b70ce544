// The grammar of a GPU request, as text (`A100,H100:80GB:2`) and as an object, with hints for common mistakes.

import { formatBytes } from "../../core/format";
import type { Bytes } from "../../core/units";
import type { GpuRequest } from "../../core/model/workload";
import { invalid, parsed, quoted, type Parsed } from "../issue";
import { ASK_LIMITS } from "../limits";
import { readRange, readSize, type Range } from "./units";

export const GPU_VENDORS = ["nvidia", "amd", "intel", "apple"] as const;

/** The object form with its fields already read. */
export interface GpuFields {
  readonly count?: number | undefined;
  readonly memory?: Range | undefined;
  readonly model?: readonly string[] | undefined;
  readonly vendor?: string | undefined;
  readonly share?: Bytes | undefined;
  readonly linked?: boolean | "prefer" | undefined;
}

/** Reads card memory: a plain size means at least that much. */
export function readCardMemory(value: string | number): Parsed<Range> {
  const range = readRange(value, readSize);
  if (range.is === "invalid") return range;
  const { min, max } = range.value;
  if (min === 0 || max === 0) return invalid("0 is no amount of card memory", "leave it out for any card");
  return parsed(String(value).includes("..") ? { min, max } : { min, max: null });
}

/** Reads the requested part of a card's memory. */
export function readShare(value: string | number): Parsed<Bytes> {
  if (String(value).includes(".."))
    return invalid(`${quoted(String(value))} is a range`, "a share is one size: `share: 8GB`; `memory` is the card's");
  const share = readSize(value);
  if (share.is === "invalid" || share.value >= ASK_LIMITS.share_bytes) return share;
  return share.value === 0
    ? invalid("0 is no share of a card", "leave it out for whole cards; without `gpu` none are visible")
    : invalid(
        `${formatBytes(share.value)} is too little of a card to run anything`,
        "a driver needs some hundred MiB itself",
      );
}

/** Returns what to write instead of a word that is a model to nobody, or null. */
function noModel(word: string): string | null {
  const [, before, counted, after] = /^(?:(\d{1,2})\s*[x*]\s*)?([A-Za-z].*?)(?:\s*[x*]\s*(\d{1,2}))?$/.exec(word) ?? [];
  // `A100x2` is a count; what ends in `x2` behind a letter may be a model.
  const count = before ?? (/(\s|\*).*\d$|[\dX]x\d{1,2}$/.test(word) ? after : undefined);
  if (count !== undefined && counted !== undefined) return `a count stands behind it: \`${counted.trim()}:${count}\``;
  if (/^(gpus?|cards?|cuda|device|nvidia\.com\/gpu|amd\.com\/gpu)$/i.test(word))
    return "leave that word out: `gpu: 2`, `gpu: A100:2`";
  if (/^(all|any|every|max|auto|yes|true|on)$/i.test(word)) return "a number: `gpu: 1`, or as many as one node has";
  if (/^\d+\.\d+$/.test(word))
    return "whole cards are counted; a part is asked for by its memory: `gpu: { share: 8GB }`";
  return null;
}

/** Reads the name of a model. */
export function readModel(text: string): Parsed<string> {
  const model = text.trim();
  if (/^(\d+x|x\d+)$/i.test(model))
    return invalid(`${quoted(text)} is not a model of a GPU`, `a count? write \`${model.replace(/x/i, "")}\``);
  if (/^[{ ]*(share|linked|count|memory)\b/i.test(model))
    return invalid(
      `${quoted(text)} is not a model of a GPU`,
      "an object in braces: `{ share: 8GB }`, `{ count: 2, linked: true }`",
    );
  const wrong = noModel(model);
  if (wrong !== null) return invalid(`${quoted(text)} is not a model of a GPU`, wrong);
  if (/^[A-Za-z0-9][A-Za-z0-9 ._+/-]{0,63}$/.test(model)) return parsed(model);
  return invalid(`${quoted(text)} is not a model of a GPU`, "such as `A100`, `rtx4090`, `MI300X`");
}

/** Reads the number of GPUs; 0 requests none. */
export function readGpuCount(count: number): Parsed<number> {
  if (Number.isInteger(count) && count >= 0 && count <= ASK_LIMITS.gpu_count) return parsed(count);
  if (count < 0) return invalid(`${count} GPUs cannot be had`);
  if (!Number.isInteger(count))
    return invalid(
      `${count} is not a whole number of GPUs`,
      "a part of a card is asked for by its memory: `gpu: { share: 8GB }`",
    );
  const meant = count >= 1_000 && count <= 9_999 ? `a model? write \`rtx${count}\`` : `memory? write \`${count}GB\``;
  return invalid(`${count} GPUs are more than ${ASK_LIMITS.gpu_count}`, meant);
}

const isCount = (part: string): boolean => /^\d+$/.test(part);
const isMemory = (part: string): boolean => part.includes("..") || /^\d+(\.\d+)?\s*([kmgtp](i?b|i)?|b)$/i.test(part);

type Parts = { vendor: string | null; models: string[] | null; memory: Range | null; count: number | null };

/** Reads `[vendor:][models:][memory:][count]`. Parts are recognised by their form, and each may appear once. */
export function readGpuText(text: string): Parsed<GpuRequest | null> {
  const parts: Parts = { vendor: null, models: null, memory: null, count: null };
  for (const [i, raw] of text.split(":").entries()) {
    const part = raw.trim();
    const wrong = readPart(part, i, parts, text);
    if (wrong !== null) return wrong;
  }
  return assemble({
    count: parts.count ?? undefined,
    memory: parts.memory ?? undefined,
    model: parts.models ?? undefined,
    vendor: parts.vendor ?? undefined,
  });
}

/** Adds one part to `parts`. Returns why the part is wrong, or null. */
function readPart(part: string, i: number, parts: Parts, text: string): Parsed<never> | null {
  const twice = (what: string): Parsed<never> =>
    invalid(`${quoted(text)} names ${what} twice`, "`[vendor:][models:][memory:][count]`");
  if (part === "")
    return invalid(`${quoted(text)} has an empty part`, "such as `2`, `24GB`, `A100,H100:80GB:2`, `amd:MI300X`");
  if (i === 0 && (GPU_VENDORS as readonly string[]).includes(part.toLowerCase())) {
    parts.vendor = part.toLowerCase();
    return null;
  }
  if (isCount(part)) {
    if (parts.count !== null) return twice("a count");
    const count = readGpuCount(Number(part));
    if (count.is === "invalid") return count;
    parts.count = count.value;
    return null;
  }
  if (isMemory(part)) {
    if (parts.memory !== null) return twice("the memory");
    const memory = readCardMemory(part);
    if (memory.is === "invalid") return memory;
    parts.memory = memory.value;
    return null;
  }
  if (parts.models !== null) {
    return invalid(
      `${quoted(text)} names models twice`,
      `several models are a list: \`${[...parts.models, part].join(",")}\``,
    );
  }
  parts.models = [];
  for (const each of part.split(",")) {
    const model = readModel(each);
    if (model.is === "invalid") return model;
    parts.models.push(model.value);
  }
  return null;
}

function assemble(fields: GpuFields): Parsed<GpuRequest | null> {
  const count = fields.count ?? 1;
  if (count === 0) return parsed(null);
  return parsed({
    count,
    models: fields.model ?? [],
    vendor: fields.vendor ?? null,
    memory_min_bytes: fields.memory?.min ?? null,
    memory_max_bytes: fields.memory?.max ?? null,
    ...(fields.share === undefined ? {} : { share_bytes: fields.share }),
    ...linkedOf(fields.linked),
  });
}

const linkedOf = (linked: GpuFields["linked"]): Pick<GpuRequest, "linked"> =>
  linked === undefined || linked === "prefer" ? {} : { linked: linked ? "demanded" : "ignored" };

/** Reads any form of a GPU request. A null value requests none. */
export function readGpu(value: number | string | GpuFields): Parsed<GpuRequest | null> {
  if (typeof value === "string") return readGpuText(value);
  if (typeof value === "object") return assemble(value);
  const count = readGpuCount(value);
  return count.is === "parsed" ? assemble({ count: count.value }) : count;
}
