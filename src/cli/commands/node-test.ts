// `orch node test NODE`: has a node tested again; with `--wait` follows the tests and prints the verdict.

import type { NodeView } from "../../wire/api/nodes";
import { command, flag } from "../frame/command";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { clean } from "../print/clean";
import { paintState } from "../print/color";
import { waitForTests } from "../follow/testing";

export const nodeTest = command({
  reads: true,
  operands: ["<NODE>"],
  options: { wait: flag("-w, --wait", "follow the tests to their end; exit code 1 when they fail") },
  examples: [
    ["orch node test box1 --wait", "what it is tested for, and what came of it"],
    ["orch node test box1", "have it tested; orch node show box1 shows the results"],
  ],
  notes:
    "A node that is being tested gets no new work, and what runs there goes on. One that fails is quarantined with\n" +
    "the reason, until it passes (orch node test) or somebody takes it as it is (orch node resume --skip-tests).",
  async run(context, { args: [name = ""], flags, shape }) {
    const client = await context.client();
    const ordered = await client.testNode(name);
    const node = flags.wait ? await waitForTests(context, client, ordered, shape !== "text") : ordered;
    if (shape === "json") context.json(node);
    else if (shape === "ids") context.print(node.id);
    else say(context, node);
    return flags.wait ? verdictOf(ordered, node) : EXIT.done;
  },
});

const isOwn = (ordered: NodeView, node: NodeView): boolean => node.tests?.id === ordered.testing?.id;

const verdictOf = (ordered: NodeView, node: NodeView): number =>
  isOwn(ordered, node) && node.tests?.verdict === "passed" ? EXIT.done : EXIT.failed;

function say(context: Context, node: NodeView): void {
  const reason = node.testing === null ? (node.tests?.reason ?? null) : node.testing.why;
  const why = reason === null ? "" : `: ${clean(reason)}`;
  context.print(`${clean(node.name)}: ${paintState(context.style, node.state)}${why}`);
  if (node.testing !== null) context.note(`see how it goes: orch node show ${node.name}`);
}
