// `orch gpus`: the cards of all nodes, with promises, readings and users.

import { command, flag } from "../frame/command";
import { EXIT } from "../failure";
import { gpuColumns, gpuSummary, processColumns, processesOf, useOf } from "../print/gpus";

export const gpus = command({
  reads: true,
  operands: ["[NODE]"],
  options: {
    free: flag("--free", "only those that nothing and nobody is on"),
    processes: flag("-p, --processes", "every process that holds a card, whoever started it"),
    wide: flag("-w, --wide", "also power, clock, place, driver, links and whole ids"),
  },
  examples: [
    ["orch gpus", "which card is free, and who is on the others"],
    ["orch gpus --free", "what could be had now"],
    ["orch gpus box1 -p", "who holds the cards of one node, also without orch"],
  ],
  notes:
    "STATE: free; taken (a task has the whole card); shared (tasks have parts of its memory); foreign (used by\n" +
    "processes that orch did not start); split (cut in parts, which are listed); dirty, quarantined, missing (WHO\n" +
    "says why); or the state of a node that is not ready. USED is what the card shows as used of its\n" +
    "memory (-: it does not say), LEFT what of a shared card is not promised yet.",
  async run(context, { args: [typed], flags, shape }) {
    const client = await context.client();
    const node = typed === undefined ? undefined : (await client.node(typed)).name;
    const { devices: all } = await client.devices();
    const ofNode = node === undefined ? all : all.filter((gpu) => gpu.node === node);
    const shown = flags.free ? ofNode.filter((gpu) => useOf(gpu, all).is === "free") : ofNode;
    if (shape === "json") context.json({ devices: shown });
    else if (shape === "ids") for (const { id } of shown) context.print(id);
    else if (flags.processes) {
      const rows = processesOf(shown);
      if (rows.length === 0) context.note("no process holds a card, as far as the nodes have told");
      else context.table(processColumns(all, context.style), rows);
    } else if (shown.length === 0) context.note(noneText(all.length, node ?? null, flags.free));
    else {
      const columns = gpuColumns(all, context.now(), flags.wide, context.style);
      context.table(columns, shown, { summary: () => gpuSummary(shown, all) });
    }
    return EXIT.done;
  },
});

function noneText(count: number, node: string | null, free: boolean): string {
  if (count === 0) return "no node has a card";
  return `no ${free ? "free " : ""}card${node === null ? "" : ` on ${node}`}; see all: orch gpus`;
}
