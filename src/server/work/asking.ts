// Asks the nodes ahead whether they have what new work needs to find there, so that it is refused, shown or placed with
// their answers; and whether they have the accounts of people who are added.

import { accountFor } from "../../core/model/account";
import { compareText } from "../../core/canonical";
import type { NodeRow } from "../../core/model/rows-node";
import type { WorkloadDecl } from "../../core/model/workload";
import { needKey, needsOf, partsOf, type PresenceFact } from "../../core/pass/presence";
import type { Ms } from "../../core/units";
import type { AccountOnNode } from "../../wire/api/access";
import type { Context } from "../context";

/** How long a request waits for them. What a node has not said by then is left to the plan. */
const WITHIN_MS: Ms = 1_000;

export async function askNodes(
  { presences, store }: Pick<Context, "presences" | "store">,
  user: string,
  workloads: readonly Pick<WorkloadDecl, "spec">[],
): Promise<void> {
  const needs = workloads.flatMap(({ spec }) => partsOf(needsOf(spec, accountFor(store.state, user, spec.unix_user))));
  await presences.ask([...new Map(needs.map((need) => [needKey(need), need])).values()], WITHIN_MS);
}

/** Returns where these accounts are, and where they are not, as the nodes say it now. */
export async function accountsOnNodes(
  { presences, store }: Pick<Context, "presences" | "store">,
  accounts: readonly string[],
): Promise<AccountOnNode[]> {
  const needs = accounts.map((account) => ({ account, path: null }));
  await presences.ask(needs, WITHIN_MS);
  const facts = presences.facts();
  const nodes = store.state.nodes
    .values()
    .filter(({ contact }) => contact !== "lost")
    .toArray()
    .sort((a, b) => compareText(a.name, b.name));
  return needs.flatMap((need) =>
    nodes.map((node) => ({
      account: need.account,
      node: node.name,
      state: stateOn(node, need.account, facts.get(node.id)?.get(needKey(need))),
    })),
  );
}

function stateOn({ facts }: NodeRow, account: string, said: PresenceFact | undefined): AccountOnNode["state"] {
  if (facts.accounts === "shared") return "shared";
  if (facts.unix_user === account) return "there";
  if (facts.unix_user !== "root") return "missing";
  if (said?.is === "there" || said?.is === "missing") return said.is;
  return said?.is === "unknown" && facts.accounts === "create" ? "made" : "unknown";
}
