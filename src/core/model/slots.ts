// The slots of a service: the numbers that its replicas have. They are 0 to N - 1, but for numbers that were given up
// when the service was scaled down to fewer.

import type { Ms } from "../units";
import type { WorkloadRow } from "./rows-work";

/** What of a service's row says which slots it has. */
export type SlotsOf = Pick<WorkloadRow, "without"> & { readonly settings: Pick<WorkloadRow["settings"], "replicas"> };

/** Returns the first number above all slots of a service. */
export const slotsEnd = ({ settings, without }: SlotsOf): number => settings.replicas + (without?.length ?? 0);

/** Returns the slots of a service, ascending: as many as its replicas, none of which was given up. */
export function slotsOf(workload: SlotsOf): number[] {
  const given_up = new Set(workload.without);
  return Array.from({ length: slotsEnd(workload) }, (_, slot) => slot).filter((slot) => !given_up.has(slot));
}

/** Returns the numbers below the highest of these ascending slots that are not among them, or null for none. */
export function withoutOf(slots: readonly number[]): readonly number[] | null {
  const kept = new Set(slots);
  const end = (slots.at(-1) ?? -1) + 1;
  const gaps = Array.from({ length: end }, (_, slot) => slot).filter((slot) => !kept.has(slot));
  return gaps.length === 0 ? null : gaps;
}

/** Returns since when a slot is wanted; null if its row is of an earlier release, which did not note it. */
export const wantedSince = ({ wanted }: Pick<WorkloadRow, "wanted">, slot: number): Ms | null =>
  wanted?.findLast(({ from }) => from <= slot)?.since_ms ?? null;

/** Words numbers that ascend: `0 to 2`, `0, 2 to 4 and 7`. */
export function saySlots(slots: readonly number[]): string {
  const ranges: [number, number][] = [];
  for (const slot of slots) {
    const last = ranges.at(-1);
    if (last !== undefined && last[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot]);
  }
  const said = ranges.slice(0, RANGES_SAID).map(([from, to]) => (from === to ? String(from) : `${from} to ${to}`));
  if (ranges.length > RANGES_SAID) return `${said.join(", ")} and ${ranges.length - RANGES_SAID} ranges more`;
  return said.length < 2 ? said.join("") : `${said.slice(0, -1).join(", ")} and ${said.at(-1)}`;
}

const RANGES_SAID = 10;

/**
 * Why a replica goes and not another, and in which order: a slot without a task; one whose task keeps crashing; one
 * that has to leave its node, or whose node is silent; one that has not run for long; and of equal ones the highest.
 */
export const WHY_GOES = ["pending", "crashing", "leaving", "silent", "unsettled", "highest"] as const;
export type WhyGoes = (typeof WHY_GOES)[number];
