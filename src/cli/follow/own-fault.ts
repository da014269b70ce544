// What kept `orch run` from its job, or from being told of it.

import type { Context } from "../context";
import { EXIT, UsageError } from "../failure";
import { complain } from "../print/complain";

/**
 * Prints what kept `orch run` from its job, and returns the exit code. A fault or a refusal of orch is 125, so that
 * nobody takes it for the job's exit code; with `-d` too, as with docker.
 */
export function ownFault(context: Context, error: unknown): number {
  if (error instanceof UsageError) throw error;
  return complain(error, context.host.err) === EXIT.usage ? EXIT.usage : EXIT.own;
}
