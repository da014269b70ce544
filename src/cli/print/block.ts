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
): string[] {
  const entries = Object.entries(document).filter(([, value]) => !isEmpty(value));
  const keys = Math.max(0, ...entries.map(([key]) => title(key).length)) + 1;
  const behind = (key: string, text: string): string[] => {
    const head = `${indent}${styled.bold(`${title(key)}:`)}${pad(key, keys)} `;
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
      return [head, ...block(value as Record<string, unknown>, styled, width, `${indent}  `)];
    }
    const text = scalar(key, value);
    if (!text.includes("\n")) return behind(key, text);
    return [head, ...text.split("\n").flatMap((line) => wrap(line, width, `${indent}  `))];
  });
}

const ITEM = "- ";

const itemLines = (lines: readonly string[], indent: string): string[] =>
  lines.map((line, n) => `${indent}${n === 0 ? ITEM : " ".repeat(ITEM.length)}${line}`);

const title = (key: string): string =>
  clean(key)
    .replace(/_(ms|bytes|milli)$/, "")
    .replaceAll("_", " ");
const pad = (key: string, width: number): string => " ".repeat(Math.max(0, width - title(key).length - 1));

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
