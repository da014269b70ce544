// A fault is an issue whose place is still a path. The steps of the parser find faults, and one function here gives
// them places.

import { compareText } from "../../core/canonical";
import { formatPath, type Issue, type Path } from "../issue";
import { TEXT_LIMITS } from "../limits";
import { linesOf } from "./text";

export interface Fault {
  readonly path: Path;
  /** Whether the key itself is wrong, or its value. */
  readonly on: "key" | "value";
  readonly message: string;
  readonly hint: string | null;
  /** A place in the text to which no path leads. */
  readonly offset?: number;
}

/** The offsets of the keys and values of a tree in its text. */
export type Places = ReadonlyMap<string, { readonly key: number | null; readonly value: number | null }>;

export const placeKey = (path: Path): string => path.join("\u0000");

export const fault = (path: Path, message: string, hint: string | null = null, on: Fault["on"] = "value"): Fault => ({
  path,
  on,
  message,
  hint,
});

/** Returns the offset of a fault: its own, or that of the nearest key above it that is in the text. */
function offsetOf(one: Fault, places: Places): number {
  if (one.offset !== undefined) return one.offset;
  for (let length = one.path.length; length >= 0; length--) {
    const place = places.get(placeKey(one.path.slice(0, length)));
    if (place === undefined) continue;
    const exact = length === one.path.length && one.on === "value";
    return (exact ? (place.value ?? place.key) : (place.key ?? place.value)) ?? 0;
  }
  return 0;
}

/**
 * Returns all faults as issues, in the order of the text, without doubles, up to a bound. With `text: null` they have
 * no places.
 */
export function issuesOf(faults: readonly Fault[], text: string | null, places: Places): Issue[] {
  const place = text === null ? () => ({ line: 0, column: 0 }) : linesOf(text);
  const seen = new Set<string>();
  const issues: Issue[] = [];
  for (const one of faults) {
    const issue = {
      ...place(offsetOf(one, places)),
      path: formatPath(one.path),
      message: one.message,
      hint: one.hint,
    };
    const key = `${issue.line}:${issue.column}:${issue.path}:${issue.message}`;
    if (!seen.has(key)) issues.push(issue);
    seen.add(key);
  }
  issues.sort((a, b) => a.line - b.line || a.column - b.column || compareText(a.path, b.path));
  if (issues.length <= TEXT_LIMITS.issues) return issues;
  const more = issues.length - TEXT_LIMITS.issues;
  const shown = issues.slice(0, TEXT_LIMITS.issues);
  return [...shown, ...shown.slice(-1).map((last) => ({ ...last, path: "", message: `and ${more} more`, hint: null }))];
}
