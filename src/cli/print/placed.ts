// Where a task is and why: its cards with a reason for each, and how the nodes compare.

import type { ExplainView } from "../../wire/api/plans";
import { clean } from "./clean";
import { table } from "./table";

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
