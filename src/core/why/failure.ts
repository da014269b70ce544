// Why a request fits on too few nodes, in the user's words.

import { compareText } from "../canonical";
import type { Candidacy } from "../place/checks";
import { singular, type Found } from "../place/found";
import type { Check, Failure, NodeChecks } from "../pass/snapshot";

/** The most reasons that a summary names. All are in the nodes' own checks. */
const REASONS_SHOWN = 4;

/**
 * Returns why a request fits on too few nodes for its members, from what keeps it from each. `what` says on which nodes
 * it would fit, if that needs words.
 */
export function failureOf(examined: readonly Candidacy[], members: number, what = ""): Failure {
  const hopeless = examined.map(({ room, found }) => ({ room, found: found.filter((each) => each.hopeless) }));
  const isNever = fittingIn(hopeless) < members;
  // What only keeps it waiting on a node is not why it can never run.
  const why = isNever ? hopeless : examined;
  const nodes = examined.map(({ room, found }): NodeChecks => ({ node: room.node.name, checks: found.map(checkOf) }));
  nodes.sort((a, b) => compareText(a.node, b.node));
  return {
    kind: isNever ? "unsatisfiable" : "queued",
    summary: summaryOf(why, fittingIn(why), members, what),
    nodes,
  };
}

/** What keeps a request from a node: the part of it that a summary needs. */
type Kept = Pick<Candidacy, "room" | "found">;

const fittingIn = (examined: readonly Kept[]): number => examined.filter(({ found }) => found.length === 0).length;

/**
 * Returns how the reason of what is blocked begins, and what follows. Of nodes only what is so now is known: a
 * directory may appear, and a larger node may join. What rules of the spec exclude is never.
 */
export function sayBlocked({ kind, summary }: Pick<Failure, "kind" | "summary">): {
  readonly words: string;
  readonly rest: string;
} {
  const [, words, rest] = BEGINNING.exec(summary) ?? [null, null, `: ${summary}`];
  if (kind === "queued") return { words: "waits", rest };
  return { words: words === NEVER ? NEVER : NO_NODE, rest };
}

export const NEVER = "can never run";
const NO_NODE = "cannot run on any node";
const BEGINNING = new RegExp(`^(waits|${NEVER}|${NO_NODE})\\b(.*)$`, "s");

const checkOf = ({ check, detail, hopeless, devices }: Found): Check => ({ check, detail, hopeless, devices });

/** Words a summary: `waits: 0 of 5 nodes fit: 3 have no card with 24 GB (largest 16 GB), 2 are tainted team=vision`. */
function summaryOf(examined: readonly Kept[], fitting: number, members: number, what: string): string {
  if (examined.length === 0) return "waits: no node has joined yet";
  const groups = new Map<string, { count: number; best: Found["best"] }>();
  for (const { found } of examined) {
    const main = found.find((each) => each.hopeless) ?? found[0];
    if (main === undefined) continue;
    const group = groups.get(main.reason);
    if (group === undefined) groups.set(main.reason, { count: 1, best: main.best });
    else {
      group.count++;
      if (main.best !== null && (group.best === null || main.best.value > group.best.value)) group.best = main.best;
    }
  }
  const sorted = [...groups].sort(([a, x], [b, y]) => y.count - x.count || compareText(a, b));
  const told = sorted
    .slice(0, REASONS_SHOWN)
    .map(
      ([reason, { count, best }]) =>
        `${count} ${count === 1 ? singular(reason) : reason}${best === null ? "" : ` (${best.text})`}`,
    );
  const untold = sorted.slice(REASONS_SHOWN).reduce((sum, [, { count }]) => sum + count, 0);
  if (untold > 0) told.push(`${untold} for other reasons`);
  const needed = members > 1 ? `, ${members} are needed` : "";
  const fits = what === "" ? (examined.length === 1 ? " fits" : " fit") : ` ${what}`;
  const total = `${fitting} of ${examined.length} ${examined.length === 1 ? "node" : "nodes"}${fits}`;
  return `waits: ${total}${needed}${told.length === 0 ? "" : `: ${told.join(", ")}`}`;
}
