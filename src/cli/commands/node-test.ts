// `orch node test NODE`: has a node tested again; with `--wait` follows the tests and prints the verdict.

import type { NodeView } from "../../wire/api/nodes";
import { command, flag } from "../frame/command";
import type { Context } from "../context";
import { EXIT } from "../failure";
import { clean } from "../print/clean";
import { complain } from "../print/complain";
import { paintState } from "../print/color";
import { waitForTests } from "../follow/testing";
import { untilLeft } from "../follow/watching";

export const nodeTest = command({
  reads: true,
  operands: ["<NODE...>"],
  options: { wait: flag("-w, --wait", "follow the tests to their end; exit code 1 when they fail") },
  examples: [
    ["orch node test box1 --wait", "what it is tested for, and what came of it"],
    ["orch node test box1 box2", "have them tested; orch node show box1 shows the results"],
  ],
  notes:
    "A node that is being tested gets no new work, and what runs there goes on. One that fails is quarantined with\n" +
    "the reason, until it passes (orch node test) or somebody takes it as it is (orch node resume --skip-tests).",
  async run(context, { args, flags, shape }) {
    const client = await context.client();
    let worst: number = EXIT.done;
    const ordered: NodeView[] = [];
    for (const name of args) {
      try {
        ordered.push(await client.testNode(name));
      } catch (error) {
        // One node that cannot be tested must not keep the others from it.
        worst = Math.max(worst, complain(error, context.host.err));
      }
    }
    const wait = (each: NodeView): Promise<NodeView> => waitForTests(context, client, each, shape !== "text");
    const tested: NodeView[] = [];
    const tell = async (): Promise<number> => {
      for (const each of ordered) {
        const node = flags.wait ? await wait(each) : each;
        tested.push(node);
        if (shape === "ids") context.print(node.id);
        else if (shape === "text") say(context, node);
        if (flags.wait) worst = Math.max(worst, verdictOf(each, node));
      }
      if (shape === "json" && tested.length > 0) context.json(args.length === 1 ? tested[0] : { nodes: tested });
      return worst;
    };
    return flags.wait && ordered.length > 0 ? untilLeft(context, GOES_ON, tell()) : tell();
  },
});

const GOES_ON = "the tests go on; see: orch node show NODE";

const isOwn = (ordered: NodeView, node: NodeView): boolean => node.tests?.id === ordered.testing?.id;

const verdictOf = (ordered: NodeView, node: NodeView): number =>
  isOwn(ordered, node) && node.tests?.verdict === "passed" ? EXIT.done : EXIT.failed;

function say(context: Context, node: NodeView): void {
  const reason = node.testing === null ? (node.tests?.reason ?? null) : node.testing.why;
  const why = reason === null ? "" : `: ${clean(reason)}`;
  context.print(`${clean(node.name)}: ${paintState(context.style, node.state)}${why}`);
  if (node.testing !== null) context.note(`see how it goes: orch node show ${node.name}`);
}
