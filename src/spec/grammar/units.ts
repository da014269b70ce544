// The grammars of quantities: durations, times, sizes, cores, ranges, signals. Each reader returns the value of a text,
// or why the text has none.

import { formatBytes, formatDuration } from "../../core/format";
import { bareSignal, linuxSignal, STOP_SIGNALS } from "../../core/signals";
import { DAY_MS, GIB, HOUR_MS, MIB, MINUTE_MS, SECOND_MS, type Bytes, type Milli, type Ms } from "../../core/units";
import { invalid, parsed, kindOf, quoted, type Parsed } from "../issue";
import { ASK_LIMITS } from "../limits";
import { didYouMean } from "./nearest";

const DURATION_MS: Readonly<Record<string, Ms>> = { ms: 1, s: SECOND_MS, m: MINUTE_MS, h: HOUR_MS, d: DAY_MS };
const DURATION_WORDS: readonly (readonly [RegExp, string])[] = [
  [/^(milliseconds?|msecs?)$/, "ms"],
  [/^(seconds?|secs?)$/, "s"],
  [/^(minutes?|mins?)$/, "m"],
  [/^(hours?|hrs?)$/, "h"],
  [/^days?$/, "d"],
];

const boundedDuration = (ms: Ms): Parsed<Ms> =>
  ms > ASK_LIMITS.duration_ms ? invalid("is longer than ten years", null) : parsed(Math.round(ms));

/** Reads `500ms`, `30s`, `1.5h`, `1h30m`, `7d`; 0 needs no unit. */
export function readDuration(value: string | number): Parsed<Ms> {
  if (value === 0 || value === "0") return parsed(0);
  const text = String(value).trim();
  if (/^\d+(\.\d+)?$/.test(text))
    return invalid(`${text} needs a unit`, `\`${text}s\` is seconds, \`${text}m\` minutes`);
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/gy)];
  if (parts.length > 0 && parts.map((part) => part[0]).join("") === text) {
    return boundedDuration(parts.reduce((sum, part) => sum + Number(part[1]) * (DURATION_MS[part[2] ?? ""] ?? 0), 0));
  }
  const worded = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text);
  const unit = DURATION_WORDS.find(([word]) => word.test(worded?.[2]?.toLowerCase() ?? ""))?.[1];
  const hint =
    worded !== null && unit !== undefined
      ? `write \`${worded[1]}${unit}\``
      : "such as `500ms`, `30s`, `5m`, `12h`, `7d`";
  return invalid(`${kindOf(value)} is not a duration`.replace("the text ", ""), hint);
}

/** Reads how long a task may take to end. */
export function readGrace(value: string | number): Parsed<Ms> {
  const grace = readDuration(value);
  return grace.is === "parsed" && grace.value > DAY_MS
    ? invalid("is longer than a day", "after it, what is left is killed")
    : grace;
}

/** Reads a duration or one of Slurm's unambiguous forms: `1-00:00:00`, `1-12`, `12:00:00`. */
export function readTime(value: string | number): Parsed<Ms> {
  const text = String(value).trim();
  const clock = /^(?:(\d{1,5})-)?(\d{1,5})(?::(\d{2}))?(?::(\d{2}))?$/.exec(text);
  if (clock === null) return readDuration(value);
  const [, days, hours = "0", minutes, seconds] = clock;
  if (days === undefined && seconds === undefined) {
    if (minutes === undefined) return readDuration(value);
    return invalid(
      `${text} could be minutes or hours`,
      `write \`${text}:00\` for hours and minutes, or \`${Number(hours)}m${Number(minutes)}s\``,
    );
  }
  if (Number(minutes ?? 0) > 59 || Number(seconds ?? 0) > 59)
    return invalid(`${text} has more than 59 minutes or seconds`);
  return boundedDuration(
    Number(days ?? 0) * DAY_MS +
      Number(hours) * HOUR_MS +
      Number(minutes ?? 0) * MINUTE_MS +
      Number(seconds ?? 0) * SECOND_MS,
  );
}

/** Reads the longest time of a job. Null is no limit: `unlimited`, or 0 as Slurm has it. */
export function readTimeLimit(value: string | number): Parsed<Ms | null> {
  if (/^(unlimited|infinite)$/i.test(String(value).trim())) return parsed(null);
  const time = readTime(value);
  return time.is === "parsed" && time.value === 0 ? parsed(null) : time;
}

const SIZE_BYTES: Readonly<Record<string, Bytes>> = {
  b: 1,
  k: 1024,
  m: MIB,
  g: GIB,
  t: 1024 * GIB,
  p: MIB * GIB,
};

/** Reads `512MiB`, `1GiB`, `24GB`, `32G`, `32Gi`. All letters are powers of 1024, as docker and Slurm read them. */
export function readSize(value: string | number): Parsed<Bytes> {
  if (value === 0 || value === "0") return parsed(0);
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)\s*(?:([kmgtp])(?:i?b|i)?|(b))?$/i.exec(text);
  if (match === null)
    return invalid(`${kindOf(value)} is not a size`.replace("the text ", ""), "such as `512MiB`, `1GiB`, `24GB`");
  const unit = match[2] ?? match[3];
  if (unit === undefined) {
    const bytes = Number(text);
    return invalid(
      `${text} needs a unit`,
      bytes >= MIB && Number.isSafeInteger(bytes)
        ? `as bytes that is \`${formatBytes(bytes)}\``
        : `\`${text}MiB\` or \`${text}GiB\``,
    );
  }
  const bytes = Math.round(Number(match[1]) * (SIZE_BYTES[unit.toLowerCase()] ?? 0));
  return bytes > ASK_LIMITS.size_bytes ? invalid(`is more than ${formatBytes(ASK_LIMITS.size_bytes)}`) : parsed(bytes);
}

/** Reads a size of memory that something can run in. */
export function readMemory(value: string | number): Parsed<Bytes> {
  const size = readSize(value);
  if (size.is === "invalid" || size.value >= ASK_LIMITS.memory_min_bytes) return size;
  return invalid(
    `${formatBytes(size.value)} is too little memory to run anything`,
    "leave `memory` out for the default",
  );
}

/** Reads how large a stack may become. A program cannot begin on a smaller one. */
export function readStack(value: string | number): Parsed<Bytes> {
  const size = readSize(value);
  if (size.is === "invalid" || size.value >= ASK_LIMITS.stack_min_bytes) return size;
  return invalid(
    `${formatBytes(size.value)} is too small a stack`,
    `at least ${formatBytes(ASK_LIMITS.stack_min_bytes)}`,
  );
}

/** Reads how many files may be open at once. */
export function readOpenFiles(value: string | number): Parsed<number> {
  const count = /^\s*\d{1,9}\s*$/.test(String(value)) ? Number(value) : Number.NaN;
  const { nofile_min, nofile } = ASK_LIMITS;
  if (count >= nofile_min && count <= nofile) return parsed(count);
  return invalid(`must be a whole number from ${nofile_min} to ${nofile}`);
}

/** Reads cores (`2`, `0.5`) or thousandths (`500m`). */
export function readCpu(value: string | number): Parsed<Milli> {
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)(m?)$/.exec(text);
  if (match === null)
    return invalid(
      `${kindOf(value)} is not a number of cores`.replace("the text ", ""),
      "such as `2`, `0.5` or `500m`",
    );
  const milli = Math.round(Number(match[1]) * (match[2] === "m" ? 1 : 1_000));
  if (milli < 1) return invalid("must be at least `1m`, a thousandth of a core", "leave `cpu` out for the default");
  if (milli > ASK_LIMITS.cpu_milli)
    return invalid("is more than any machine has", `\`${text}m\` is thousandths of a core`);
  return parsed(milli);
}

/** Reads a part of a whole, such as `5%`. Returns percent. */
export function readPercent(value: string | number): Parsed<number> {
  const [, number, sign] = /^\s*(\d+(?:\.\d+)?)\s*(%?)\s*$/.exec(String(value)) ?? [];
  if (number === undefined)
    return invalid(`${kindOf(value)} is not a percentage`.replace("the text ", ""), "such as `5%`");
  if (sign === "") return invalid(`${number} needs its sign`, `write \`${number}%\``);
  return Number(number) > 0 && Number(number) <= 100
    ? parsed(Number(number))
    : invalid("must be above 0% and at most 100%");
}

/** Reads how long cards may be idle. */
export function readIdleTime(value: string | number): Parsed<Ms> {
  const time = readDuration(value);
  return time.is === "parsed" && time.value < SECOND_MS
    ? invalid("is too short to tell idle from busy", "such as `30m`")
    : time;
}

export interface Range {
  readonly min: number | null;
  readonly max: number | null;
}

/** Reads `a..b`, `a..`, `..b` with the reader of its ends, or a single value as both ends. */
export function readRange(value: string | number, read: (end: string | number) => Parsed<number>): Parsed<Range> {
  const text = String(value);
  const dots = text.indexOf("..");
  if (dots < 0) {
    const single = read(value);
    return single.is === "parsed" ? parsed({ min: single.value, max: single.value }) : single;
  }
  const [low, high] = [text.slice(0, dots).trim(), text.slice(dots + 2).trim()];
  if (low === "" && high === "") return invalid(`${quoted(text)} has neither end`, "give one: `a..`, `..b` or `a..b`");
  const min = low === "" ? parsed(null) : read(low);
  const max = high === "" ? parsed(null) : read(high);
  if (min.is === "invalid") return min;
  if (max.is === "invalid") return max;
  if (min.value !== null && max.value !== null && min.value > max.value) {
    return invalid(`${text} begins above its end`, `write \`${high}..${low}\``);
  }
  return parsed({ min: min.value, max: max.value });
}

/** Reads a signal's name, with or without SIG. Returns the name without SIG. */
export function readSignal(text: string): Parsed<string> {
  const name = bareSignal(text);
  if (STOP_SIGNALS.includes(name)) return parsed(name);
  const numbered = STOP_SIGNALS.find((each) => String(linuxSignal(each)) === name);
  if (numbered !== undefined) return invalid(`${name} is a number, not a signal's name`, `write \`${numbered}\``);
  return invalid(
    `${quoted(text)} is not a signal to stop with`,
    didYouMean(name, STOP_SIGNALS) ?? `one of ${STOP_SIGNALS.join(", ")}`,
  );
}

/** Reads a back-off such as `1s..1m`. A missing end gets its default. */
export function readBackoff(value: string | number): Parsed<{ min_ms: Ms; max_ms: Ms }> {
  const range = readRange(value, readDuration);
  if (range.is === "invalid") return range;
  const min_ms = range.value.min ?? Math.min(SECOND_MS, range.value.max ?? SECOND_MS);
  const max_ms = range.value.max ?? Math.max(MINUTE_MS, min_ms);
  if (min_ms < 100)
    return invalid(`${formatDuration(min_ms)} is too short a pause between attempts`, "at least `100ms`");
  return parsed({ min_ms, max_ms });
}
