// Builds rows for tests, complete and consistent from a few words, so that every test states only what it is about.

import type { ElementPage } from "../../src/core/model/array";
import type { TaskFinal } from "../../src/core/model/end";
import { digest128 } from "../../src/core/fresh";
import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import { PLAIN_DEVICE, type NodeDevice } from "../../src/core/model/device";
import type { ClusterRow, RestingPort, State, TokenRow, UserRow } from "../../src/core/model/rows-state";
import type { AppRow, RunRow, SlotRow, TaskEnd, WorkloadRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeFacts, NodeRow } from "../../src/core/model/rows-node";
import type { Promised } from "../../src/core/model/promised";
import { identityOf } from "../../src/core/model/new-task";
import { emptySlot } from "../../src/core/pass/slot";
import type { ContactFact, PlanLimits, Snapshot } from "../../src/core/pass/snapshot";
import { ownersOf } from "./users";
import { GIB, type Ms } from "../../src/core/units";
import type {
  GpuRequest,
  Place,
  ResourceRequest,
  RestartSettings,
  Settings,
  StopSettings,
  TaskSpec,
} from "../../src/core/model/workload";

export const NOW_MS: Ms = 1_800_000_000_000;
export const SEED = digest128("seed");
export const BOOT = "boot-1";

export const uidOf = (text: string): string => digest128(text);
export const buildRequest = (part: Partial<ResourceRequest> = {}): ResourceRequest => ({
  cpu_milli: null,
  memory_bytes: null,
  disk_bytes: 0,
  gpu: null,
  countables: {},
  ...part,
});

export const buildGpu = (part: Partial<GpuRequest> = {}): GpuRequest => ({
  count: 1,
  models: [],
  vendor: null,
  memory_min_bytes: null,
  memory_max_bytes: null,
  ...part,
});

export const buildPlace = (part: Partial<Place> = {}): Place => ({
  pool: null,
  labels: [],
  tolerate: [],
  strategy: "pack",
  together_with: [],
  apart_from: [],
  hosts: [],
  ...part,
});

type SpecPart = Partial<Omit<TaskSpec, "request" | "place">> & {
  request?: Partial<ResourceRequest>;
  place?: Partial<Place>;
};

export const buildSpec = (part: SpecPart = {}): TaskSpec => ({
  command: { kind: "shell", shell: "sh", script: "true" },
  env: {},
  workdir: null,
  unix_user: null,
  origin: "entry",
  ports: [],
  exclusive: false,
  members: 1,
  ...part,
  request: buildRequest(part.request),
  place: buildPlace(part.place),
});

type SettingsPart = Partial<Omit<Settings, "restart" | "stop">> & {
  restart?: Partial<RestartSettings>;
  stop?: Partial<StopSettings>;
};

export const buildSettings = (part: SettingsPart = {}): Settings => ({
  replicas: 1,
  priority: 0,
  labels: {},
  on_node_loss: "replace",
  retries: 0,
  time_limit_ms: null,
  after: [],
  ...part,
  stop: { signal: "TERM", grace_ms: 10_000, ...part.stop },
  restart: { backoff_min_ms: 1_000, backoff_max_ms: 60_000, attempts: null, offline: false, ...part.restart },
});

export const buildCluster = (part: Partial<ClusterRow> = {}): ClusterRow => ({
  cluster_id: uidOf("cluster"),
  timeline: uidOf("timeline"),
  epoch: 1,
  revision: 10,
  next_run: 1,
  next_ordinal: 1,
  at_ms: NOW_MS,
  recovering: null,
  ...part,
});

type NodePart = Partial<Omit<NodeRow, "facts" | "capacity">> & {
  facts?: Partial<NodeFacts>;
  capacity?: Partial<NodeRow["capacity"]>;
};

/** Builds a ready, connected node with 8 cores, 32 GiB of memory and 100 GiB of disk. Its id is its name. */
export const buildNode = (name: string, part: NodePart = {}): NodeRow => ({
  id: name,
  name,
  ordinal: 1 + (Number.parseInt(uidOf(name).slice(0, 4), 16) % 1000),
  public_key: uidOf(`key ${name}`),
  fingerprint: `machine-${name}`,
  pool: "default",
  labels: {},
  taints: [],
  admission: "ready",
  intent: "schedulable",
  contact: "connected",
  contact_ms: NOW_MS - 3_600_000,
  drain: null,
  leaving: null,
  flags: null,
  reason: null,
  boot_id: BOOT,
  agent_version: "0.1.0",
  devices: [],
  orphans: [],
  joined_ms: NOW_MS - 7_200_000,
  testing: null,
  tests: null,
  joined_by: null,
  pending: null,
  rebound: null,
  renewed_ms: null,
  ...part,
  facts: {
    os: "linux",
    arch: "x64",
    hostname: name,
    kernel: "6.1",
    cpu_model: "cpu",
    memory_bytes: 32 * GIB,
    address: "10.0.0.1",
    cgroups: "v2",
    takes_arrays: true,
    cgroups_detail: null,
    limits: null,
    accounts: "existing",
    unix_user: "root",
    ...part.facts,
  },
  capacity: { cpu_milli: 8_000, memory_bytes: 32 * GIB, disk_bytes: 100 * GIB, countables: {}, ...part.capacity },
});

export const buildDevice = (id: string, part: Partial<NodeDevice> = {}): NodeDevice => ({
  ...PLAIN_DEVICE,
  id,
  vendor: "nvidia",
  model: "NVIDIA GeForce RTX 4090",
  memory_bytes: 24 * GIB,
  state_ms: NOW_MS - 3_600_000,
  ...part,
});

/** Builds an app with its name as uid. */
export const buildApp = (name: string, part: Partial<AppRow> = {}): AppRow => ({
  uid: uidOf(name),
  project: "lab",
  name,
  text: "",
  revision: 1,
  changed_by: "alice",
  changed_ms: NOW_MS - 60_000,
  removing: false,
  ...part,
});

type WorkloadPart = Partial<Omit<WorkloadRow, "settings">> & { settings?: SettingsPart };

/** Builds the workload `app.name`, a service unless stated otherwise. */
export function buildWorkload(app: string, name: string, spec_hash: string, part: WorkloadPart = {}): WorkloadRow {
  return {
    uid: uidOf(`${app}.${name}`),
    app_uid: uidOf(app),
    project: "lab",
    app,
    name,
    kind: "service",
    version: 1,
    spec_hash,
    user: "alice",
    last_run: null,
    wanted: null,
    without: null,
    removing: false,
    ...part,
    settings: buildSettings(part.settings),
  };
}

type RunPart = Partial<Omit<RunRow, "settings">> & { settings?: SettingsPart };

/** Builds a queued run of `orch run`. Parts of a workload make it a run of an app's job. */
export function buildRun(run: number, spec_hash: string, part: RunPart = {}): RunRow {
  return {
    uid: uidOf(`run ${run}`),
    run,
    name: `job-${run}`,
    project: "lab",
    user: "alice",
    app_uid: null,
    app: null,
    workload_uid: null,
    version: 1,
    spec_hash,
    state: "queued",
    reason: null,
    after: [],
    cancel: null,
    stdin: null,
    created_ms: NOW_MS - 1_000,
    started_ms: null,
    finished_ms: null,
    exit_code: null,
    signal: null,
    cause: null,
    waited_for: null,
    array: null,
    ...part,
    settings: buildSettings({ on_node_loss: "wait", ...part.settings }),
  };
}

export const buildPromised = (part: Partial<Promised> = {}): Promised => ({
  cpu_milli: 100,
  memory_bytes: 256 * 1024 * 1024,
  disk_bytes: 0,
  countables: {},
  memory_limited: false,
  devices: [],
  ports: [],
  ...part,
});

type TaskPart = Partial<Omit<TaskRow, "promised">> & { promised?: Partial<Promised> };

/** Builds a task of a workload or run on a node, running for a minute unless stated otherwise. */
export function buildTask(owner: WorkloadRow | RunRow, node_id: string, part: TaskPart = {}): TaskRow {
  const { slot = 0, member = 0, attempt = 1, version = owner.version } = part;
  return {
    uid: uidOf(`${owner.uid} ${slot} ${member} ${attempt} ${version}`),
    ...identityOf(owner, { slot, member, attempt }),
    node_id,
    boot_id: BOOT,
    desired: "run",
    stop: null,
    grant_until: attempt,
    written_off: null,
    batch: null,
    heir_of: null,
    unix_user: "alice",
    exclusive: false,
    created_ms: NOW_MS - 61_000,
    assigned_revision: 5,
    observed: { state: "running", pid: 100, started_ms: NOW_MS - 60_000 },
    ...part,
    promised: buildPromised(part.promised),
  };
}

/** Builds the slot of a task, as placing the task leaves it. */
export function buildSlot({ owner_uid, slot, grant_until }: TaskRow, part: Partial<SlotRow> = {}): SlotRow {
  return { ...emptySlot(owner_uid, slot), attempts: grant_until, ...part };
}

export const buildEnd = (task: TaskRow, part: Partial<TaskEnd> = {}): TaskEnd => ({
  uid: task.uid,
  version: task.version,
  attempt: task.attempt,
  member: task.member,
  node_id: task.node_id,
  state: "failed",
  reason: null,
  exit_code: 1,
  signal: null,
  at_ms: NOW_MS - 1_000,
  ...part,
});

/** Builds an end that arrived just now. */
export const buildFinal = (part: Partial<TaskFinal> = {}): TaskFinal => ({
  state: "failed",
  started_ms: null,
  finished_ms: NOW_MS,
  exit_code: 1,
  signal: null,
  reason: null,
  peak_memory_bytes: null,
  tail: null,
  ...part,
});

export interface StateParts {
  cluster?: Partial<ClusterRow>;
  nodes?: readonly NodeRow[];
  apps?: readonly AppRow[];
  workloads?: readonly WorkloadRow[];
  runs?: readonly RunRow[];
  slots?: readonly SlotRow[];
  tasks?: readonly TaskRow[];
  elements?: readonly ElementPage[];
  ports?: readonly RestingPort[];
  users?: readonly UserRow[];
  tokens?: readonly TokenRow[];
}

const keyed = <T>(rows: readonly T[] | undefined, key: (row: T) => string): Map<string, T> =>
  new Map((rows ?? []).map((row) => [key(row), row]));

/** Builds the live state with some rows. Missing apps of workloads, slots of tasks, and owners of all are added. */
export function buildState(parts: StateParts): State {
  const apps = keyed(parts.apps, (row) => row.uid);
  for (const workload of parts.workloads ?? []) {
    if (!apps.has(workload.app_uid)) apps.set(workload.app_uid, buildApp(workload.app, { project: workload.project }));
  }
  const slots = keyed(parts.slots, (row) => row.key);
  for (const task of parts.tasks ?? []) {
    const slot = buildSlot(task);
    const known = slots.get(slot.key);
    if (known === undefined || known.attempts < slot.attempts)
      slots.set(slot.key, { ...slot, ...known, attempts: slot.attempts });
  }
  return {
    cluster: buildCluster(parts.cluster),
    apps,
    slots,
    nodes: keyed(parts.nodes, (row) => row.id),
    workloads: keyed(parts.workloads, (row) => row.uid),
    runs: keyed(parts.runs, (row) => row.uid),
    tasks: keyed(parts.tasks, (row) => row.uid),
    elements: keyed(parts.elements, (row) => row.key),
    ports: keyed(parts.ports, (row) => row.key),
    users: keyed(parts.users ?? ownersOf(parts.workloads, parts.runs, parts.tasks), (row) => row.name),
    tokens: keyed(parts.tokens, (row) => row.id),
  };
}

export interface SnapshotParts {
  specs?: Readonly<Record<string, TaskSpec>>;
  /** Silence by node id. Nodes that are not named were heard just now. Null: never since the server started. */
  silent_ms?: Readonly<Record<string, Ms | null>>;
  listening_ms?: Ms;
  idle?: Readonly<Record<string, Ms>>;
  now_ms?: Ms;
  seed?: string;
  limits?: Partial<PlanLimits>;
}

/** Builds what the planner sees. Every node is heard unless it is named silent; unknown specs are the plain one. */
export function buildSnapshot(state: State, parts: SnapshotParts = {}): Snapshot {
  const contacts = new Map<string, ContactFact>();
  for (const id of state.nodes.keys()) {
    const silent = parts.silent_ms?.[id];
    if (silent === undefined) contacts.set(id, { connected: true, silent_ms: 0 });
    else if (silent !== null) contacts.set(id, { connected: false, silent_ms: silent });
  }
  const plain = buildSpec();
  return {
    state,
    spec: (hash) => parts.specs?.[hash] ?? plain,
    contacts,
    listening_ms: parts.listening_ms ?? 3_600_000,
    idle: new Map(Object.entries(parts.idle ?? {}).map(([uid, idle_ms]) => [uid, { idle_ms, told: false }])),
    now_ms: parts.now_ms ?? NOW_MS,
    seed: parts.seed ?? SEED,
    limits: { ...DEFAULT_LIMITS, ...parts.limits },
  };
}
