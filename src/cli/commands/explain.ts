// `orch explain`: why something is where it is, or why it waits, node by node.

import type { ExplainView } from "../../wire/api";
import { command } from "../command";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { blockedLines } from "../print/blocked";
import { clean } from "../print/clean";

export const explain = command({
  reads: true,
  operands: ["<TASK|WORKLOAD|RUN>"],
  examples: [
    ["orch explain recs.api.2", "each node with each failed check"],
    ["orch explain 123", "of a run"],
  ],
  async run(context, { args: [ref = ""], shape }) {
    const client = await context.client();
    const view = await client.explain(ref);
    if (shape === "json") context.json(view);
    else if ("placed" in view) {
      placed(context, ref, view.placed, shape === "ids");
      const { name, reason } = await client.task(ref);
      if (reason !== null && shape === "text") context.print(`${clean(name)} ${clean(reason)}`);
    } else if (shape === "ids") for (const { node } of view.nodes) context.print(node);
    else for (const line of blockedLines(view, context.style, true)) context.print(line);
    return EXIT.done;
  },
});

type Placed = Extract<ExplainView, { readonly placed: unknown }>["placed"];

function placed(context: Context, ref: string, { node, scores, devices }: Placed, short: boolean): void {
  if (short) return context.print(node);
  context.print(`${clean(ref)} is on ${clean(node)}`);
  for (const { id, why } of devices) context.print(`  ${clean(id)}: ${clean(why)}`);
  if (scores.length === 0) return;
  const parts = [...new Set(scores.flatMap((score) => Object.keys(score.parts)))];
  context.table(
    [
      { title: "NODE", cell: (score) => score.node },
      { title: "SCORE", align: "right", cell: (score) => score.total.toFixed(2) },
      ...parts.map((name) => ({
        title: name.toUpperCase(),
        align: "right" as const,
        cell: (score: Placed["scores"][number]) => (score.parts[name] ?? 0).toFixed(2),
      })),
    ],
    scores.toSorted((a, b) => b.total - a.total),
  );
}
