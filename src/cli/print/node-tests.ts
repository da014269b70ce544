// The tests of a node as people read them: one line per test, beside the machine's past and its twins.

import { slowerBy } from "../../core/nodes/judge";
import type { Ms } from "../../core/units";
import type { TestsView } from "../../wire/node-tests";
import { clean, cleanLines } from "./clean";
import type { Style } from "./color";
import type { Column } from "./table";
import { age } from "./figures";

type Result = TestsView["results"][number];

const NAMES_SHOWN = 3;

/** Returns the title: `passed 5m ago (it joined): writes 40 % slower than n2`. */
export function testsTitle({ verdict, at_ms, why, reason }: TestsView, now_ms: Ms, styled: Style): string {
  const paint = verdict === "passed" ? styled.green : styled.red;
  const said = reason === null ? "" : `: ${clean(reason)}`;
  return `${styled.bold("tests:")} ${paint(verdict)} ${age(at_ms, now_ms)} ago (${clean(why)})${said}`;
}

export function testColumns(styled: Style): Column<Result>[] {
  return [
    { title: "TEST", cell: ({ name }) => name },
    { title: "VERDICT", cell: verdictOf, paint: (result, cell) => paintVerdict(styled, result, cell) },
    {
      title: "VALUE",
      align: "right",
      cell: ({ value, unit }) => (value === null ? "" : `${rounded(value)} ${unit ?? ""}`.trim()),
    },
    { title: "BEFORE", align: "right", cell: (result) => difference(result, result.past) },
    { title: "TWINS", align: "right", gives: [[1, "below"]], cell: twinsOf },
    { title: "DETAIL", prose: true, cell: ({ detail }) => detail.split("\n")[0] ?? "" },
  ];
}

/** Rounds a measurement to as many digits as it is worth, so that a column of them can be read. */
const rounded = (value: number): number => Number(value >= 100 ? value.toFixed(0) : value.toPrecision(3));

const verdictOf = ({ verdict, required }: Result): string =>
  verdict === "failed" && !required ? "failed (advisory)" : verdict;

function paintVerdict(styled: Style, { verdict, required }: Result, cell: string): string {
  if (verdict === "passed") return styled.green(cell);
  return verdict === "failed" && required ? styled.red(cell) : styled.yellow(cell);
}

/** Returns the difference in speed: `+3 %` is faster, `-40 %` slower. For a time, less is faster. */
function difference({ value, unit }: Result, other: { readonly value: number } | null): string {
  if (value === null || other === null || value <= 0 || other.value <= 0) return "";
  const slower = slowerBy({ value, unit }, other.value);
  if (slower > 0) return `-${Math.round(slower * 100)} %`;
  const faster = unit === "ms" ? other.value / value - 1 : value / other.value - 1;
  return faster <= 0 ? "+0 %" : `+${Math.round(faster * 100)} %`;
}

function twinsOf(result: Result): string {
  const { twins } = result;
  if (twins === null) return "";
  const more = twins.names.length - NAMES_SHOWN;
  const names = twins.names.slice(0, NAMES_SHOWN).join(", ") + (more > 0 ? ` and ${more} more` : "");
  return `${difference(result, twins)} (${names})`;
}

/** Returns the output of the commands that did not pass, below their names. */
export const outputs = ({ results }: TestsView, styled: Style): string[] =>
  results
    .filter(({ verdict, detail }) => verdict !== "passed" && detail.includes("\n"))
    .flatMap(({ name, detail }) => {
      const [, ...lines] = cleanLines(detail).split("\n");
      return ["", styled.bold(`${clean(name)}:`), ...lines.map((line) => `  ${line}`)];
    });

export const historyColumns = (now_ms: Ms, styled: Style): Column<TestsView>[] => [
  { title: "WHEN", cell: ({ at_ms }) => `${age(at_ms, now_ms)} ago` },
  {
    title: "VERDICT",
    cell: ({ verdict }) => verdict,
    paint: ({ verdict }, cell) => (verdict === "passed" ? styled.green(cell) : styled.red(cell)),
  },
  { title: "WHY", gives: [[1, "below"]], cell: ({ why }) => why },
  { title: "REASON", prose: true, cell: ({ reason }) => reason ?? "" },
];
