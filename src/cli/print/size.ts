// Amounts of memory and processor for people.

import type { Bytes, Milli } from "../../core/units";

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Used of all, the unit said once: `1.5/62.7GiB`. */
export function share(used: Bytes, all: Bytes): string {
  const step = Math.min(Math.floor(Math.log2(Math.max(all, 1)) / 10), STEPS.length - 1);
  const unit = 1024 ** step;
  return `${short(used / unit)}/${short(all / unit)}${STEPS[step]}`;
}

/** Cores, `0.1` or `16`. */
export const cores = (milli: Milli): string => String(Number((milli / 1000).toFixed(milli < 10_000 ? 2 : 1)));

const short = (value: number): string => String(Number(value.toFixed(value < 0.1 ? 2 : value < 100 ? 1 : 0)));
