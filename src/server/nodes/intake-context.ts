// Builds the context that the intake of reports needs besides the reports themselves. Sessions, farewells and operators
// use the same builder.

import type { IntakeContext } from "../../core/intake/draft";
import { isSealed } from "../../core/intake/seal";
import type { Draft } from "../../store/store";
import type { Context } from "../context";

/** Returns the context of an intake within the commit of `draft`. */
export const intakeContext = (
  { store, limits, seed, identity }: Pick<Context, "store" | "limits" | "seed" | "identity">,
  { revision, now_ms, hasEnded }: Pick<Draft, "revision" | "now_ms" | "hasEnded">,
): IntakeContext => ({
  now_ms,
  revision,
  limits,
  seed: seed(),
  hasEnded,
  hasGrave: asked((uid) => store.history.hasGrave(uid) || store.history.hasEndedRun(uid)),
  isAssigned: (node_id, entry, scope) => isSealed(identity.cluster_id, node_id, entry, identity.verify, scope),
});

/** Returns a function that looks each uid up once: many entries of a report are of one workload or run. */
function asked(look: (uid: string) => boolean): (uid: string) => boolean {
  const known = new Map<string, boolean>();
  return (uid) => {
    const answer = known.get(uid) ?? look(uid);
    known.set(uid, answer);
    return answer;
  };
}
