// Describes a workload as lines of "key: value" in the words of the spec file, for diffs and for people. A key without
// an entry in the tables here is written by its name and unit, so that no new key is left out.

import { formatBytes, formatCpu, formatDuration, formatGpu, formatLabelCheck } from "../core/format";
import { sayArray } from "../core/model/array";
import { shellWord } from "../core/shell";
import type {
  After,
  Command,
  IdleSettings,
  Kind,
  Place,
  PortRequest,
  ProcessLimits,
  ResourceRequest,
  RestartSettings,
  Settings,
  TaskSpec,
} from "../core/model/workload";
import { HOUSE_LIMITS } from "../core/limits";
import { effectOf, type EffectRule } from "../core/model/settings";
import { KIND_SCHEMAS } from "./schema/schema";
import { knownKeys } from "./schema/lookup";

/** The value of each key of the spec as people write it. Keys that request nothing are left out. */
export type Facts = ReadonlyMap<string, string>;

type Fact = readonly [key: string, value: string];
/** The functions that write single keys, in the order in which the keys are shown. */
type Words<T> = { readonly [K in keyof T]?: (value: Exclude<T[K], undefined>) => readonly Fact[] };

const one = (key: string, value: string | null): Fact[] => (value === null ? [] : [[key, value]]);
const listed = (key: string, values: readonly string[]): Fact[] =>
  values.length === 0 ? [] : [[key, values.join(", ")]];

const TASK: Words<TaskSpec> = {
  command: commandFacts,
  env: (env) => Object.entries(env).map(([name, value]) => [`env.${name}`, value]),
  workdir: (workdir) => one("workdir", workdir),
  activate: ({ kind, dir }) => one(`activate.${kind}`, dir),
  login: () => one("login", "true"),
  oom: (oom) => one("oom", oom),
  unix_user: (user) => one("user", user),
  limits: limitFacts,
  request: requestFacts,
  place: placeFacts,
  ports: (ports) => ports.map((port) => [`ports.${port.name}`, formatPort(port)]),
  exclusive: (exclusive) => one("exclusive", exclusive ? "true" : null),
  members: (members) => one("nodes", members > 1 ? String(members) : null),
  origin: (origin) => one("origin", origin === "run" ? "orch run" : null),
};

const SETTINGS: Words<Settings> = {
  replicas: (replicas) => one("replicas", String(replicas)),
  priority: (priority) => one("priority", String(priority)),
  labels: (labels) => Object.entries(labels).map(([key, value]) => [`labels.${key}`, value]),
  stop: (stop) => one("stop", `${stop.signal}, ${formatDuration(stop.grace_ms)}`),
  retries: (retries) => one("retries", String(retries)),
  time_limit_ms: (limit_ms) => one("time_limit", limit_ms === null ? "unlimited" : formatDuration(limit_ms)),
  after: afterFacts,
  array: (array) => one("array", sayArray(array)),
  restart: restartFacts,
  on_node_loss: (action) => one("on_node_loss", action),
  idle: (idle) => one("idle", formatIdle(idle)),
};

/**
 * Returns the keys that make a task; a difference in one of them is a new version. The facts contain the values of
 * environment variables, which diff.ts leaves out of its texts.
 */
export const taskFacts = (spec: TaskSpec): Facts => new Map(factsOf(spec, TASK));

/** Returns the settings that are changed in place, as far as the kind has them. */
export function settingsFacts(settings: Settings, kind: Kind): Facts {
  const own = new Set(knownKeys(KIND_SCHEMAS[kind]));
  const others = new Set(Object.values(KIND_SCHEMAS).flatMap(knownKeys));
  const isHere = ([key]: Fact): boolean => {
    const [top = ""] = key.split(".");
    return own.has(top) || !others.has(top);
  };
  return new Map(factsOf(settings, SETTINGS).filter(isHere));
}

/** The setting that a key of the file stands for, where it has another name. */
const FILE_KEYS: Readonly<Record<string, keyof Settings>> = {
  time_limit: "time_limit_ms",
  after_any: "after",
  after_failed: "after",
};

/** Returns how a change of a setting acts, by the key under which its value stands in the facts. Null: not known. */
export function effectOfFact(key: string): EffectRule | null {
  const [top = "", part = null] = key.split(".");
  return effectOf(FILE_KEYS[top] ?? top, part);
}

function factsOf<T extends object>(value: T, words: Words<T>): Fact[] {
  const known = Object.keys(words) as (keyof T & string)[];
  const others = (Object.keys(value) as (keyof T & string)[]).filter((key) => !known.includes(key)).toSorted();
  return [...known, ...others].flatMap((key) => {
    const part = value[key];
    if (part === undefined) return [];
    return words[key]?.(part as Exclude<T[typeof key], undefined>) ?? plainFacts(key, part);
  });
}

/** The functions that write numbers, by the unit at the end of the key. */
const UNITS: readonly (readonly [suffix: string, format: (value: number) => string])[] = [
  ["_bytes", formatBytes],
  ["_ms", formatDuration],
  ["_milli", formatCpu],
  ["_percent", (percent) => `${percent}%`],
];

/**
 * Writes a key without an entry in the tables: `{ warm_up_ms: 30000 }` becomes `warm_up: 30s`. Empty values are left
 * out.
 */
function plainFacts(key: string, value: unknown): Fact[] {
  if (value === null || value === undefined || value === false) return [];
  if (typeof value === "number") {
    const [suffix, format] = UNITS.find(([end]) => key.endsWith(end)) ?? ["", String];
    return [[key.slice(0, key.length - suffix.length), format(value)]];
  }
  if (Array.isArray(value)) {
    return listed(
      key,
      value.map((item) => (typeof item === "string" ? item : JSON.stringify(item))),
    );
  }
  if (typeof value === "object") {
    return Object.entries(value).flatMap(([inner, item]) => plainFacts(`${key}.${inner}`, item));
  }
  return [[key, String(value as string | boolean)]];
}

/** Returns a command as it was typed, with the lines of its script. */
export const commandText = (command: Command): string => commandFacts(command)[0]?.[1] ?? "";

/** Returns a command as one line. Lists have so much of it at most. */
export const commandLine = (command: Command): string => oneLine(commandText(command), HOUSE_LIMITS.command_chars);

function commandFacts(command: Command): Fact[] {
  if (command.kind === "shell") {
    return [["run", command.script.trim()], ...one("shell", command.shell === "sh" ? null : command.shell)];
  }
  return [["command", command.argv.map(shellWord).join(" ")]];
}

function limitFacts({ nofile, memlock_bytes, core_bytes, stack_bytes }: ProcessLimits): Fact[] {
  const size = (key: string, bytes: number | null | undefined): Fact[] =>
    bytes === undefined ? [] : [[`limits.${key}`, bytes === null ? "unlimited" : formatBytes(bytes)]];
  return [
    ...one("limits.nofile", nofile === undefined ? null : String(nofile)),
    ...size("memlock", memlock_bytes),
    ...size("core", core_bytes),
    ...size("stack", stack_bytes),
  ];
}

function requestFacts({ cpu_milli, memory_bytes, disk_bytes, gpu, countables }: ResourceRequest): Fact[] {
  return [
    ...one("resources.cpu", cpu_milli === null ? null : formatCpu(cpu_milli)),
    ...one("resources.memory", memory_bytes === null ? null : formatBytes(memory_bytes)),
    ...one("resources.disk", disk_bytes > 0 ? formatBytes(disk_bytes) : null),
    ...one("resources.gpu", gpu === null ? null : formatGpu(gpu)),
    ...Object.entries(countables).map(([name, count]): Fact => [`resources.${name}`, String(count)]),
  ];
}

function placeFacts(place: Place): Fact[] {
  const taints = place.tolerate.map(({ key, value }) => (value === null ? key : `${key}=${value}`));
  return [
    ...one("place.pool", place.pool),
    ...listed("place.labels", place.labels.map(formatLabelCheck)),
    ...listed("place.tolerate", taints),
    ...one("place.spread", place.strategy === "spread" ? "node" : null),
    ...listed("place.together_with", place.together_with),
    ...listed("place.apart_from", place.apart_from),
    ...listed("place.hosts", place.hosts),
  ];
}

function restartFacts({ backoff_min_ms, backoff_max_ms, attempts, offline }: RestartSettings): Fact[] {
  return [
    ["restart.backoff", `${formatDuration(backoff_min_ms)}..${formatDuration(backoff_max_ms)}`],
    ["restart.attempts", attempts === null ? "unlimited" : String(attempts)],
    ["restart.offline", String(offline)],
  ];
}

/** The conditions that each key stands for. `up` is for services, which `after` may name too. */
const AFTER_KEYS = { after: ["succeeded", "up"], after_any: ["ended"], after_failed: ["failed"] } as const;

function afterFacts(after: readonly After[]): Fact[] {
  return Object.entries(AFTER_KEYS).flatMap(([key, whens]) =>
    listed(
      key,
      whens.flatMap((when) => after.filter((each) => each.when === when)).map(({ name }) => name),
    ),
  );
}

const formatIdle = ({ gpu_below_percent, for_ms, action, only_if_wanted }: IdleSettings): string =>
  `${action} below ${gpu_below_percent}% for ${formatDuration(for_ms)}${only_if_wanted ? " if wanted" : ""}`;

function formatPort({ target, published, bind }: PortRequest): string {
  const node = published === null ? "auto" : String(published);
  return `${target === null ? node : `${node}->${target}`}${bind === "loopback" ? " (loopback)" : ""}`;
}

/** Returns a text on one line, shortened. */
export function oneLine(text: string, most = 80): string {
  const line = text.trim().replaceAll(/\s*\n\s*/g, " ⏎ ");
  return line.length > most ? `${line.slice(0, most - 1)}…` : line;
}
