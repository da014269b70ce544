// Checks names that refer to other workloads of an app: whether these exist, and whether jobs wait for themselves.

import type { Kind } from "../../core/model/workload";
import { fault, type Fault } from "../read/fault";
import { fieldsOf, get, type Fields } from "./fields";
import type { Path } from "../issue";
import { suggester } from "../grammar/nearest";
import { TEXT_LIMITS } from "../limits";

/** One workload as it was written in the file. */
export interface WrittenWorkload {
  readonly name: string;
  readonly kind: Kind;
  readonly path: Path;
  readonly fields: Fields;
}

/** Returns a list of names, or one name, with the path of each. */
function namesAt(fields: Fields, key: string, path: Path): { name: string; path: Path }[] {
  const value = get(fields, key);
  if (typeof value === "string") return [{ name: value, path: [...path, key] }];
  if (!Array.isArray(value)) return [];
  return value.flatMap((name, i) => (typeof name === "string" ? [{ name, path: [...path, key, i] }] : []));
}

/** Returns the faults of every name that leads from one workload to another. */
export function referenceFaults(entries: readonly WrittenWorkload[]): Fault[] {
  const kinds = new Map(entries.map((entry) => [entry.name, entry]));
  const jobs = entries.filter((entry) => entry.kind === "job");
  const suggest = suggester(TEXT_LIMITS.issues);
  const all = entries.map((each) => each.name);
  const waitable = entries.filter((each) => each.kind !== "daemon").map((each) => each.name);
  return [
    ...entries.flatMap((entry) => placeFaults(entry, kinds, all, suggest)),
    ...jobs.flatMap((entry) => afterFaults(entry, kinds, waitable, suggest)),
    ...cycleFaults(jobs),
  ];
}

const listed = (names: readonly string[], what: string): string =>
  names.length === 0
    ? `this app has no ${what}`
    : `${what}: ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`;

type Suggest = ReturnType<typeof suggester>;

function placeFaults(
  entry: WrittenWorkload,
  kinds: ReadonlyMap<string, WrittenWorkload>,
  all: readonly string[],
  suggest: Suggest,
): Fault[] {
  const place = fieldsOf(get(entry.fields, "place"));
  const path = [...entry.path, "place"];
  const together = namesAt(place, "together_with", path);
  const apart = namesAt(place, "apart_from", path);
  const faults = [...together, ...apart]
    .filter((one) => !kinds.has(one.name))
    .map((one) =>
      fault(one.path, `\`${one.name}\` is no workload of this app`, suggest(one.name, all) ?? listed(all, "workloads")),
    );
  const apartNames = new Set(apart.map(({ name }) => name));
  for (const one of together) {
    if (one.name === entry.name)
      faults.push(fault(one.path, "is the workload itself", "the default `spread: pack` fills nodes"));
    if (apartNames.has(one.name))
      faults.push(fault(one.path, `\`${one.name}\` stands in \`apart_from\` too`, "keep one"));
  }
  return faults;
}

const MOST_OTHERS = 250;
export const AFTER_KEYS = ["after", "after_any", "after_failed"] as const;

function afterFaults(
  entry: WrittenWorkload,
  kinds: ReadonlyMap<string, WrittenWorkload>,
  waitable: readonly string[],
  suggest: Suggest,
): Fault[] {
  // A job is no candidate for what it waits for. The list is cut first: a long app has many jobs.
  const others = (): string[] => waitable.slice(0, MOST_OTHERS).filter((name) => name !== entry.name);
  const seen = new Set<string>();
  const faults: Fault[] = [];
  for (const key of AFTER_KEYS) {
    for (const one of namesAt(entry.fields, key, entry.path)) {
      const other = kinds.get(one.name);
      const shown = `\`${one.name.slice(0, 60)}\``;
      if (seen.has(one.name)) faults.push(fault(one.path, `names ${shown} twice`, "keep one"));
      else if (other === undefined) {
        faults.push(
          fault(
            one.path,
            `${shown} is no job or service of this app`,
            suggest(one.name, others()) ?? listed(others(), "jobs and services"),
          ),
        );
      } else if (other.kind === "daemon")
        faults.push(fault(one.path, `${shown} is a daemon, which has no end and no replicas`, "remove it"));
      else if (other.kind === "service" && key !== "after") {
        faults.push(
          fault(one.path, `${shown} is a service, which does not end`, "`after` waits until its replicas run"),
        );
      }
      seen.add(one.name);
    }
  }
  return faults;
}

/** Returns jobs that wait for themselves, each circle once. The stack is explicit, since a chain may be long. */
function cycleFaults(jobs: readonly WrittenWorkload[]): Fault[] {
  const next = new Map(jobs.map((job) => [job.name, AFTER_KEYS.flatMap((key) => namesAt(job.fields, key, job.path))]));
  const state = new Map<string, "open" | "done">();
  const faults: Fault[] = [];
  for (const job of jobs) {
    const trail: { name: string; i: number }[] = state.has(job.name) ? [] : [{ name: job.name, i: 0 }];
    for (let top = trail.at(-1); top !== undefined; top = trail.at(-1)) {
      state.set(top.name, "open");
      const edge = next.get(top.name)?.[top.i++];
      if (edge === undefined) {
        state.set(top.name, "done");
        trail.pop();
      } else if (state.get(edge.name) === "open") {
        const circle = trail.slice(trail.findIndex((step) => step.name === edge.name)).map((step) => step.name);
        const shown = circle.length > 12 ? [...circle.slice(0, 12), `… (${circle.length} jobs)`] : circle;
        const message = `\`${edge.name}\` would wait for itself: ${[...shown, edge.name].join(" after ")}`;
        faults.push(fault(edge.path, message, "remove one of these"));
      } else if (next.has(edge.name) && !state.has(edge.name)) trail.push({ name: edge.name, i: 0 });
    }
  }
  return faults;
}
