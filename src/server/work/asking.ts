// Asks the nodes ahead whether they have what new work needs to find there, so that it is refused, shown or placed with
// their answers.

import { accountFor } from "../../core/model/account";
import type { WorkloadDecl } from "../../core/model/workload";
import { needKey, needsOf, partsOf } from "../../core/pass/presence";
import type { Ms } from "../../core/units";
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
