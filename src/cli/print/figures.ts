// Figures for people: ages, timestamps in their own time zone, memory and cores.

import { formatAge, formatDuration } from "../../core/format";
import { type Bytes, type Milli, type Ms, SECOND_MS } from "../../core/units";

/** Returns how long ago a time was, or `-` for null. */
export const age = (at_ms: Ms | null, now_ms: Ms): string => (at_ms === null ? "-" : formatAge(now_ms - at_ms));

/** Returns how long ago several times were: `5m`, or `5s..1h` where they differ. */
export function ages(times_ms: readonly Ms[], now_ms: Ms): string {
  const [youngest, oldest] = [age(Math.max(...times_ms), now_ms), age(Math.min(...times_ms), now_ms)];
  return youngest === oldest ? oldest : `${youngest}..${oldest}`;
}

/** Returns how long something lasted, below a second in thousandths, since many short ones are told apart by them. */
export const lasted = (ms: Ms): string => (ms > 0 && ms < SECOND_MS ? formatDuration(ms) : formatAge(Math.max(0, ms)));

/** Returns a time as `2026-03-01 14:05:09` in the local time zone. */
export function timestamp(at_ms: Ms): string {
  const at = new Date(at_ms);
  const two = (n: number): string => String(n).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

const STEPS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Returns the used and the whole amount with one unit: `1.5/62.7GiB`. */
export function share(used: Bytes, all: Bytes): string {
  const step = Math.min(Math.floor(Math.log2(Math.max(all, 1)) / 10), STEPS.length - 1);
  const unit = 1024 ** step;
  return `${short(used / unit)}/${short(all / unit)}${STEPS[step]}`;
}

/** Returns a number of cores, such as `0.1` or `16`. */
export const cores = (milli: Milli): string => String(Number((milli / 1000).toFixed(milli < 10_000 ? 2 : 1)));

const short = (value: number): string => String(Number(value.toFixed(value < 0.1 ? 2 : value < 100 ? 1 : 0)));
