// `orch nodes`: the machines, what they have and what of it is promised.

import { readTasks } from "../follow/pages";
import { command } from "../frame/command";
import { MINUTE_MS, type Ms } from "../../core/units";
import { EXIT } from "../failure";
import { age } from "../print/figures";
import { summary } from "../print/fold";
import { nodeColumns } from "../print/nodes";

export const nodes = command({
  reads: true,
  examples: [
    ["orch nodes", "all machines"],
    ["orch nodes -q", "their ids, for a script"],
  ],
  async run(context, { shape }) {
    const client = await context.client();
    const [read, listed] = await Promise.all([client.nodes(), shape === "text" ? readTasks(client, {}) : null]);
    if (shape === "json") context.json(read);
    else if (shape === "ids") for (const node of read.nodes) context.print(node.id);
    else if (read.nodes.length === 0) context.note("no nodes yet; add one: orch token new --role agent prints how");
    else {
      const columns = nodeColumns(context.now(), countByNode(listed?.items ?? []), context.style);
      const states = (): string[] => read.nodes.map(({ state }) => state);
      context.table(columns, read.nodes, { summary: () => summary("nodes", states()) });
    }
    const ahead_ms = context.now() - context.host.now();
    if (shape === "text" && Math.abs(ahead_ms) >= MINUTE_MS) context.note(clockNote(ahead_ms));
    return EXIT.done;
  },
});

/** Returns why times in `--json` differ from the clock on the wall. */
function clockNote(ahead_ms: Ms): string {
  const minutes = Math.round(Math.abs(ahead_ms) / MINUTE_MS);
  const ahead = `${age(0, minutes * MINUTE_MS)} ${ahead_ms > 0 ? "ahead of" : "behind"}`;
  return `the server's times are ${ahead} this machine's clock; ages are right, and --json has the server's`;
}

function countByNode(tasks: readonly { readonly node: string | null }[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const { node } of tasks) if (node !== null) counts.set(node, (counts.get(node) ?? 0) + 1);
  return counts;
}
