// Times for people: ages, and timestamps in their own time zone.

import { formatAge } from "../../core/format";
import type { Ms } from "../../core/units";

/** How long ago, or `-` for never. */
export const age = (at_ms: Ms | null, now_ms: Ms): string => (at_ms === null ? "-" : formatAge(now_ms - at_ms));

/** `2026-03-01 14:05:09` in the local time zone. */
export function timestamp(at_ms: Ms): string {
  const at = new Date(at_ms);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}
