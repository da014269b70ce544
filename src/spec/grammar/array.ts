// The elements of an array as people write them: `0-99`, `0-99%8`, `0-99:2`.

import { type ArrayDecl, MOST_ELEMENTS, parseArray } from "../../core/model/array";
import { invalid, parsed, quoted, type Parsed } from "../issue";

/** Reads the elements of an array. */
export function readArray(text: string): Parsed<ArrayDecl> {
  const read = parseArray(text);
  if (!("wrong" in read)) return parsed(read);
  return invalid(`${quoted(text)} ${read.wrong}`, hintArray(text));
}

/** Returns what to write instead of a count or a list of elements, or of a range in the wrong order, or null. */
export function hintArray(input: unknown): string | null {
  const text = typeof input === "number" || typeof input === "string" ? String(input) : "";
  if (/^(0|[1-9]\d{0,6})$/.test(text)) {
    const count = Number(text);
    const many = count > 0 && count <= MOST_ELEMENTS ? `for so many: \`0-${count - 1}\`; ` : "";
    return `${many}for this one alone: \`${text}-${text}\``;
  }
  const [, range, limit, step] = /^(\d+-\d+)%(\d+):(\d+)$/.exec(text) ?? [];
  if (range !== undefined) return `the step comes first: \`${range}:${step}%${limit}\``;
  if (!/^\d[\d,:%-]*$/.test(text) || !text.includes(",")) return null;
  return "elements are one range; `run` may look up what `$ORCH_SLOT` stands for";
}
