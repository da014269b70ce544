// Why something waits, node by node, and why a task is where it is, in the user's words.

import type { BlockedView, ExplainView } from "../../wire/api/plans";
import { sayBlocked } from "../../core/why/failure";
import { clean } from "./clean";
import type { Style } from "./color";
import { table } from "./table";

/** Returns one line for what waits. A reason that begins with the words for waiting does not get them twice. */
export function waitsLine(
  { name, kind, summary }: Pick<BlockedView, "name" | "kind" | "summary">,
  styled: Style,
): string {
  const { words, rest } = sayBlocked({ kind, summary: clean(summary) });
  const paint = kind === "unsatisfiable" ? styled.red : styled.yellow;
  return `${clean(name)} ${paint(words)}${rest}`;
}

/** Returns the line and the smallest change, and with `nodes` each node with each failed check. */
export function blockedLines(blocked: BlockedView, styled: Style, nodes: boolean): string[] {
  const lines = [waitsLine(blocked, styled)];
  if (blocked.smallest_change !== null) lines.push(`  smallest change: ${clean(blocked.smallest_change)}`);
  if (!nodes) return lines;
  const width = Math.max(0, ...blocked.nodes.map(({ node }) => node.length));
  for (const { node, checks } of blocked.nodes) {
    for (const [n, { check, detail, hopeless }] of checks.entries()) {
      const name = n === 0 ? clean(node).padEnd(width) : " ".repeat(width);
      const mark = hopeless ? styled.red("✗") : styled.yellow("…");
      lines.push(`  ${name}  ${mark} ${clean(check)}: ${clean(detail)}`);
    }
  }
  return lines;
}

export type PlacedView = Extract<ExplainView, { readonly placed: unknown }>["placed"];
type Score = PlacedView["scores"][number];

export function placedLines(ref: string, { node, scores, devices }: PlacedView): string[] {
  const lines = [`${clean(ref)} is on ${clean(node)}`];
  for (const { id, why } of devices) lines.push(`  ${clean(id)}: ${clean(why)}`);
  if (scores.length === 0) return lines;
  const parts = [...new Set(scores.flatMap((score) => Object.keys(score.parts)))];
  const columns = [
    { title: "NODE", cell: (score: Score) => score.node },
    { title: "SCORE", align: "right" as const, cell: (score: Score) => score.total.toFixed(2) },
    ...parts.map((name) => ({
      title: name.toUpperCase(),
      align: "right" as const,
      cell: (score: Score) => (score.parts[name] ?? 0).toFixed(2),
    })),
  ];
  const best = scores.toSorted((a, b) => b.total - a.total);
  return [...lines, ...table(columns, best)];
}
