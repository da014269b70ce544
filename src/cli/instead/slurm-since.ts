// The times of `sacct -S` as how long ago they are: `2026-11-01T08:00`, `1101`, `11/01`, `08:30`, `now-2days`.

import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, type Ms } from "../../core/units";

const UNITS: readonly (readonly [RegExp, Ms])[] = [
  [/^s/, SECOND_MS],
  [/^m/, MINUTE_MS],
  [/^h/, HOUR_MS],
  [/^d/, DAY_MS],
  [/^w/, 7 * DAY_MS],
];
const CLOCKS: Readonly<Record<string, string>> = { midnight: "00:00", noon: "12:00", fika: "15:00", teatime: "16:00" };

/** Returns the whole hours or days since a time, such as `3d`, or null for what is no time before now. */
export function agoOf(typed: string, now_ms: Ms): string | null {
  const ago_ms = now_ms - (timeOf(typed.trim().toLowerCase(), now_ms) ?? Number.NaN);
  if (!(ago_ms > 0)) return null;
  return ago_ms <= DAY_MS ? `${Math.ceil(ago_ms / HOUR_MS)}h` : `${Math.ceil(ago_ms / DAY_MS)}d`;
}

function timeOf(typed: string, now_ms: Ms): Ms | null {
  const [, sign, count, unit = "s"] = /^now(?:([+-])(\d+)([a-z]*))?$/.exec(typed) ?? [];
  if (typed === "now") return now_ms;
  if (count !== undefined) {
    const unit_ms = UNITS.find(([word]) => word.test(unit === "" ? "s" : unit))?.[1] ?? Number.NaN;
    return now_ms + (sign === "-" ? -1 : 1) * Number(count) * unit_ms;
  }
  const now = new Date(now_ms);
  const [day = "", clock = "00:00"] = typed.split(/[t-](?=\d\d:)/);
  const time = CLOCKS[day] ?? (day.includes(":") ? day : clock);
  const [, hours, minutes, seconds = "0", half] = /^(\d{1,2}):(\d\d)(?::(\d\d))?\s*(am|pm)?$/.exec(time) ?? [];
  if (hours === undefined || minutes === undefined) return null;
  const hour = half === undefined ? Number(hours) : (Number(hours) % 12) + (half === "pm" ? 12 : 0);
  const on = (year: number, month: number, date: number): Ms =>
    new Date(year, month, date, hour, Number(minutes), Number(seconds)).getTime();
  const past = (time_ms: Ms, before_ms: () => Ms): Ms => (time_ms <= now_ms ? time_ms : before_ms());
  if (day === "today" || day === time || CLOCKS[day] !== undefined) {
    const [year, month, date] = [now.getFullYear(), now.getMonth(), now.getDate()];
    return past(on(year, month, date), () => on(year, month, date - 1));
  }
  const [, y, m, d] = /^(\d{4})-(\d{1,2})-(\d{1,2})$/.exec(day) ?? [];
  if (y !== undefined) return on(Number(y), Number(m) - 1, Number(d));
  const [, month, date, year] = /^(\d\d)[/.]?(\d\d)(?:[/.]?(\d\d))?$/.exec(day) ?? [];
  if (month === undefined) return null;
  if (year !== undefined) return on(2000 + Number(year), Number(month) - 1, Number(date));
  const inYear = (of: number): Ms => on(of, Number(month) - 1, Number(date));
  return past(inYear(now.getFullYear()), () => inYear(now.getFullYear() - 1));
}
