// Why something waits, node by node, and why a task is where it is, in the user's words.

import type { BlockedView, ExplainView } from "../../wire/api/plans";
import { sayBlocked } from "../../core/why/failure";
import { helpWith } from "../../core/why/help";
import { clean } from "./clean";
import type { Style } from "./color";
import { byName, fold, foldedName, namesText } from "./fold";
import { table } from "./table";
import { wayLines, isChoice } from "./ways";
import { hang, pad, wide, wrap } from "./wrap";

type Waiting = Pick<BlockedView, "name" | "kind" | "summary">;

/** Returns one line for what waits. A reason that begins with the words for waiting does not get them twice. */
export function waitsLine({ name, kind, summary }: Waiting, styled: Style, count = 1): string {
  const { words, rest } = sayBlocked({ kind, summary: clean(summary) });
  const paint = kind === "unsatisfiable" ? styled.red : styled.yellow;
  const who = `${clean(name)}${count > 1 ? ` (${count})` : ""}`;
  return `${who} ${paint(count > 1 ? words.replace(/^waits$/, "wait") : words)}${rest}`;
}

/**
 * Returns the verdict, the smallest change, and each node with each failed check: those of equal checks together. Slots
 * that wait for the same reason are told once.
 */
export function allBlockedLines(
  blocked: readonly BlockedView[],
  styled: Style,
  width: number | null,
  groupsMost = Number.POSITIVE_INFINITY,
): string[] {
  const same = ({ kind, summary, smallest_change, smallest_changes, nodes }: BlockedView): string =>
    JSON.stringify([kind, summary, smallest_change, smallest_changes, nodes]);
  const groups = fold(
    blocked,
    byName(({ name }: BlockedView) => name),
    same,
  );
  return groups.flatMap((group) => waitingLines(group, styled, width, groupsMost));
}

function waitingLines(
  group: readonly [BlockedView, ...BlockedView[]],
  styled: Style,
  width: number | null,
  groupsMost: number,
): string[] {
  const [first, ...others] = group;
  const titleOf = ({ name: plain, title }: BlockedView): string => title ?? plain;
  const name = foldedName([titleOf(first), ...others.map(titleOf)]);
  return [
    ...hang(waitsLine({ ...first, name }, styled, group.length), width, "    "),
    ...changesLines(first, width),
    ...nodesLines(first.nodes, styled, width, groupsMost),
  ];
}

/** Returns what would end the wait: beside its title if it is one line and fits there. */
function changesLines(blocked: BlockedView, width: number | null): string[] {
  const title = isChoice(blocked) ? "  smallest changes, each alone:" : "  smallest change:";
  const [first, ...others] = wayLines(blocked, width === null ? null : width - BESIDE.length);
  if (first === undefined) return blocked.kind === "unsatisfiable" ? helpLines(blocked, width) : [];
  const line = `${title} ${first}`;
  if (!isChoice(blocked) && others.length === 0 && (width === null || wide(line) <= width)) return [line];
  return [title, ...[first, ...others].map((each) => BESIDE + each)];
}

/** Returns what helps where no change to the request does. */
const helpLines = ({ nodes }: BlockedView, width: number | null): string[] => {
  const help = helpWith(nodes).join(", or ");
  return help === "" ? [] : hang(`  what would help: ${help}`, width, BESIDE);
};

const BESIDE = "    ";

type Nodes = BlockedView["nodes"];

const LABEL_MOST = 24;
/** What does not fit beside its nodes stands below them. */
const BELOW = "      ";

function nodesLines(nodes: Nodes, styled: Style, width: number | null, most: number): string[] {
  const groups = [...Map.groupBy(nodes, ({ checks }) => JSON.stringify(checks)).values()].map((those) => ({
    label: `${clean(namesText(those.map(({ node }) => node)))}${those.length > 1 ? ` (${those.length})` : ""}`,
    checks: those[0]?.checks ?? [],
    count: those.length,
  }));
  const shown = groups.slice(0, most);
  const labels = Math.min(LABEL_MOST, Math.max(0, ...shown.map(({ label }) => wide(label))));
  const beside = " ".repeat(2 + labels + 2);
  const lines = shown.flatMap(({ label, checks }) => {
    const said = checks.map(({ check, detail, hopeless }) => {
      const mark = hopeless ? styled.red("✗") : styled.yellow("…");
      return `${mark} ${clean(check)}: ${clean(detail)}`;
    });
    const most = Math.max(...said.map(wide)) + beside.length;
    if (wide(label) <= labels && (width === null || most <= width)) {
      return said.map((line, n) => (n === 0 ? `  ${pad(label, labels, "left")}  ${line}` : beside + line));
    }
    const room = width === null ? null : width - BELOW.length;
    return [...wrap(label, width, "  "), ...said.flatMap((line) => hang(line, room, "  ").map((each) => BELOW + each))];
  });
  const left = groups.slice(shown.length).reduce((sum, { count }) => sum + count, 0);
  return left === 0 ? lines : [...lines, `  … and ${left} more nodes`];
}

export type PlacedView = Extract<ExplainView, { readonly placed: unknown }>["placed"];
type Score = PlacedView["scores"][number];

/** Returns where a task is, what it is doing there (`reason`), its cards, and the scores, the best node first. */
export function placedLines(
  ref: string,
  { node, scores, devices }: PlacedView,
  reason: string | null,
  width: number | null,
): string[] {
  const said = reason === null ? "" : `: ${clean(reason)}`;
  const lines = hang(`${clean(ref)} is on ${clean(node)}${said}`, width, "  ");
  for (const { id, why } of devices) lines.push(...hang(`  ${clean(id)}: ${clean(why)}`, width, "    "));
  if (scores.length === 0) return lines;
  const parts = [...new Set(scores.flatMap((score) => Object.keys(score.parts)))];
  const best = scores.toSorted((a, b) => b.total - a.total);
  const groups = [...Map.groupBy(best, ({ total, parts: each }) => JSON.stringify([total, each])).values()];
  const score = (group: readonly Score[], part: string): string => (group[0]?.parts[part] ?? 0).toFixed(2);
  const columns = [
    {
      title: "NODE",
      cut: "middle" as const,
      cell: (group: readonly Score[]) =>
        `${namesText(group.map((one) => one.node))}${group.length > 1 ? ` (${group.length})` : ""}`,
    },
    { title: "SCORE", align: "right" as const, cell: (group: readonly Score[]) => (group[0]?.total ?? 0).toFixed(2) },
    ...parts.map((name, n) => ({
      title: name.toUpperCase(),
      align: "right" as const,
      gives: [[parts.length - n, "below"] as const],
      cell: (group: readonly Score[]) => score(group, name),
    })),
  ];
  return [...lines, ...table(columns, groups, width)];
}
