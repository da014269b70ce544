// `orch node test --wait`: follows the tests of a node until they are judged.

import type { Ms } from "../../core/units";
import { pause } from "../../os/clock";
import type { NodeView } from "../../wire/api/nodes";
import type { Client } from "../../wire/client";
import type { Context } from "../context";
import { clean } from "../print/clean";
import { unlessAway } from "./watching";

const LOOK_MS: Ms = 200;

/**
 * Resolves with the node when the order is no longer open: its result was judged, another order replaced it, or an
 * operator took the node without tests.
 */
export async function waitForTests(
  context: Context,
  client: Client,
  node: NodeView,
  quiet: boolean,
): Promise<NodeView> {
  const order = node.testing?.id ?? "";
  let said = "";
  for (let seen = node; ;) {
    if (seen.testing?.id !== order) return seen;
    const news = newsOf(seen);
    if (!quiet && news !== said) context.note(`${clean(seen.name)}: ${clean(news)}`);
    said = news;
    await pause(LOOK_MS);
    seen = (await unlessAway(() => client.node(node.name))) ?? seen;
  }
}

function newsOf({ state, testing }: NodeView): string {
  if (state === "lost" || state === "unreachable") return `is ${state}; its tests begin when it is back`;
  const step = testing?.step ?? null;
  return step === null ? `being tested: ${testing?.why ?? ""}` : `test ${step.n} of ${step.of}: ${step.name}`;
}
