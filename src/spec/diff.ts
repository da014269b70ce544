// Describes in words how applying a file would change an app, from the present workloads and those that the file
// declares.

import { canonicalJson } from "../core/canonical";
import { formatDuration } from "../core/format";
import type { Effect } from "../core/model/settings";
import type { AppDecl, Kind, Settings, TaskSpec, WorkloadDecl } from "../core/model/workload";
import { effectOfFact, settingsFacts, taskFacts, type Facts } from "./facts";

/** One line of the difference, in the form of `changes` in the API's plan. */
export interface DiffLine {
  readonly name: string;
  readonly change: "add" | "change" | "restart" | "remove" | "run" | "none";
  readonly detail: string;
}

export interface CurrentWorkload {
  readonly name: string;
  readonly kind: Kind;
  readonly version: number;
  readonly spec: TaskSpec;
  readonly settings: Settings;
}

/** Returns whether two specs make the same tasks. */
export const sameSpec = (a: TaskSpec, b: TaskSpec): boolean => canonicalJson(a) === canonicalJson(b);

/**
 * Returns the differences between an app and a file: first the file's workloads in the file's order, then those that
 * are removed. `current` is null if the app does not exist.
 */
export function diffApp(current: { readonly workloads: readonly CurrentWorkload[] } | null, next: AppDecl): DiffLine[] {
  const before = new Map((current?.workloads ?? []).map((workload) => [workload.name, workload]));
  const lines = next.workloads.map((workload) => diffWorkload(before.get(workload.name), workload));
  const kept = new Set(next.workloads.map((workload) => workload.name));
  for (const gone of before.values()) {
    if (!kept.has(gone.name)) lines.push({ name: gone.name, change: "remove", detail: removal(gone) });
  }
  return lines;
}

function diffWorkload(before: CurrentWorkload | undefined, next: WorkloadDecl): DiffLine {
  const { name, kind } = next;
  if (before === undefined) return { name, change: kind === "job" ? "run" : "add", detail: introduction(next) };
  if (before.kind !== kind) {
    return {
      name,
      change: kind === "job" ? "run" : "change",
      detail: `was a ${before.kind}, becomes a ${kind}: ${introduction(next)}`,
    };
  }
  const isSame = sameSpec(before.spec, next.spec);
  const inPlace = compare(settingsFacts(before.settings, kind), settingsFacts(next.settings, kind), (key) => {
    const rule = effectOfFact(key);
    if (rule === null) return "";
    // A run that is made by the same change has all its settings, and earlier ones keep theirs.
    return ` (${kind === "job" && !isSame ? "with the new run" : SAID[rule.effect]})`;
  });
  const placed = inPlace.length === 0 ? [] : [`in place: ${inPlace.join(", ")}`];
  if (!isSame) {
    const changed = compare(taskFacts(before.spec), taskFacts(next.spec), () => "");
    const what = changed.length === 0 ? "the command" : changed.join(", ");
    const detail = [`version ${before.version + 1}: ${what}`, ...placed].join("; ");
    return { name, change: kind === "job" ? "run" : "change", detail };
  }
  if (placed.length > 0) return { name, change: "change", detail: placed.join("") };
  return { name, change: "none", detail: `version ${before.version}, as it is` };
}

/** When a changed setting acts, in words. */
export const SAID = {
  now: "now",
  next_attempt: "from the next attempt",
  next_run: "from the next run",
} as const satisfies Record<Effect, string>;

function introduction({ kind, spec, settings }: WorkloadDecl): string {
  if (kind === "service")
    return `new service, ${settings.replicas} ${settings.replicas === 1 ? "replica" : "replicas"}`;
  if (kind === "daemon") return "new daemon, one on every matching node";
  const after = settings.after.map((one) => one.name);
  const gang = spec.members > 1 ? ` of ${spec.members} members` : "";
  return `new job${gang}${after.length > 0 ? `, after ${after.join(", ")}` : ""}, ${sayTimeLimit(settings)}`;
}

const sayTimeLimit = ({ time_limit_ms }: Settings): string =>
  time_limit_ms === null ? "no time limit" : `at most ${formatDuration(time_limit_ms)}`;

const removal = ({ kind }: CurrentWorkload): string =>
  kind === "job"
    ? "its runs are cancelled"
    : kind === "daemon"
      ? "its tasks are stopped on every node"
      : "its replicas are stopped";

/**
 * Returns one short text for each key that differs, with when it acts. Values of environment variables are left out,
 * since plans are shown and stored for people who may not see them.
 */
function compare(before: Facts, next: Facts, when: (key: string) => string): string[] {
  const keys = [...new Set([...before.keys(), ...next.keys()])];
  return keys
    .filter((key) => before.get(key) !== next.get(key))
    .map((key) => {
      const [old, now] = [before.get(key), next.get(key)];
      if (key.startsWith("env."))
        return `${key} ${old === undefined ? "added" : now === undefined ? "removed" : "changed"}`;
      return `${key}: ${old ?? "none"} -> ${now ?? "none"}${when(key)}`;
    });
}
