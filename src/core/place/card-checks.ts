// The check of cards: whether a node has suitable cards for a slot, and if not, why each of its cards is not suitable.

import { mostFree } from "./amounts";
import {
  fittingCards,
  leftOf,
  mayPass,
  needOn,
  refusalOf,
  type Promisable,
  type CardRefusal,
} from "../cards/node-cards";
import type { Look } from "./shape";
import { formatMemory } from "../format";
import { found, type Found, type Tell } from "./found";
import { formatCard, hasMemory, isChoosy, isKind, matches, shortDevice } from "../cards/gpu";
import { areConnected } from "../cards/pick";
import {
  askForCardMemory,
  askForCards,
  askForShare,
  dropLinked,
  dropModels,
  takeSmallerCards,
} from "./request-changes";
import { holdersOf } from "./company";
import { pickIn, type Room } from "./room";
import type { CardCheck } from "../pass/snapshot";
import { GIB, type Bytes } from "../units";
import type { GpuRequest } from "../model/workload";

/**
 * How many cards a node's reason names one by one. The reason only counts the others; the check's `devices` has all.
 */
const CARDS_TOLD = 4;
const HOLDERS_TOLD = 2;

/** Returns whether a node has the cards now. */
export function hasCards({ shape }: Look, room: Room): boolean {
  const { gpu } = shape.spec.request;
  return gpu === null || pickIn(room, gpu) !== null;
}

/** Returns why a node does not have the cards now, or null. */
export function checkGpu(look: Look, room: Room): Tell | null {
  const { gpu } = look.shape.spec.request;
  return gpu === null || pickIn(room, gpu) !== null ? null : () => tellGpu(look, room, gpu);
}

function tellGpu(look: Look, room: Room, gpu: GpuRequest): Found {
  const kind = room.cards.list.filter(({ device }) => isKind(gpu, device));
  if (kind.length === 0) return noKind(gpu, room);
  const fitting = fittingCards(room.cards, gpu);
  if (fitting.length === 0) return noMemory(gpu, kind, room);
  const refused: Refused[] = [];
  const free: Promisable[] = [];
  for (const card of fitting) {
    const refusal = refusalOf(card, needOn(gpu, card), room.free);
    if (refusal === null) free.push(card);
    else refused.push({ card, refusal, detail: tellRefusal(look, room, card, refusal) });
  }
  const able = [...free, ...refused.filter(({ refusal }) => mayPass(refusal)).map(({ card }) => card)];
  if (able.length < gpu.count) return tooFew(gpu, able.length, free.length, refused);
  if (gpu.linked === "demanded" && !areConnected(gpu, room.cards, able)) return notConnected(gpu, free, refused, true);
  if (free.length >= gpu.count) return notConnected(gpu, free, refused, false);
  return taken(gpu, room, fitting, free, refused);
}

interface Refused {
  readonly card: Promisable;
  readonly refusal: CardRefusal;
  readonly detail: string;
}

const dataOf = (refused: readonly Refused[]): CardCheck[] =>
  refused.map(({ card, refusal, detail }) => ({ id: card.device.id, why: refusal, detail }));

/**
 * Returns the word for the cards of a request: `cards`, or `such cards` if the request says more of them than their
 * number.
 */
const suchCards = (gpu: GpuRequest, count: number): string =>
  `${isChoosy(gpu) ? "such " : ""}card${count === 1 ? "" : "s"}`;

/** Words a request: `2 cards`, `a share of 8GB of 1 card`. */
function askOf(gpu: GpuRequest): string {
  const cards = `${gpu.count} ${suchCards(gpu, gpu.count)}`;
  return gpu.share_bytes === undefined ? cards : `${formatMemory(gpu.share_bytes)} of ${cards}`;
}

// ---- cards of the right kind that are not to be had

function taken(
  gpu: GpuRequest,
  room: Room,
  fitting: readonly Promisable[],
  free: readonly Promisable[],
  refused: readonly Refused[],
): Found {
  const room_for = gpu.share_bytes === undefined ? "free" : "with so much left";
  return found("gpu", reasonOf(gpu, free.length, refused), {
    best: mostFree(free.length, String(free.length)),
    detail: `asks for ${askOf(gpu)}, ${free.length} of ${fitting.length} ${room_for}: ${tellCards(refused)}`,
    devices: dataOf(refused),
    change: fewerCards(gpu, free.length) ?? smallerShare(gpu, room, fitting),
  });
}

/**
 * Returns the main reason why too few cards are free: tasks hold them, which end; foreign processes use them, which may
 * end; or somebody has to look at them.
 */
function reasonOf(gpu: GpuRequest, free: number, refused: readonly Refused[]): string {
  const count = (...refusals: CardRefusal[]): number =>
    refused.filter(({ refusal }) => refusals.includes(refusal)).length;
  const such = isChoosy(gpu) ? "such " : "";
  if (free + count("held") >= gpu.count)
    return gpu.share_bytes === undefined ? `have too few free ${such}cards` : `have too little left on ${such}cards`;
  if (free + count("held", "foreign") >= gpu.count) return `have ${such}cards that others use`;
  return `have ${such}cards that are out of order`;
}

function tellCards(refused: readonly Refused[]): string {
  const told = refused.slice(0, CARDS_TOLD).map(({ detail }) => detail);
  const rest = refused.length - told.length;
  return [...told, ...(rest > 0 ? [`${rest} more`] : [])].join("; ");
}

/** Words a refusal: `GPU-8a1c2d3e is held by lab/recs.api.0`. */
function tellRefusal(look: Look, room: Room, card: Promisable, refusal: CardRefusal): string {
  const { gpu } = look.shape.spec.request;
  const { name } = card;
  if (refusal !== "held") return sayRefusal(card, refusal);
  const holders = [...holdersOf(look.pass, look.rooms, card.device.id)];
  for (const id of card.kin) holders.push(...holdersOf(look.pass, look.rooms, id));
  const more = holders.length > HOLDERS_TOLD ? ` and ${holders.length - HOLDERS_TOLD} more` : "";
  const by = holders.length === 0 ? "" : ` by ${holders.slice(0, HOLDERS_TOLD).join(", ")}${more}`;
  const isShared = gpu?.share_bytes !== undefined && room.free.held?.get(card.device.id)?.whole === 0;
  if (!isShared) return `${name} is held${by}`;
  const left = `${formatMemory(leftOf(card, room.free))} of ${formatCard(card.device.memory_bytes)}`;
  return `${name} has ${left} left, shared${by}`;
}

/** Words a refusal that follows from the card itself. */
export function sayRefusal(card: Promisable, refusal: CardRefusal): string {
  const { device, name, troubled } = card;
  const whole = troubled === device ? name : `${shortDevice(troubled.id)}, of which ${name} is a part,`;
  switch (refusal) {
    case "foreign":
      return `${formatMemory(device.foreign_bytes)} of ${name} used by ${device.foreign ?? "others"}`;
    case "missing":
    case "quarantined":
    case "dirty":
      return `${whole} is ${refusal}${troubled.reason === null ? "" : `: ${troubled.reason}`}`;
    case "prohibited":
      return `${whole} is in compute mode prohibited`;
    case "exclusive":
      return `${name} is in compute mode exclusive and takes no shares`;
    case "held":
      return `${name} is held`;
  }
}

// ---- smallest changes

const fewerCards = (gpu: GpuRequest, count: number): Found["change"] =>
  count === 0 || count >= gpu.count ? null : askForCards(count, count === 1 && gpu.linked === "demanded");

/** Returns the change to the greatest share that enough cards have left. */
function smallerShare(gpu: GpuRequest, room: Room, fitting: readonly Promisable[]): Found["change"] {
  if (gpu.share_bytes === undefined) return null;
  const able = fitting.filter((card) => refusalOf(card, 0, room.free) === null);
  const left = able.map((card) => leftOf(card, room.free)).sort((a, b) => b - a)[gpu.count - 1] ?? 0;
  const value = Math.floor(left / GIB) * GIB;
  return value === 0 || value >= gpu.share_bytes ? null : askForShare(value);
}

// ---- what a node does not have

function tooFew(gpu: GpuRequest, able: number, free: number, refused: readonly Refused[]): Found {
  const barred = refused.filter(({ refusal }) => !mayPass(refusal));
  const text = barred.length === 0 ? "" : `: ${tellCards(barred)}`;
  const reason =
    able > 0 || barred.length === 0
      ? `have fewer than ${gpu.count} ${suchCards(gpu, gpu.count)}`
      : `have ${suchCards(gpu, 2)} that take no ${gpu.share_bytes === undefined ? "work" : "shares"}`;
  return found("gpu", reason, {
    hopeless: true,
    best: able === 0 ? null : { value: able, text: `most ${able}` },
    ...(text === "" ? {} : { detail: `asks for ${askOf(gpu)}${text}` }),
    devices: dataOf(refused),
    change: fewerCards(gpu, free),
    ever: fewerCards(gpu, able),
  });
}

function notConnected(
  gpu: GpuRequest,
  free: readonly Promisable[],
  refused: readonly Refused[],
  hopeless: boolean,
): Found {
  const cards = `${gpu.count} ${suchCards(gpu, gpu.count)}`;
  const apart = free.map(({ name, device: { id } }): CardCheck => ({
    id,
    why: "apart",
    detail: `${name} is not connected to enough of the others`,
  }));
  const connected = hopeless ? "that are connected" : "free that are connected";
  return found("gpu", `have fewer than ${cards} ${connected}`, {
    hopeless,
    detail:
      `asks for ${cards} that are connected, and ${hopeless ? "so many of its cards" : "those that are free"} are not` +
      (hopeless || refused.length === 0 ? "" : `: ${tellCards(refused)}`),
    devices: [...dataOf(refused), ...apart],
    change: dropLinked(),
  });
}

function noKind(gpu: GpuRequest, room: Room): Found {
  const vendor = gpu.vendor ?? "nvidia";
  const of = gpu.models.length > 0 ? gpu.models.join(" or ") : vendor;
  const cards = room.cards.list.map(({ device }) => device);
  const parts = cards.length > 0 && cards.every(({ parent }) => parent !== null) ? "parts of cards: " : "";
  return found("gpu", `have no ${of} card`, {
    hopeless: true,
    detail:
      cards.length === 0
        ? "has no card"
        : `has no ${of} card, but ${parts}${[...new Set(cards.map(({ model }) => model))].join(", ")}`,
    change:
      gpu.models.length === 0 || ableFor({ ...gpu, models: [] }, room).length < gpu.count
        ? null
        : dropModels(gpu.models),
  });
}

/** Returns the node's cards that suit a relaxed request, now or when those who use them leave. */
const ableFor = (gpu: GpuRequest, room: Room): readonly Promisable[] =>
  room.cards.list.filter((card) => matches(gpu, card.device) && isAble(gpu, card));

/** Returns whether a card can be given while nobody has it. */
const isAble = (gpu: GpuRequest, { trouble, device }: Promisable): boolean =>
  trouble === null && (gpu.share_bytes === undefined || device.compute_mode !== "exclusive");

function noMemory(gpu: GpuRequest, kind: readonly Promisable[], room: Room): Found {
  const sizes = kind.map(({ device }) => device.memory_bytes);
  const { memory_min_bytes: min, memory_max_bytes: max, share_bytes: share } = gpu;
  if (share !== undefined && kind.some(({ device }) => hasMemory({ ...gpu, share_bytes: 0 }, device)))
    return noShare(share, sizes);
  if (min !== null && sizes.every((size) => size < min)) {
    const largest = Math.max(...sizes);
    const able = ableFor({ ...gpu, memory_min_bytes: null }, room).map(({ device }) => device.memory_bytes);
    // The greatest size that enough cards have.
    const value = able.sort((a, b) => b - a)[gpu.count - 1] ?? null;
    return found("gpu", `have no card with ${formatMemory(min)}`, {
      hopeless: true,
      best: { value: largest, text: `largest ${formatCard(largest)}` },
      change: value === null ? null : askForCardMemory(value),
    });
  }
  const most = formatMemory(max ?? 0);
  const bound = min === null ? `at most ${most}` : min === max ? most : `${formatMemory(min)} to ${most}`;
  const smallest = Math.min(...sizes);
  const relaxed = { ...gpu, memory_min_bytes: null, memory_max_bytes: null };
  const able = ableFor(relaxed, room).map(({ device }) => device.memory_bytes);
  const value = able.sort((a, b) => a - b)[gpu.count - 1] ?? null;
  return found("gpu", `have no card with ${bound}`, {
    hopeless: true,
    best: { value: -smallest, text: `smallest ${formatCard(smallest)}` },
    change: value === null || (share ?? 0) > value ? null : takeSmallerCards(value),
  });
}

function noShare(share_bytes: Bytes, sizes: readonly Bytes[]): Found {
  const value = Math.max(...sizes);
  return found("gpu", `have no card with ${formatMemory(share_bytes)} to share`, {
    hopeless: true,
    best: { value, text: `largest ${formatCard(value)}` },
    change: askForShare(value),
  });
}
