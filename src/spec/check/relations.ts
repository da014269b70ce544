// Faults between values: keys that contradict each other, names that lead nowhere, work that waits for itself. The
// values are examined as they were written, so that these faults are found even in a file with other errors.

import { formatBytes } from "../../core/format";
import type { Kind } from "../../core/model/workload";
import { cardFaults } from "./card-relations";
import { fault, type Fault } from "../read/fault";
import { fieldsOf, get, has, NONE, type Fields } from "./fields";
import type { Path } from "../issue";
import { ASK_LIMITS } from "../limits";
import { AFTER_KEYS, referenceFaults, type WrittenWorkload } from "./references";

const KIND_OF: Readonly<Record<string, Kind>> = { services: "service", jobs: "job", daemons: "daemon" };

/** Returns the faults between the parts of a whole file. */
export function appFaults(value: unknown): Fault[] {
  const top = fieldsOf(value);
  const groups = Object.entries(KIND_OF).map(([group, kind]) => ({ group, kind, given: get(top, group) }));
  const entries = groups.flatMap(({ group, kind, given }) =>
    Object.entries(fieldsOf(given)).map(([name, entry]): WrittenWorkload => ({
      name,
      kind,
      path: [group, name],
      fields: fieldsOf(entry),
    })),
  );
  const unread = groups.some(({ given }) => given !== undefined && fieldsOf(given) === NONE);
  if (entries.length === 0 && !unread) {
    return [fault([], "declares no workload", "add `services`, `jobs` or `daemons`; `orch rm APP` removes an app")];
  }
  const written = entries.filter((entry) => entry.fields !== NONE);
  return [
    ...doubleNames(entries),
    ...written.flatMap((entry) => workloadFaults(entry.fields, entry.path)),
    ...referenceFaults(entries),
  ];
}

function doubleNames(entries: readonly WrittenWorkload[]): Fault[] {
  const kinds = new Map<string, Kind>();
  return entries.flatMap(({ name, kind, path }) => {
    const other = kinds.get(name);
    if (other === undefined) kinds.set(name, kind);
    const message = `\`${name}\` is the name of a ${other} too`;
    return other === undefined ? [] : [fault(path, message, "names are unique in an app", "key")];
  });
}

/** Returns the faults between the keys of one workload. */
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
  if (has(fields, "idle") && !has(fieldsOf(get(fields, "resources")), "gpu")) {
    faults.push(
      fault([...path, "idle"], "is about cards, and none is asked for", "add `resources: { gpu: 1 }`", "key"),
    );
  }
  return [
    ...faults,
    ...countFaults(fields, path),
    ...argumentFaults(fields, path),
    ...waitFaults(fields, path),
    ...arrayFaults(fields, path),
    ...cardFaults(fields, path),
    ...portFaults(fields, path),
  ];
}

/** What is larger could be started on no node: the kernel refuses it as one argument. */
function argumentFaults(fields: Fields, path: Path): Fault[] {
  const most = ASK_LIMITS.argument_bytes;
  const words = Array.isArray(get(fields, "command")) ? (get(fields, "command") as unknown[]) : [];
  return [[...path, "run"], ...words.map((_, i) => [...path, "command", i])].flatMap((at, i) => {
    const text = i === 0 ? get(fields, "run") : words[i - 1];
    const bytes = typeof text === "string" ? byteLength(text) : 0;
    const message = `has ${bytes} bytes, and an argument of a command has at most ${formatBytes(most)}`;
    return bytes <= most ? [] : [fault(at, message, "put it into a file that the nodes have")];
  });
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
      fault([...path, "env"], `holds ${bytes} bytes, more than ${ASK_LIMITS.env_bytes}`, "put large texts into files"),
    );
  }
  return faults;
}

/** Each wait is a part of the run's row, which is written again with each end that it waits for. */
function waitFaults(fields: Fields, path: Path): Fault[] {
  const counts = AFTER_KEYS.map((key) => [key, lengthOf(get(fields, key))] as const);
  const sum = counts.reduce((total, [, count]) => total + count, 0);
  if (sum <= ASK_LIMITS.after_count) return [];
  const key = counts.find(([, count]) => count > 0)?.[0] ?? "after";
  const message = `the job waits for ${sum} others, more than ${ASK_LIMITS.after_count}`;
  return [fault([...path, key], message, "let a job between wait for some of them")];
}

/** An element is one process on one node, of which many run at once. */
function arrayFaults(fields: Fields, path: Path): Fault[] {
  if (!has(fields, "array")) return [];
  const at = [...path, "array"];
  const faults: Fault[] = [];
  if (get(fields, "exclusive") === true) {
    faults.push(fault(at, "contradicts `exclusive: true`", "one element after the other is `array: 0-99%1`"));
  }
  const nodes = get(fields, "nodes");
  if (typeof nodes === "number" && nodes > 1) {
    faults.push(fault(at, `contradicts \`nodes: ${nodes}\`: an element runs on one node`, "remove one of them"));
  }
  const [port] = Object.keys(fieldsOf(get(fields, "ports")));
  if (port !== undefined) {
    faults.push(
      fault([...path, "ports", port], "is a port of a job with `array`, whose elements have none", "remove it", "key"),
    );
  }
  return faults;
}

const lengthOf = (value: unknown): number => (Array.isArray(value) ? value.length : 0);

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
