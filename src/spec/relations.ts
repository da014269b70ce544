// What no single value can get wrong: keys that contradict each other, names that lead nowhere, work that waits for
// itself. It looks at the values as written, so that it finds these also in a file that has other errors.

import type { Kind } from "../core/workload";
import { fault, type Fault } from "./fault";
import type { Path } from "./issue";
import { ASK_LIMITS } from "./limits";
import { didYouMean } from "./nearest";

type Fields = Readonly<Record<string, unknown>>;

const KIND_OF: Readonly<Record<string, Kind>> = { services: "service", jobs: "job", daemons: "daemon" };

/** What is not a map has no keys to contradict each other. */
const NONE: Fields = {};

const fieldsOf = (value: unknown): Fields =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Fields) : NONE;

const get = (fields: Fields, key: string): unknown => (Object.hasOwn(fields, key) ? fields[key] : undefined);
const has = (fields: Fields, key: string): boolean => get(fields, key) !== undefined;

/** A list of names, or one name, with the path of each. */
function namesAt(fields: Fields, key: string, path: Path): { name: string; path: Path }[] {
  const value = get(fields, key);
  if (typeof value === "string") return [{ name: value, path: [...path, key] }];
  if (!Array.isArray(value)) return [];
  return value.flatMap((name, i) => (typeof name === "string" ? [{ name, path: [...path, key, i] }] : []));
}

interface Entry {
  readonly name: string;
  readonly kind: Kind;
  readonly path: Path;
  readonly fields: Fields;
}

/** Faults between the parts of a whole file. */
export function appFaults(value: unknown): Fault[] {
  const top = fieldsOf(value);
  const entries = Object.entries(KIND_OF).flatMap(([group, kind]) =>
    Object.entries(fieldsOf(get(top, group))).map(([name, entry]): Entry => ({
      name,
      kind,
      path: [group, name],
      fields: fieldsOf(entry),
    })),
  );
  if (
    entries.length === 0 &&
    Object.keys(KIND_OF).every((group) => Object.keys(fieldsOf(get(top, group))).length === 0)
  ) {
    const hint = "add `services`, `jobs` or `daemons`; `orch rm APP` removes an app";
    return Object.keys(KIND_OF).some((group) => has(top, group) && typeof get(top, group) !== "object")
      ? []
      : [fault([], "declares no workload", hint)];
  }
  const kinds = new Map<string, Entry>();
  const faults: Fault[] = [];
  for (const entry of entries) {
    const other = kinds.get(entry.name);
    if (other === undefined) kinds.set(entry.name, entry);
    else
      faults.push(
        fault(
          entry.path,
          `\`${entry.name}\` is the name of a ${other.kind} too`,
          "names are unique in an app",
          "key",
        ),
      );
    if (entry.fields !== NONE)
      faults.push(...workloadFaults(entry.fields, entry.path), ...placeFaults(entry, entries));
  }
  for (const entry of entries) if (entry.kind === "job") faults.push(...afterFaults(entry, kinds, entries));
  return [...faults, ...cycleFaults(entries.filter((entry) => entry.kind === "job"))];
}

/** Faults between the keys of one workload. */
export function workloadFaults(fields: Fields, path: Path): Fault[] {
  const faults: Fault[] = [];
  const both = has(fields, "run") && has(fields, "command");
  if (both)
    faults.push(
      fault(
        [...path, "command"],
        "stands beside `run`",
        "keep one: `run` is for a shell, `command` is a list without one",
        "key",
      ),
    );
  if (!has(fields, "run") && !has(fields, "command") && !has(fields, "image")) {
    faults.push(fault(path, "needs `run` or `command`", "`run: ./serve.sh` or `command: [./serve, --fast]`", "key"));
  }
  if (has(fields, "shell") && !has(fields, "run") && has(fields, "command")) {
    faults.push(
      fault([...path, "shell"], "goes with `run`; `command` has no shell", "remove it, or write `run`", "key"),
    );
  }
  if (get(fields, "exclusive") === true && get(fieldsOf(get(fields, "restart")), "offline") === true) {
    faults.push(
      fault(
        [...path, "restart", "offline"],
        "contradicts `exclusive: true`",
        "a node that is cut off cannot know that it is alone: remove `offline`",
      ),
    );
  }
  return [...faults, ...countFaults(fields, path), ...portFaults(fields, path)];
}

function countFaults(fields: Fields, path: Path): Fault[] {
  const faults: Fault[] = [];
  const limits = { env: ASK_LIMITS.env_names, labels: ASK_LIMITS.label_count, ports: ASK_LIMITS.port_count };
  for (const [key, limit] of Object.entries(limits)) {
    const count = Object.keys(fieldsOf(get(fields, key))).length;
    if (count > limit) faults.push(fault([...path, key], `has ${count} entries, more than ${limit}`));
  }
  const env = Object.entries(fieldsOf(get(fields, "env")));
  const bytes = env.reduce(
    (sum, [name, value]) => sum + byteLength(name) + (typeof value === "string" ? byteLength(value) : 0),
    0,
  );
  if (bytes > ASK_LIMITS.env_bytes) {
    faults.push(
      fault(
        [...path, "env"],
        `holds ${bytes} bytes, more than ${ASK_LIMITS.env_bytes}`,
        "put large texts into files",
      ),
    );
  }
  return faults;
}

const byteLength = (text: string): number => new TextEncoder().encode(text).length;

function portFaults(fields: Fields, path: Path): Fault[] {
  const faults: Fault[] = [];
  const taken = new Map<unknown, string>();
  for (const [name, value] of Object.entries(fieldsOf(get(fields, "ports")))) {
    const published = typeof value === "number" ? value : get(fieldsOf(value), "published");
    if (typeof published !== "number") continue;
    const other = taken.get(published);
    if (other === undefined) taken.set(published, name);
    else
      faults.push(
        fault([...path, "ports", name], `publishes ${published}, as \`${other}\` does`, "`auto` takes a free one"),
      );
  }
  return faults;
}

const listed = (names: readonly string[], what: string): string =>
  names.length === 0
    ? `this app has no ${what}`
    : `${what}: ${names.slice(0, 8).join(", ")}${names.length > 8 ? ", …" : ""}`;

function placeFaults(entry: Entry, entries: readonly Entry[]): Fault[] {
  const place = fieldsOf(get(entry.fields, "place"));
  const path = [...entry.path, "place"];
  const all = entries.map((each) => each.name);
  const together = namesAt(place, "together_with", path);
  const apart = namesAt(place, "apart_from", path);
  const faults = [...together, ...apart]
    .filter((one) => !all.includes(one.name))
    .map((one) =>
      fault(
        one.path,
        `\`${one.name}\` is no workload of this app`,
        didYouMean(one.name, all) ?? listed(all, "workloads"),
      ),
    );
  for (const one of together) {
    if (one.name === entry.name)
      faults.push(fault(one.path, "is the workload itself", "the default `spread: pack` fills nodes"));
    if (apart.some((other) => other.name === one.name))
      faults.push(fault(one.path, `\`${one.name}\` stands in \`apart_from\` too`, "keep one"));
  }
  return faults;
}

const AFTER_KEYS = ["after", "after_any", "after_failed"] as const;

function afterFaults(entry: Entry, kinds: ReadonlyMap<string, Entry>, entries: readonly Entry[]): Fault[] {
  const candidates = entries
    .filter((each) => each.kind !== "daemon" && each.name !== entry.name)
    .map((each) => each.name);
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
            didYouMean(one.name, candidates) ?? listed(candidates, "jobs and services"),
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

/** Jobs that wait for themselves, each circle once. Its own stack, since a chain may be long. */
function cycleFaults(jobs: readonly Entry[]): Fault[] {
  const next = new Map(
    jobs.map((job) => [job.name, AFTER_KEYS.flatMap((key) => namesAt(job.fields, key, job.path))]),
  );
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
        const circle = [
          ...trail.slice(trail.findIndex((step) => step.name === edge.name)).map((step) => step.name),
          edge.name,
        ];
        faults.push(
          fault(
            edge.path,
            `\`${edge.name}\` would wait for itself: ${circle.join(" after ")}`,
            "remove one of these",
          ),
        );
      } else if (next.has(edge.name) && !state.has(edge.name)) trail.push({ name: edge.name, i: 0 });
    }
  }
  return faults;
}
