// The tree as tidy reads it: every file once, with comments and strings blanked where a rule examines code alone.

import { Glob } from "bun";
import { join } from "node:path";

export const ROOT = join(import.meta.dir, "..", "..");

export interface Source {
  /** The path from the repository's root, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** The text with comments blanked and strings kept. All offsets stay the same. */
  readonly uncommented: string;
  /** The text with comments, strings and regular expressions blanked. */
  readonly code: string;
}

/** One thing that tidy refuses, and what to do instead. */
export interface Refusal {
  readonly path: string;
  readonly line: number;
  readonly what: string;
  readonly instead: string;
}

export const printed = (refusal: Refusal): string =>
  `${refusal.path}:${refusal.line}: ${refusal.what}; ${refusal.instead}`;

export const sourceOf = (path: string, text: string): Source => ({
  path,
  text,
  uncommented: blanked(text, "comments"),
  code: blanked(text, "comments and strings"),
});

/** Returns all TypeScript files under these folders, sorted by path. */
export async function readSources(folders: readonly string[]): Promise<Source[]> {
  const sources: Source[] = [];
  for (const folder of folders) {
    for await (const path of new Glob(`${folder}/**/*.{ts,tsx}`).scan({ cwd: ROOT })) {
      sources.push(sourceOf(path.replaceAll("\\", "/"), await Bun.file(join(ROOT, path)).text()));
    }
  }
  return sources.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split("\n").length;

const spaces = (text: string): string => text.replace(/[^\n]/g, " ");

/** Characters after which a slash begins a regular expression, not a division. */
const BEFORE_REGEX = new Set("(,=:[!&|?{};+-*%~^");
const WORD_BEFORE_REGEX = /(?:^|[^\w.$])(?:return|typeof|case|in|of|await|yield|else)$/;

/** Returns the offset behind the quoted text that begins at `from`. */
function endOfString(text: string, from: number): number {
  const quote = text[from];
  let i = from + 1;
  while (i < text.length && text[i] !== quote && text[i] !== "\n") i += text[i] === "\\" ? 2 : 1;
  return Math.min(i + 1, text.length);
}

function endOfRegex(text: string, from: number): number {
  let inClass = false;
  let i = from + 1;
  for (; i < text.length && text[i] !== "\n"; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") inClass = true;
    else if (text[i] === "]") inClass = false;
    else if (text[i] === "/" && !inClass) break;
  }
  return i + 1;
}

/**
 * Returns the offset behind a template's text: behind the closing backtick, or behind the `${` that opens an
 * expression.
 */
function endOfTemplateText(text: string, from: number): number {
  let i = from;
  while (i < text.length && text[i] !== "`" && !text.startsWith("${", i)) i += text[i] === "\\" ? 2 : 1;
  return i >= text.length ? text.length : text[i] === "`" ? i + 1 : i + 2;
}

const beginsRegex = (before: string): boolean =>
  before === "" || BEFORE_REGEX.has(before.at(-1) ?? "") || before.endsWith("=>") || WORD_BEFORE_REGEX.test(before);

/** Returns the text with parts replaced by spaces, so that every offset and line stays where it was. */
export function blanked(text: string, what: "comments" | "comments and strings"): string {
  const keep = what === "comments";
  let out = "";
  let depth = 0;
  /** For each open template expression, the depth of braces at which it ends. */
  const templates: number[] = [];
  const take = (to: number, blank: boolean): void => {
    const piece = text.slice(out.length, to);
    // Quotes stay in either case, so that a blanked call still reads as a call.
    if (!blank) out += piece;
    else out += piece.length < 2 ? spaces(piece) : piece[0] + spaces(piece.slice(1, -1)) + piece.at(-1);
  };
  while (out.length < text.length) {
    const i = out.length;
    const c = text[i] ?? "";
    if (text.startsWith("//", i)) {
      const end = text.indexOf("\n", i);
      out += spaces(text.slice(i, end < 0 ? text.length : end));
    } else if (text.startsWith("/*", i)) {
      const end = text.indexOf("*/", i);
      out += spaces(text.slice(i, end < 0 ? text.length : end + 2));
    } else if (c === '"' || c === "'") take(endOfString(text, i), !keep);
    else if (c === "`" || (c === "}" && templates.at(-1) === depth)) {
      if (c === "}") templates.pop();
      const end = endOfTemplateText(text, i + 1);
      if (text[end - 1] === "{") templates.push(depth);
      take(end, !keep);
    } else if (c === "/" && beginsRegex(out.trimEnd())) take(endOfRegex(text, i), !keep);
    else {
      if (c === "{") depth++;
      if (c === "}") depth--;
      out += c;
    }
  }
  return out;
}
