// Reads YAML text into one document, within limits that are checked before the parts of the library that recurse or
// grow.

import { Composer, CST, Lexer, Parser, type Document, type YAMLParseError } from "yaml";
import type { Fault } from "./fault";
import { TEXT_LIMITS } from "../limits";
import { linesOf } from "./text";

const at = (offset: number, message: string, hint: string | null = null): Fault => ({
  path: [],
  on: "value",
  message,
  hint,
  offset,
});

const YAML_HINTS: Readonly<Record<string, string>> = {
  TAB_AS_INDENT: "indent with spaces",
  BAD_INDENT: "keys of one map begin in the same column",
  MISSING_CHAR: "a quote or bracket is not closed",
  MULTILINE_IMPLICIT_KEY: "is a `:` missing on the line above?",
  BLOCK_AS_IMPLICIT_KEY: "a text with `: ` in it needs quotes",
  BLOCK_IN_FLOW: "in braces a text with `: ` in it needs quotes; or write the keys below each other, without braces",
  BAD_SCALAR_START: "put the text in quotes",
  BAD_DQ_ESCAPE: "in double quotes `\\` begins an escape; single quotes take it as it is",
  BAD_ALIAS: "a text that begins with `*` or `&` needs quotes",
};

/** Counts pieces of syntax without building anything. Returns the first bound that is exceeded. */
function overflow(text: string): Fault | null {
  let tokens = 0;
  let depth = 0;
  let offset = 0;
  for (const lexeme of new Lexer().lex(text)) {
    const type = CST.tokenType(lexeme);
    if (++tokens > TEXT_LIMITS.tokens)
      return at(offset, `has more than ${TEXT_LIMITS.tokens} pieces of YAML`, "split it into several apps");
    if (type === "flow-seq-start" || type === "flow-map-start") depth++;
    if (type === "flow-seq-end" || type === "flow-map-end") depth--;
    if (depth > TEXT_LIMITS.depth) return at(offset, `is nested deeper than ${TEXT_LIMITS.depth}`);
    if (lexeme !== CST.DOCUMENT && lexeme !== CST.SCALAR && lexeme !== CST.FLOW_END) offset += lexeme.length;
  }
  return null;
}

/**
 * Returns the first collection that is nested too deep. The stack is explicit, since depth is what must not be trusted.
 */
function tooDeep(tokens: readonly CST.Token[]): Fault | null {
  const open: { token: CST.Token; depth: number }[] = tokens.map((token) => ({ token, depth: 0 }));
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > TEXT_LIMITS.depth) return at(token.offset, `is nested deeper than ${TEXT_LIMITS.depth}`);
    if (token.type === "document" && token.value !== undefined) open.push({ token: token.value, depth });
    if (token.type !== "block-map" && token.type !== "block-seq" && token.type !== "flow-collection") continue;
    for (const item of token.items) {
      if (item.key) open.push({ token: item.key, depth: depth + 1 });
      if (item.value) open.push({ token: item.value, depth: depth + 1 });
    }
  }
  return null;
}

/** Returns the first document of a text with the fault of a second one, or the errors of its YAML. */
export function readDocument(
  text: string,
): { is: "document"; document: Document.Parsed; more: Fault[] } | { is: "invalid"; faults: Fault[] } {
  const over = overflow(text);
  if (over !== null) return { is: "invalid", faults: [over] };
  const tokens = [...new Parser().parse(text)];
  const deep = tooDeep(tokens);
  if (deep !== null) return { is: "invalid", faults: [deep] };
  const composer = new Composer({
    version: "1.2",
    schema: "core",
    resolveKnownTags: false,
    uniqueKeys: false,
    logLevel: "silent",
  });
  const [document, second] = [...composer.compose(tokens, true, text.length)];
  if (document === undefined || (document.contents === null && document.errors.length === 0)) {
    return { is: "invalid", faults: [at(0, "is empty", "a spec begins with `app: NAME`")] };
  }
  const faults = firstOfLines(document.errors, text).map((error) =>
    at(error.pos[0], sentence(error.message), YAML_HINTS[error.code] ?? null),
  );
  const { explicit, version } = document.directives.yaml;
  if (explicit === true && version !== "1.2")
    faults.push(at(0, `asks for YAML ${version}`, "specs are YAML 1.2: remove the `%YAML` line"));
  const more =
    second === undefined
      ? []
      : [at(second.range[0], "is a second document", "one file holds one app: remove the `---`")];
  if (faults.length > 0) return { is: "invalid", faults: [...faults, ...more] };
  return { is: "document", document: document as Document.Parsed, more };
}

/** Keeps one error per line, since further errors of a line follow from the first. */
function firstOfLines(errors: readonly YAMLParseError[], text: string): YAMLParseError[] {
  const place = linesOf(text);
  const seen = new Set<number>();
  return errors.filter(({ pos }) => {
    const { line } = place(pos[0]);
    return !seen.has(line) && seen.add(line);
  });
}

const sentence = (message: string): string =>
  `YAML: ${message.slice(0, 1).toLowerCase()}${message.slice(1).replaceAll(/\s+/g, " ")}`;
