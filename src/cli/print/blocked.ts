// What waits and why, node by node, in the user's words.

import type { BlockedView } from "../../wire/api";
import { clean } from "./clean";
import type { Style } from "./color";

/** `waits: …`, the smallest change, and with `nodes` each node with each failed check. */
export function blockedLines(blocked: BlockedView, styled: Style, nodes: boolean): string[] {
  const word = blocked.kind === "unsatisfiable" ? styled.red("can never run") : styled.yellow("waits");
  const lines = [`${clean(blocked.name)} ${word}: ${clean(blocked.summary)}`];
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
