// Parses bodies: bytes that must be UTF-8, JSON that must not be deeper than a bound, and the place of every fault.

export type ParsedJson =
  | { readonly is: "json"; readonly value: unknown }
  | { readonly is: "invalid"; readonly line: number; readonly column: number; readonly message: string };

/** Returns the text of UTF-8 bytes, or the place of the first invalid byte. */
export function readUtf8(
  bytes: Uint8Array,
): { readonly is: "text"; readonly text: string } | { readonly is: "invalid"; readonly at: number } {
  try {
    return { is: "text", text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    return { is: "invalid", at: validPrefix(bytes) };
  }
}

/**
 * Returns how many bytes are valid: the longest prefix that decodes without a replacement character of the decoder's.
 */
function validPrefix(bytes: Uint8Array): number {
  const again = new TextEncoder().encode(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes));
  let at = 0;
  while (at < bytes.length && bytes[at] === again[at]) at++;
  return at;
}

/** Parses JSON. A text that is too deep is refused before anything is built from it. */
export function parseJson(text: string, max_depth: number): ParsedJson {
  const found = scan(text, max_depth);
  if (found !== null) return { is: "invalid", ...placeOf(text, found.at), message: found.message };
  try {
    return { is: "json", value: JSON.parse(text) };
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { is: "invalid", line: 0, column: 0, message: "is not JSON" };
  }
}

export function placeOf(text: string, at: number): { readonly line: number; readonly column: number } {
  const before = text.slice(0, at).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

interface Found {
  readonly at: number;
  readonly message: string;
}

const SPACE = /[ \t\r\n]*/y;
const SCALAR = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;

const ESCAPE = /["\\/bfnrt]|u[0-9a-fA-F]{4}/y;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PRINTABLE = 0x20;

/**
 * Returns the end of the string that begins at `from`, or -1 if there is none. A loop is used, since patterns are slow
 * on long texts.
 */
function endOfString(text: string, from: number): number {
  if (text.charCodeAt(from) !== QUOTE) return -1;
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) return at + 1;
    if (code < FIRST_PRINTABLE) return -1;
    if (code !== BACKSLASH) continue;
    ESCAPE.lastIndex = at + 1;
    if (!ESCAPE.test(text)) return -1;
    at = ESCAPE.lastIndex - 1;
  }
  return -1;
}

/**
 * Walks the text once with a stack of its own. Returns the first fault, or null if the text is JSON and not too deep.
 */
function scan(text: string, max_depth: number): Found | null {
  let at = 0;
  const take = (pattern: RegExp): boolean => {
    pattern.lastIndex = at;
    if (!pattern.test(text)) return false;
    at = pattern.lastIndex;
    return true;
  };
  const string = (): boolean => {
    const end = endOfString(text, at);
    if (end < 0) return false;
    at = end;
    return true;
  };
  const space = (): void => {
    take(SPACE);
  };
  const here = (expected: string): Found => ({
    at,
    message: at >= text.length ? `ends where ${expected} should be` : `is not JSON here: ${expected} should be`,
  });
  const keyed = (): Found | null => {
    if (!string()) return here("a key in double quotes");
    space();
    if (text[at] !== ":") return here("a colon");
    at++;
    space();
    return null;
  };
  const open: ("{" | "[")[] = [];
  space();
  for (;;) {
    const start = text[at];
    if (start === "{" || start === "[") {
      if (open.length >= max_depth) return { at, message: `is deeper than ${max_depth} levels` };
      at++;
      space();
      if (text[at] !== (start === "{" ? "}" : "]")) {
        open.push(start);
        const wrong = start === "{" ? keyed() : null;
        if (wrong !== null) return wrong;
        continue;
      }
      at++;
    } else if (!string() && !take(SCALAR)) return here("a value");
    space();
    for (let around = open.at(-1); around !== undefined; around = open.at(-1)) {
      const next = text[at];
      if (next === ",") break;
      if (next !== (around === "{" ? "}" : "]")) return here(around === "{" ? "a comma or }" : "a comma or ]");
      at++;
      open.pop();
      space();
    }
    if (open.length === 0) return at === text.length ? null : here("the end");
    at++;
    space();
    const wrong = open.at(-1) === "{" ? keyed() : null;
    if (wrong !== null) return wrong;
  }
}
