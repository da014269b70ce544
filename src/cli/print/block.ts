// Prints one thing as a block of `key: value` lines with nested values indented, as `orch show` does.

import { formatBytes, formatDuration } from "../../core/format";
import { clean, cleanLines } from "./clean";
import type { Style } from "./color";
import { cores, timestamp } from "./figures";
import { wrap } from "./wrap";

/**
 * Returns the lines for a JSON object. The ends of names tell the units: `_ms` is a time, `_bytes` a size. Long values
 * go on below themselves where the terminal, `width` columns wide, ends.
 */
export function block(
  document: Readonly<Record<string, unknown>>,
  styled: Style,
  width: number | null = null,
  indent = "",
  isMap = false,
): string[] {
  const entries = Object.entries(document).filter(([, value]) => !isEmpty(value));
  const titles = isMap ? new Map(entries.map(([key]) => [key, clean(key)])) : titlesOf(entries);
  const title = (key: string): string => titles.get(key) ?? key;
  const keys = Math.max(0, ...titles.values().map((one) => one.length)) + 1;
  const behind = (key: string, text: string): string[] => {
    const gap = " ".repeat(Math.max(0, keys - title(key).length - 1));
    const head = `${indent}${styled.bold(`${title(key)}:`)}${gap} `;
    const below = indent.length + keys + 1;
    const lines = wrap(text, width === null ? null : width - below);
    return lines.map((line, n) => (n === 0 ? head : " ".repeat(below)) + line);
  };
  return entries.flatMap(([key, value]) => {
    const head = `${indent}${styled.bold(`${title(key)}:`)}`;
    if (Array.isArray(value) && value.every((item) => typeof item !== "object")) {
      return behind(key, value.map((item) => clean(String(item))).join(", "));
    }
    if (Array.isArray(value)) {
      const room = width === null ? null : width - indent.length - ITEM.length;
      return [
        head,
        ...value.flatMap((item) => itemLines(block(item as Record<string, unknown>, styled, room), indent)),
      ];
    }
    if (typeof value === "object" && value !== null) {
      return [head, ...block(value as Record<string, unknown>, styled, width, `${indent}  `, MAPS.has(key))];
    }
    const text = scalar(isMap ? "" : key, value);
    if (!text.includes("\n")) return behind(key, text);
    // A text keeps its lines, since a line of it that was broken here could not be copied.
    return [head, ...text.split("\n").map((line) => `${indent}  ${line}`)];
  });
}

/** What has keys that people chose, or the spec file has. They are shown as they are. */
const MAPS: ReadonlySet<string> = new Set(["env", "environment", "labels", "ports", "countables", "parts", "spec"]);

const ITEM = "- ";

const itemLines = (lines: readonly string[], indent: string): string[] =>
  lines.map((line, n) => `${indent}${n === 0 ? ITEM : " ".repeat(ITEM.length)}${line}`);

const UNIT = /_(ms|bytes|milli)$/;

/** Returns what stands before each value: no two of a block are the same. */
function titlesOf(entries: readonly (readonly [string, unknown])[]): ReadonlyMap<string, string> {
  const names = new Set(entries.map(([key]) => key));
  const titled = (key: string, value: unknown): string => {
    const bare = clean(key).replace(UNIT, "");
    if (bare === key || !names.has(bare)) return bare.replaceAll("_", " ");
    return typeof value === "number" && value >= MOMENT_LEAST ? `${bare} since` : key.replaceAll("_", " ");
  };
  return new Map(entries.map(([key, value]) => [key, titled(key, value)]));
}

const isEmpty = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  value === "" ||
  (Array.isArray(value) && value.length === 0) ||
  (typeof value === "object" && Object.keys(value).length === 0);

// Times from this number on are Unix times; durations are smaller.
const MOMENT_LEAST = 1e12;

function scalar(key: string, value: unknown): string {
  if (typeof value !== "number") return cleanLines(String(value)).trimEnd();
  if (key.endsWith("_bytes")) return formatBytes(value);
  if (key.endsWith("cpu_milli")) return cores(value);
  if (key.endsWith("_ms")) return value >= MOMENT_LEAST ? timestamp(value) : formatDuration(value);
  return String(value);
}
