// Converts checked keys of a spec file into the names and values of the core. facts.ts does the reverse.

import { MINUTE_MS, SECOND_MS } from "../core/units";
import type {
  After,
  AppDecl,
  LabelCheck,
  Place,
  ProcessLimits,
  ResourceRequest,
  RestartSettings,
  Settings,
  TaskSpec,
  WorkloadDecl,
} from "../core/model/workload";
import type { CheckedApp, Daemon, Job, Service } from "./schema/schema";

type CheckedWorkload = Service | Job | Daemon;

/** Returns the declaration of a whole file: first services, then jobs, then daemons, each in the file's order. */
export function buildApp(app: CheckedApp): AppDecl {
  const workloads = [
    ...Object.entries(app.services).map(([name, entry]) => buildService(name, entry)),
    ...Object.entries(app.jobs).map(([name, entry]) => buildJob(name, entry, "entry", app)),
    ...Object.entries(app.daemons).map(([name, entry]) => buildDaemon(name, entry)),
  ];
  return { app: app.app, project: app.project ?? null, workloads };
}

function buildService(name: string, entry: Service): WorkloadDecl {
  return {
    name,
    kind: "service",
    spec: taskSpec(entry, "entry", 1),
    settings: {
      ...neutral(entry),
      ...idleOf(entry),
      replicas: entry.replicas,
      restart: restartOf(entry),
      on_node_loss: entry.on_node_loss,
    },
  };
}

function buildDaemon(name: string, entry: Daemon): WorkloadDecl {
  return {
    name,
    kind: "daemon",
    spec: taskSpec(entry, "entry", 1),
    settings: { ...neutral(entry), restart: restartOf(entry) },
  };
}

/**
 * Returns the declaration of a job. `app` tells services from jobs in `after`; it is null for a job of the command
 * line.
 */
export function buildJob(name: string, entry: Job, origin: TaskSpec["origin"], app: CheckedApp | null): WorkloadDecl {
  const isService = (other: string): boolean => app !== null && Object.hasOwn(app.services, other);
  const after: After[] = [
    ...entry.after.map((other): After => ({ name: other, when: isService(other) ? "up" : "succeeded" })),
    ...entry.after_any.map((other): After => ({ name: other, when: "ended" })),
    ...entry.after_failed.map((other): After => ({ name: other, when: "failed" })),
  ];
  return {
    name,
    kind: "job",
    spec: taskSpec(entry, origin, entry.nodes),
    settings: {
      ...neutral(entry),
      ...idleOf(entry),
      on_node_loss: entry.on_node_loss,
      ...(entry.on_unknown_end === "ask" ? {} : { on_unknown_end: entry.on_unknown_end }),
      retries: entry.retries,
      time_limit_ms: entry.time_limit ?? null,
      after,
      ...(entry.array === undefined ? {} : { array: entry.array }),
    },
  };
}

/** Returns the settings that every kind has, with neutral values for those that only some kinds have. */
function neutral(entry: CheckedWorkload): Settings {
  return {
    replicas: 1,
    priority: entry.priority,
    labels: entry.labels,
    stop: { signal: entry.stop.signal, grace_ms: entry.stop.grace },
    restart: { backoff_min_ms: SECOND_MS, backoff_max_ms: MINUTE_MS, attempts: null, offline: false },
    on_node_loss: "wait",
    retries: 0,
    time_limit_ms: null,
    after: [],
  };
}

function idleOf({ idle }: Service | Job): Pick<Settings, "idle"> {
  if (idle === undefined) return {};
  const { gpu_below: gpu_below_percent, for: for_ms, then: action, only_if_wanted } = idle;
  return { idle: { gpu_below_percent, for_ms, action, only_if_wanted } };
}

function restartOf({ restart, exclusive }: Service | Daemon): RestartSettings {
  return {
    backoff_min_ms: restart.backoff.min_ms,
    backoff_max_ms: restart.backoff.max_ms,
    attempts: restart.attempts === "unlimited" ? null : restart.attempts,
    offline: restart.offline ?? !exclusive,
  };
}

function taskSpec(entry: CheckedWorkload, origin: TaskSpec["origin"], members: number): TaskSpec {
  return {
    command:
      entry.command === undefined
        ? { kind: "shell", shell: entry.shell ?? "sh", script: entry.run ?? "" }
        : { kind: "argv", argv: entry.command },
    env: entry.env,
    workdir: entry.workdir ?? null,
    ...(entry.activate === undefined ? {} : { activate: entry.activate }),
    ...(entry.login ? { login: true } : {}),
    ...(entry.oom === "any" ? { oom: entry.oom } : {}),
    unix_user: entry.user ?? null,
    ...limitsOf(entry),
    request: requestOf(entry),
    origin,
    place: placeOf(entry),
    ports: Object.entries(entry.ports).map(([name, port]) => ({ name, ...port })),
    exclusive: entry.exclusive,
    members,
  };
}

function limitsOf({ limits }: CheckedWorkload): Pick<TaskSpec, "limits"> {
  const { nofile, memlock, core, stack } = limits;
  const asked: ProcessLimits = {
    ...(nofile === undefined ? {} : { nofile }),
    ...(memlock === undefined ? {} : { memlock_bytes: memlock }),
    ...(core === undefined ? {} : { core_bytes: core }),
    ...(stack === undefined ? {} : { stack_bytes: stack }),
  };
  return Object.keys(asked).length === 0 ? {} : { limits: asked };
}

function requestOf({ resources }: CheckedWorkload): ResourceRequest {
  const { cpu, memory, disk, gpu, ...countables } = resources;
  return {
    cpu_milli: cpu ?? null,
    memory_bytes: memory ?? null,
    disk_bytes: disk,
    gpu: gpu ?? null,
    countables: Object.fromEntries(Object.entries(countables).filter(([, count]) => count > 0)),
  };
}

const LINUX: LabelCheck = { key: "os", op: "in", values: ["linux"] };

function placeOf({ place }: CheckedWorkload): Place {
  const labels = place.labels.some((check) => check.key === "os") ? place.labels : [...place.labels, LINUX];
  return {
    pool: place.pool ?? null,
    labels,
    tolerate: place.tolerate,
    strategy: place.spread === "node" ? "spread" : "pack",
    together_with: place.together_with,
    apart_from: place.apart_from,
    hosts: place.hosts,
  };
}
