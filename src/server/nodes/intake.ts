// What the intake of reports is given besides what an agent says: one builder for sessions, farewells and operators.

import type { IntakeContext } from "../../core/intake/ends";
import type { Draft } from "../../store/store";
import type { Context } from "../context";

/** The context of an intake within the commit of `draft`. */
export const intakeContext = (
  { store, limits, seed }: Pick<Context, "store" | "limits" | "seed">,
  { revision, now_ms, hasEnded }: Pick<Draft, "revision" | "now_ms" | "hasEnded">,
): IntakeContext => ({
  now_ms,
  revision,
  limits,
  seed: seed(),
  hasEnded,
  // A run that is over for good left no grave, and needs none: it is in history.
  hasGrave: (uid) => store.history.hasGrave(uid) || store.history.run(uid) !== null,
});
