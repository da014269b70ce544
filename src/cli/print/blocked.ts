// What waits and why, node by node, in the user's words.

import type { BlockedView } from "../../wire/api/plans";
import { clean } from "./clean";
import type { Style } from "./color";

/** Returns one line for what waits. A reason that begins with the word for waiting does not get it twice. */
export function waitsLine(
  { name, kind, summary }: Pick<BlockedView, "name" | "kind" | "summary">,
  styled: Style,
): string {
  const reason = clean(summary).replace(/^waits: /, "");
  if (kind === "unsatisfiable") return `${clean(name)} ${styled.red("can never run")}: ${reason}`;
  const more = /^waits\b(.*)$/s.exec(reason)?.[1] ?? `: ${reason}`;
  return `${clean(name)} ${styled.yellow("waits")}${more}`;
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
