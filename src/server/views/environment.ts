// The environment variables of a run or workload, for those who may see them: a document that is copied or printed has
// their values only where somebody asked for these.

import type { TaskSpec } from "../../core/model/workload";
import { flag } from "../http/query";

export const values = flag.optional().describe("also the values of its environment variables");

/** `spec`: null for those who may not see its inside. */
export const environmentOf = (
  spec: TaskSpec | null,
  withValues = false,
): { readonly env: string[] | null; readonly env_values: Record<string, string> | null } => ({
  env: spec === null ? null : Object.keys(spec.env).sort(),
  env_values: spec === null || !withValues ? null : { ...spec.env },
});
