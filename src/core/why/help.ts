// What helps where no change to a request does, so that nobody is told to ask for less of what no node has at all.

import type { Check } from "../pass/snapshot";

interface Checked {
  readonly checks: readonly Pick<Check, "check" | "hopeless">[];
}

const HELP: Readonly<Record<string, string>> = {
  account: "ask an operator for the account on a node, or for an agent that makes them (--accounts create)",
  gpu: "run it without a card, or have a node with such a card join (orch token new --role agent prints how)",
  countable: "have an operator declare it on a node that has it: --capacity NAME=COUNT of its agent",
  stdin: "have an operator update orch there, or run it without standard input",
};

/** Returns what helps with the checks that no node will ever pass as it is, what helps with most nodes first. */
export function helpWith(nodes: readonly Checked[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const { checks } of nodes)
    for (const check of new Set(checks.filter(({ hopeless }) => hopeless).map((one) => one.check)))
      counts.set(check, (counts.get(check) ?? 0) + 1);
  const sorted = [...counts].sort(([, a], [, b]) => b - a);
  return sorted.flatMap(([check]) => HELP[check] ?? []);
}
