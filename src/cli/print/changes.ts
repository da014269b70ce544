// What a spec changes, as `orch plan` prints it: one change a line, in the words of the file, long texts as a diff.

import { SAID } from "../../spec/diff";
import type { PlanView } from "../../wire/api/plans";
import { clean, cleanLines } from "./clean";
import type { Style } from "./color";
import { type DiffPart, textDiff } from "./text-diff";
import { hang, wide, wrap } from "./wrap";

export type SpecChange = PlanView["changes"][number];
type Field = SpecChange["fields"][number];

const MARK: Readonly<Record<SpecChange["change"], string>> = {
  add: "+",
  change: "~",
  restart: "↻",
  remove: "-",
  run: "▶",
  none: "=",
};

/** Returns the changes of the spec itself. */
export const changed = (plan: Pick<PlanView, "changes">): readonly SpecChange[] =>
  plan.changes.filter(({ change }) => change !== "none");

/** Returns one line for an object of the spec. */
export function changeLine(
  { name, change, detail }: Pick<SpecChange, "name" | "change" | "detail">,
  styled: Style,
): string {
  const paint = {
    add: styled.green,
    run: styled.green,
    remove: styled.red,
    none: styled.dim,
    change: styled.yellow,
    restart: styled.yellow,
  }[change];
  return paint(`${MARK[change]} ${clean(name)}${detail === "" ? "" : `  ${clean(detail)}`}`);
}

/** Returns the lines of an object of the spec: what it is, then each of its keys that changes. */
export function changeLines(one: SpecChange, styled: Style, width: number | null): string[] {
  const { version, fields } = one;
  const detail = fields.length === 0 ? one.detail : version === null ? "in place" : `version ${version}`;
  return [
    ...hang(changeLine({ ...one, detail }, styled), width, FIELD),
    ...fields.flatMap((field) => fieldLines(field, styled, width)),
  ];
}

const FIELD = "    ";
const DIFF = "        ";
/** A longer line is not read at a glance. */
const SHORT = 72;
/** The most lines of one text's difference. */
const DIFF_LINES_MOST = 40;

function fieldLines(field: Field, styled: Style, width: number | null): string[] {
  const { key, before, after, hidden, acts } = field;
  const when = acts === null || acts === "new_version" ? "" : `  (${SAID[acts]})`;
  const line = (paint: (text: string) => string, text: string): string => `${FIELD}${paint(text)}${when}`;
  if (hidden) {
    const what = before === null ? "added" : after === null ? "removed" : "changed";
    return [line(styled.yellow, `${clean(key)}: ${what}, not shown`)];
  }
  const one =
    before === null
      ? line(styled.green, `+ ${clean(key)}: ${clean(after ?? "")}`)
      : after === null
        ? line(styled.red, `- ${clean(key)}: ${clean(before)}`)
        : line(styled.yellow, `${clean(key)}: ${clean(before)} -> ${clean(after)}`);
  const isMany = `${before ?? ""}${after ?? ""}`.includes("\n");
  if (!isMany && wide(one) <= Math.min(width ?? SHORT, SHORT)) return [one];
  if (before !== null && after !== null) {
    return [
      line(styled.yellow, `${clean(key)}:`),
      ...partLines(textDiff(cleanLines(before), cleanLines(after)), styled, width),
    ];
  }
  const is = before === null ? "new" : "gone";
  const texts = cleanLines(after ?? before ?? "").split("\n");
  const head = is === "new" ? line(styled.green, `+ ${clean(key)}:`) : line(styled.red, `- ${clean(key)}:`);
  return [
    head,
    ...partLines(
      texts.map((text) => ({ is, text })),
      styled,
      width,
    ),
  ];
}

function partLines(parts: readonly DiffPart[], styled: Style, width: number | null): string[] {
  const [mark, paint] = [
    { kept: "  ", gone: "- ", new: "+ ", skipped: "… " },
    { kept: (text: string) => text, gone: styled.red, new: styled.green, skipped: styled.dim },
  ];
  const shown = parts.length > DIFF_LINES_MOST ? parts.slice(0, DIFF_LINES_MOST) : parts;
  const lines = shown.flatMap(({ is, text }) => {
    const [first = "", ...rest] = wrap(text, width === null ? null : width - DIFF.length - mark.kept.length);
    return [mark[is] + first, ...rest.map((line) => mark.kept + line)].map((line) => DIFF + paint[is](line));
  });
  const more = parts.length - shown.length;
  return more > 0 ? [...lines, styled.dim(`${DIFF}… and ${more} more ${more === 1 ? "line" : "lines"}`)] : lines;
}
