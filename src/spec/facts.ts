// A workload as lines of "key: value" in the words of the spec file. Diffs compare them, and people read them.

import { formatBytes, formatCpu, formatDuration, formatGpu } from "../core/format";
import type { IdleSettings, Kind, LabelCheck, PortRequest, Settings, TaskSpec } from "../core/model/workload";

/** From a key of the spec to its value as people write it. What was not asked for is left out. */
export type Facts = ReadonlyMap<string, string>;

/**
 * Returns the facts that make a task. A difference here is a new version. Values of variables are not shown, only that
 * they differ.
 */
export function taskFacts(spec: TaskSpec): Facts {
  const facts = new Map<string, string>();
  const { command, request, place } = spec;
  if (command.kind === "shell") {
    facts.set("run", oneLine(command.script));
    if (command.shell !== "sh") facts.set("shell", command.shell);
  } else
    facts.set(
      "command",
      oneLine(command.argv.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : JSON.stringify(word))).join(" ")),
    );
  for (const [name, value] of Object.entries(spec.env)) facts.set(`env.${name}`, value);
  if (spec.workdir !== null) facts.set("workdir", spec.workdir);
  if (spec.unix_user !== null) facts.set("user", spec.unix_user);
  if (request.cpu_milli !== null) facts.set("cpu", formatCpu(request.cpu_milli));
  if (request.memory_bytes !== null) facts.set("memory", formatBytes(request.memory_bytes));
  if (request.disk_bytes > 0) facts.set("disk", formatBytes(request.disk_bytes));
  if (request.gpu !== null) facts.set("gpu", formatGpu(request.gpu));
  for (const [name, count] of Object.entries(request.countables)) facts.set(name, String(count));
  if (place.pool !== null) facts.set("place.pool", place.pool);
  if (place.labels.length > 0) facts.set("place.labels", place.labels.map(formatLabelCheck).join(", "));
  if (place.tolerate.length > 0) {
    facts.set(
      "place.tolerate",
      place.tolerate.map(({ key, value }) => (value === null ? key : `${key}=${value}`)).join(", "),
    );
  }
  if (place.strategy === "spread") facts.set("place.spread", "node");
  for (const key of ["together_with", "apart_from", "hosts"] as const) {
    if (place[key].length > 0) facts.set(`place.${key}`, place[key].join(", "));
  }
  for (const port of spec.ports) facts.set(`ports.${port.name}`, formatPort(port));
  if (spec.exclusive) facts.set("exclusive", "true");
  if (spec.members > 1) facts.set("nodes", String(spec.members));
  if (spec.origin === "run") facts.set("origin", "orch run");
  return facts;
}

/** Returns the facts that are changed in place, for the keys that the kind has. */
export function settingsFacts(settings: Settings, kind: Kind): Facts {
  const facts = new Map<string, string>();
  const { stop, restart, after } = settings;
  if (kind === "service") facts.set("replicas", String(settings.replicas));
  facts.set("priority", String(settings.priority));
  for (const [key, value] of Object.entries(settings.labels)) facts.set(`labels.${key}`, value);
  facts.set("stop", `${stop.signal}, ${formatDuration(stop.grace_ms)}`);
  if (kind === "job") {
    facts.set("retries", String(settings.retries));
    facts.set("time_limit", settings.time_limit_ms === null ? "unlimited" : formatDuration(settings.time_limit_ms));
    for (const [key, when] of [
      ["after", "succeeded"],
      ["after", "up"],
      ["after_any", "ended"],
      ["after_failed", "failed"],
    ] as const) {
      const names = after.filter((one) => one.when === when).map((one) => one.name);
      const known = facts.get(key);
      if (names.length > 0) facts.set(key, [...(known === undefined ? [] : [known]), ...names].join(", "));
    }
  } else {
    facts.set(
      "restart.backoff",
      `${formatDuration(restart.backoff_min_ms)}..${formatDuration(restart.backoff_max_ms)}`,
    );
    facts.set("restart.attempts", restart.attempts === null ? "unlimited" : String(restart.attempts));
    facts.set("restart.offline", String(restart.offline));
  }
  if (kind !== "daemon") facts.set("on_node_loss", settings.on_node_loss);
  if (settings.idle !== undefined) facts.set("idle", formatIdle(settings.idle));
  return facts;
}

const formatIdle = ({ gpu_below_percent, for_ms, action, only_if_wanted }: IdleSettings): string =>
  `${action} below ${gpu_below_percent}% for ${formatDuration(for_ms)}${only_if_wanted ? " if wanted" : ""}`;

/** Formats an expression on a label as a spec file takes it. */
export function formatLabelCheck(check: LabelCheck): string {
  const { key, op, values } = check;
  if (op === "exists") return key;
  if (op === "absent") return `!${key}`;
  if (values.length === 1) return `${key}${op === "in" ? "=" : "!="}${values[0]}`;
  return `${key} ${op === "in" ? "in" : "notin"} (${values.join(", ")})`;
}

function formatPort({ target, published, bind }: PortRequest): string {
  const node = published === null ? "auto" : String(published);
  return `${target === null ? node : `${node}->${target}`}${bind === "loopback" ? " (loopback)" : ""}`;
}

/** Returns a text on one line, shortened. */
function oneLine(text: string): string {
  const line = text.trim().replaceAll(/\s*\n\s*/g, " ⏎ ");
  return line.length > 80 ? `${line.slice(0, 79)}…` : line;
}
