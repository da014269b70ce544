// Checks the text itself, before YAML is read: encoding, size, characters that no editor shows, lines and columns.

import { formatBytes } from "../../core/format";
import { invalid, parsed, type Issue, type Parsed } from "../issue";
import { TEXT_LIMITS } from "../limits";

/** Decodes a file. Bytes that are not UTF-8 are an issue with the place of the first. */
export function decodeSpec(bytes: Uint8Array): { is: "text"; text: string } | { is: "invalid"; issues: Issue[] } {
  const cut = bytes.length > TEXT_LIMITS.bytes ? bytes.subarray(0, TEXT_LIMITS.bytes + 1) : bytes;
  const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(cut);
  const issues = textIssues(text);
  return issues.length === 0 ? { is: "text", text } : { is: "invalid", issues };
}

/** Returns a function from an offset to line and column, which count from 1. */
export function linesOf(text: string): (offset: number) => { line: number; column: number } {
  const starts = [0];
  for (let i = text.indexOf("\n"); i >= 0; i = text.indexOf("\n", i + 1)) starts.push(i + 1);
  return (offset) => {
    const at = Math.max(0, Math.min(offset, text.length));
    let [low, high] = [0, starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((starts[middle] ?? 0) <= at) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: at - (starts[low] ?? 0) + 1 };
  };
}

/**
 * Control characters other than tab and line ends, lone surrogates, and the characters that decoders put in place of
 * wrong bytes.
 */
const FORBIDDEN = /(?![\t\n\r\u0085])\p{Cc}|\r(?!\n)|\p{Cs}|[\ufffd-\uffff]/gu;

/** Returns what is wrong with the text as such: at most a few issues, since more of the same says nothing new. */
export function textIssues(text: string): Issue[] {
  const whole = (message: string, hint: string | null): Issue[] => [{ line: 1, column: 1, path: "", message, hint }];
  if (text.length > TEXT_LIMITS.bytes || new TextEncoder().encode(text).length > TEXT_LIMITS.bytes) {
    return whole(`is larger than ${formatBytes(TEXT_LIMITS.bytes)}`, "split it into several apps");
  }
  if (text.startsWith("\u0000\u0000\ufeff") || text.charCodeAt(1) === 0)
    return whole("is not UTF-8", "save the file as UTF-8");
  const place = linesOf(text);
  const issues: Issue[] = [];
  for (const match of text.matchAll(FORBIDDEN)) {
    const code = match[0].charCodeAt(0);
    const foreign = code >= 0xd800;
    issues.push({
      ...place(match.index),
      path: "",
      message: foreign
        ? "is not UTF-8 here"
        : `has the control character U+${code.toString(16).toUpperCase().padStart(4, "0")}`,
      hint: foreign ? "save the file as UTF-8" : "remove it, or write it as an escape in double quotes",
    });
    if (issues.length === 3) break;
  }
  return issues;
}

/**
 * Refuses a text with a NUL character, which an escape or the API may contain, since no process can get one as argument
 * or environment. Refuses invalid Unicode too.
 */
export function readScalarText(text: string): Parsed<string> {
  if (text.includes("\u0000")) return invalid("holds a NUL character", "no environment or argument can carry one");
  return text.isWellFormed() ? parsed(text) : invalid("is not valid Unicode");
}
