// When a node has to be tested again: its kernel, driver, cards, processor or memory differ from what was tested.
// Shares and labels do not count, since people set them. A reboot with the same parts proves nothing new.

import { shortDevice } from "../cards/gpu";
import type { NodeRow } from "../model/rows-node";

/** What of a machine its tests vouch for. */
export type Tested = Pick<NodeRow, "devices"> & {
  readonly facts: Pick<NodeRow["facts"], "kernel" | "cpu_model" | "memory_bytes">;
};

type Card = Pick<NodeRow["devices"][number], "id" | "model" | "vendor" | "driver">;

/** Firmware keeps a little more or less memory from boot to boot. A lost memory module is a larger difference. */
const MEMORY_TOLERANCE = 0.03;
const CARDS_NAMED = 2;

/** Returns why a node that comes back has to be tested again, in words, or null. */
export function whyTested(before: Tested, now: Tested): string | null {
  const all = [
    changed("kernel", before.facts.kernel, now.facts.kernel),
    ...driverChanges(before.devices, now.devices),
    changed("processor", before.facts.cpu_model, now.facts.cpu_model),
    memoryChange(before.facts.memory_bytes, now.facts.memory_bytes),
    named(without(now.devices, before.devices), "was added", "were added"),
    named(without(before.devices, now.devices), "is gone", "are gone"),
  ].filter((one) => one !== null);
  return all.length === 0 ? null : all.join("; ");
}

/**
 * Returns the same for a node that reports a change while it is connected. A card that disappears is shown as missing
 * and keeps nobody from working, so it is no reason, and neither is its return.
 */
export function whyTestedNow(before: Tested, now: Tested): string | null {
  const all = [
    ...driverChanges(before.devices, now.devices),
    named(without(now.devices, before.devices), "was added", "were added"),
  ].filter((one) => one !== null);
  return all.length === 0 ? null : all.join("; ");
}

const changed = (what: string, before: string, now: string): string | null =>
  before === now ? null : `the ${what} changed from ${before} to ${now}`;

/** A card that does not tell its driver, or is not seen, changes none. */
function driverChanges(before: readonly Card[], now: readonly Card[]): (string | null)[] {
  return [...new Set(now.map((card) => card.vendor))].sort().map((vendor) => {
    const [was, is] = [driversOf(before, vendor), driversOf(now, vendor)];
    return was === "" || is === "" ? null : changed("driver", was, is);
  });
}

const driversOf = (cards: readonly Card[], vendor: string): string =>
  [...new Set(cards.flatMap((card) => (card.vendor === vendor && card.driver !== null ? [card.driver] : [])))]
    .sort()
    .join(", ");

/** Machines that joined before this was told have nothing to compare with. */
function memoryChange(before: number | null | undefined, now: number | null | undefined): string | null {
  if (typeof before !== "number" || typeof now !== "number") return null;
  if (Math.abs(now - before) <= MEMORY_TOLERANCE * Math.max(now, before)) return null;
  return changed("memory", gib(before), gib(now));
}

const gib = (bytes: number): string => `${Math.round(bytes / 2 ** 29) / 2}GiB`;

function without(cards: readonly Card[], others: readonly Card[]): readonly Card[] {
  const known = new Set(others.map((card) => card.id));
  return cards.filter((card) => !known.has(card.id));
}

function named(cards: readonly Card[], one: string, many: string): string | null {
  if (cards.length === 0) return null;
  const names = cards.slice(0, CARDS_NAMED).map((card) => `${card.model} ${shortDevice(card.id)}`);
  const rest = cards.length - names.length;
  return `${names.join(" and ")}${rest > 0 ? ` and ${rest} more` : ""} ${cards.length === 1 ? one : many}`;
}
