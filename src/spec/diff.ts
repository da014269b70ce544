// Describes in words how applying a file would change an app, from the present workloads and those that the file
// declares.

import { canonicalJson } from "../core/canonical";
import { formatDuration } from "../core/format";
import { countOf } from "../core/model/array";
import type { Effect } from "../core/model/settings";
import type { AppDecl, Kind, Settings, TaskSpec, WorkloadDecl } from "../core/model/workload";
import { effectOfFact, oneLine, settingsFacts, taskFacts, type Facts } from "./facts";

/** One key of the spec file whose value changes. */
export interface DiffField {
  /** As the file has it: `resources.gpu`. */
  readonly key: string;
  /** The value as the file has it, whole. Null: the key is not there. */
  readonly before: string | null;
  readonly after: string | null;
  /** Whether the values are left out, since they look like secrets: "" stands for them. */
  readonly hidden: boolean;
  /** When it acts. Null: not known. */
  readonly acts: Effect | "new_version" | null;
}

/** One line of the difference, in the form of `changes` in the API's plan. */
export interface DiffLine {
  readonly name: string;
  readonly change: "add" | "change" | "restart" | "remove" | "run" | "none";
  /** In words, without the values of variables: it is stored and shown to all. */
  readonly detail: string;
  /** The version that the workload gets, or null if it keeps its own. */
  readonly version: number | null;
  /** Key by key, for those who may see the spec. */
  readonly fields: readonly DiffField[];
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
    if (!kept.has(gone.name)) lines.push({ name: gone.name, change: "remove", detail: removal(gone), ...NOTHING });
  }
  return lines;
}

const NOTHING = { version: null, fields: [] } as const;

function diffWorkload(before: CurrentWorkload | undefined, next: WorkloadDecl): DiffLine {
  const { name, kind } = next;
  if (before === undefined) {
    return { name, change: kind === "job" ? "run" : "add", detail: introduction(next), ...NOTHING };
  }
  if (before.kind !== kind) {
    const detail = `was a ${before.kind}, becomes a ${kind}: ${introduction(next)}`;
    return { name, change: kind === "job" ? "run" : "change", detail, ...NOTHING };
  }
  const isSame = sameSpec(before.spec, next.spec);
  const inPlace = compare(settingsFacts(before.settings, kind), settingsFacts(next.settings, kind), (key) =>
    // A run that is made by the same change has all its settings, and earlier ones keep theirs.
    kind === "job" && !isSame ? "new_version" : (effectOfFact(key)?.effect ?? null),
  );
  const placed = inPlace.length === 0 ? [] : [`in place: ${inPlace.map((field) => inWords(field, true)).join(", ")}`];
  if (!isSame) {
    const version = before.version + 1;
    const changed = compare(taskFacts(before.spec), taskFacts(next.spec), () => "new_version");
    const what = changed.map((field) => inWords(field, false)).join(", ");
    const detail = [`version ${version}: ${what}`, ...placed].join("; ");
    return { name, change: kind === "job" ? "run" : "change", detail, version, fields: [...changed, ...inPlace] };
  }
  if (placed.length > 0) return { name, change: "change", detail: placed.join(""), version: null, fields: inPlace };
  return { name, change: "none", detail: `version ${before.version}, as it is`, ...NOTHING };
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
  const elements = settings.array === undefined ? "" : ` of ${sayElements(countOf(settings.array))}`;
  return `new job${gang}${elements}${after.length > 0 ? `, after ${after.join(", ")}` : ""}, ${sayTimeLimit(settings)}`;
}

const sayTimeLimit = ({ time_limit_ms }: Settings): string =>
  time_limit_ms === null ? "no time limit" : `at most ${formatDuration(time_limit_ms)}`;

const removal = ({ kind }: CurrentWorkload): string =>
  kind === "job"
    ? "its runs are cancelled"
    : kind === "daemon"
      ? "its tasks are stopped on every node"
      : "its replicas are stopped";

/** Returns the keys that differ. */
function compare(before: Facts, next: Facts, acts: (key: string) => DiffField["acts"]): DiffField[] {
  const keys = [...new Set([...before.keys(), ...next.keys()])];
  return keys
    .filter((key) => before.get(key) !== next.get(key))
    .map((key) => {
      const hidden = isSecret(key);
      const shown = (value: string | undefined): string | null => (value === undefined ? null : hidden ? "" : value);
      return { key, before: shown(before.get(key)), after: shown(next.get(key)), hidden, acts: acts(key) };
    });
}

/** Variables by whose names people keep secrets. Plans end up in the logs of those who apply by a script. */
const isSecret = (key: string): boolean =>
  key.startsWith("env.") && /TOKEN|SECRET|PASS|PWD|KEY|CREDENTIAL|AUTH/i.test(key);

/**
 * Returns a change as a short text. Values of variables are left out, since the texts are stored and shown to people
 * who may not see them.
 */
function inWords({ key, before, after, acts }: DiffField, isSetting: boolean): string {
  const what = before === null ? "added" : after === null ? "removed" : "changed";
  if (key.startsWith("env.")) return `${key} ${what}`;
  const [old, now] = [oneLine(before ?? "none"), oneLine(after ?? "none")];
  const when = acts === null || !isSetting ? "" : ` (${acts === "new_version" ? "with the new run" : SAID[acts]})`;
  return old === now ? `${key} ${what}${when}` : `${key}: ${old} -> ${now}${when}`;
}

const sayElements = (count: number): string => `${count} ${count === 1 ? "element" : "elements"}`;
