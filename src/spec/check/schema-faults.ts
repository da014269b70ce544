// Turns what zod reports about a value into faults in our words, each with the place of the deepest thing that is
// wrong.

import type { z } from "zod";
import { fault, type Fault } from "../read/fault";
import { nearest } from "../grammar/nearest";
import type { Path } from "../issue";
import { keyFaults, suggestions, type Suggestions, unknownKey } from "./keys";
import { schemaAt } from "../schema/lookup";

type ZodIssue = z.core.$ZodIssue;

const pathOf = (path: readonly PropertyKey[]): Path =>
  path.map((step) => (typeof step === "number" ? step : String(step)));

/**
 * Returns every fault of `value` against `schema`. Bad keys do not hide bad values, nor the other way round. `root`
 * precedes all paths.
 */
export function schemaFaults(schema: z.ZodType, value: unknown, error: z.ZodError | undefined, root: Path): Fault[] {
  const hints = suggestions();
  const keys = keyFaults(schema, value, [], hints).map((one) => ({ ...one, path: [...root, ...one.path] }));
  const values = (error?.issues ?? []).flatMap((issue) => faultsOfIssue(schema, issue, [], root, hints));
  const bad_keys = new Set(keys.map((one) => JSON.stringify(one.path)));
  return [...keys, ...values.filter((one) => !bad_keys.has(JSON.stringify(one.path)))];
}

function faultsOfIssue(schema: z.ZodType, issue: ZodIssue, above: Path, root: Path, hints: Suggestions): Fault[] {
  const path = [...above, ...pathOf(issue.path)];
  if (issue.code === "unrecognized_keys") {
    const at = schemaAt(schema, path);
    return issue.keys.map((key) => unknownKey(at, [...root, ...path], key, hints));
  }
  if (issue.code === "invalid_union") {
    const inner = closest(issue.errors);
    if (inner !== null) return inner.flatMap((each) => faultsOfIssue(schema, each, path, root, hints));
  }
  const [message = "", hint = null] = issue.message.split("\n");
  const options = issue.code === "invalid_value" ? issue.values.map(String) : [];
  const meant = options.length > 0 ? nearest(/the text "(.*)"/.exec(message)?.[1] ?? "", options) : null;
  return [fault([...root, ...path], message, meant === null ? hint : `did you mean \`${meant}\`?`)];
}

/**
 * Returns the alternative of a union that was meant: the one whose shape fits, so that only something inside it is
 * wrong.
 */
function closest(alternatives: readonly (readonly ZodIssue[])[]): readonly ZodIssue[] | null {
  const fitting = alternatives.filter(
    (issues) =>
      issues.length > 0 &&
      issues.every(
        (issue) =>
          issue.path.length > 0 ||
          (issue.code !== "invalid_type" && issue.code !== "invalid_value" && issue.code !== "invalid_union"),
      ),
  );
  return fitting.length === 1 ? (fitting[0] ?? null) : null;
}
