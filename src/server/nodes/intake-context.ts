// Builds the context that the intake of reports needs besides the reports themselves. Sessions, farewells and operators
// use the same builder.

import type { IntakeContext } from "../../core/intake/ends";
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
  // A run that is over has no grave row, since history contains the run itself.
  hasGrave: (uid) => store.history.hasGrave(uid) || store.history.run(uid) !== null,
  isAssigned: (node_id, entry, scope) => isSealed(identity.cluster_id, node_id, entry, identity.verify, scope),
});
