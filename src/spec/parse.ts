// Parses a spec text into a checked app, or returns all its errors at once. It never throws, whatever the text is.

import type { AppDecl, WorkloadDecl } from "../core/model/workload";
import { buildApp, buildJob } from "./build";
import { schemaFaults } from "./check/schema-faults";
import { fault, issuesOf, placeKey } from "./read/fault";
import type { Issue } from "./issue";
import { legalName, readName } from "./grammar/names";
import { readObject } from "./read/object";
import { appFaults, workloadFaults } from "./check/relations";
import { app, job } from "./schema/schema";
import { readDocument } from "./read/syntax";
import { foreignText } from "./read/foreign-text";
import { textIssues } from "./read/text";
import { schemaAt } from "./schema/lookup";
import { readTree } from "./read/tree";

export type ParsedApp =
  { readonly is: "parsed"; readonly app: AppDecl } | { readonly is: "invalid"; readonly issues: Issue[] };
export type ParsedJob =
  { readonly is: "parsed"; readonly workload: WorkloadDecl } | { readonly is: "invalid"; readonly issues: Issue[] };

/** Parses a spec file. `file` is only used to suggest the app's name. */
export function parseApp(text: string, file: string): ParsedApp {
  const unreadable = textIssues(text);
  if (unreadable.length > 0) return { is: "invalid", issues: unreadable };
  const foreign = foreignText(text);
  if (foreign !== null) return { is: "invalid", issues: [foreign] };
  const read = readDocument(text);
  if (read.is === "invalid") return { is: "invalid", issues: issuesOf(read.faults, text, new Map()) };
  const tree = readTree(read.document, app);
  if (typeof tree.value !== "object" || tree.value === null || Array.isArray(tree.value)) {
    const whole = fault([], "is not a map of keys", "a spec begins with `app: NAME`");
    return { is: "invalid", issues: issuesOf([...tree.faults, whole, ...read.more], text, tree.places) };
  }
  const value = withoutHolders(tree.value);
  const checked = app.safeParse(value);
  const unread = new Set(tree.faults.map((one) => placeKey(one.path)));
  const values = schemaFaults(app, value, checked.error, []).filter((one) => !unread.has(placeKey(one.path)));
  const found = [...tree.faults, ...values, ...appFaults(value), ...read.more];
  if (checked.success && found.length === 0) return { is: "parsed", app: buildApp(checked.data) };
  const named = found.map((one) =>
    one.message === "is missing" && one.path.join() === "app"
      ? { ...one, hint: `write \`app: ${nameFrom(file)}\`` }
      : one,
  );
  return { is: "invalid", issues: issuesOf(named, text, tree.places) };
}

/** Returns the file without the keys that begin with `x-`: they hold anchors, and mean nothing themselves. */
const withoutHolders = (file: object): Record<string, unknown> =>
  Object.fromEntries(Object.entries(file).filter(([key]) => !key.startsWith("x-")));

/** Parses one job given as an object, as `orch run` sends it. Its issues have paths and no lines. */
export function parseJob(given: Record<string, unknown>, name: string): ParsedJob {
  const copy = readObject(given, job, ["job"]);
  const checked = job.safeParse(copy.value);
  const read = readName(name);
  const found = [
    ...copy.faults,
    ...schemaFaults(job, copy.value, checked.error, ["job"]),
    ...workloadFaults(copy.value as Record<string, unknown>, ["job"]),
  ];
  if (read.is === "invalid") found.push(fault(["job", "name"], read.message, read.hint));
  if (checked.success && found.length === 0)
    return { is: "parsed", workload: buildJob(name, checked.data, "run", null) };
  const bare = found.map((one) => ({ ...one, path: one.path.slice(1) }));
  return { is: "invalid", issues: issuesOf(bare, null, new Map()) };
}

/**
 * Returns the value that a text such as `{ share: 8GB }` has in a spec file. Any other text is returned unchanged, and
 * is checked as a text.
 */
export function typedGpu(text: string): unknown {
  const schema = schemaAt(job, ["resources", "gpu"]);
  const read = text.trimStart().startsWith("{") ? readDocument(text) : null;
  if (schema === null || read === null || read.is === "invalid" || read.more.length > 0) return text;
  const { value, faults } = readTree(read.document, schema);
  return faults.length === 0 ? value : text;
}

/** Returns the app's name that a file's name suggests: `/srv/My Recs.yaml` suggests `my-recs`. */
function nameFrom(file: string): string {
  const base = file.split(/[/\\]/).at(-1) ?? "";
  return legalName(base.replace(/\.(orch\.)?(ya?ml|json)$/i, "")) ?? "NAME";
}
