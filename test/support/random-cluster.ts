// A random cluster: people change what they want, nodes come and go, tasks move on and end. It has the planner's view
// only (no messages), so that thousands of states can be planned in a second. test/sim has the rest.

import { withChanges } from "../../src/core/plan/changes";
import { digest128, successorUid } from "../../src/core/fresh";
import type { ContactFact, IdleFact, Snapshot } from "../../src/core/pass/snapshot";
import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import type { Change, State } from "../../src/core/model/rows-state";
import type { RunRow, WorkloadRow } from "../../src/core/model/rows-work";
import type { TaskFinal } from "../../src/core/model/end";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { NodeRow } from "../../src/core/model/rows-node";
import { restingPorts } from "../../src/core/intake/ends";
import { slotAfterEnd } from "../../src/core/pass/slot";
import { slotKey } from "../../src/core/model/task";
import { GIB, type Ms } from "../../src/core/units";
import { TAINT_EFFECTS, type TaskSpec } from "../../src/core/model/workload";
import { buildFinal, buildNode, buildRun, buildSpec, buildState, buildWorkload, NOW_MS, uidOf } from "./build";
import type { Dice } from "./random";
import { cardsLive, randomCards, randomGpu } from "./random-cards";
import { idleLives, randomIdle } from "./random-idle";

export interface RandomCluster {
  state: State;
  now_ms: Ms;
  readonly specs: Map<string, TaskSpec>;
  readonly contacts: Map<string, { connected: boolean; silent_ms: Ms }>;
  readonly idle: Map<string, IdleFact>;
  runs: number;
  passes: number;
}

const GIB_1 = GIB;

export function randomSpec(dice: Dice, kind: WorkloadRow["kind"]): TaskSpec {
  const gpu = dice.chance(0.35) ? randomGpu(dice) : null;
  const auto = { name: "http", target: null, published: null, bind: "cluster" as const };
  const fixed = { name: "admin", target: null, published: 9000, bind: dice.pick(["cluster", "loopback"] as const) };
  return buildSpec({
    origin: kind === "job" ? "run" : "entry",
    exclusive: kind === "service" && dice.chance(0.2),
    members: kind === "job" && dice.chance(0.3) ? 2 : 1,
    ports: [...(dice.chance(0.3) ? [auto] : []), ...(dice.chance(0.2) ? [fixed] : [])],
    request: {
      gpu,
      cpu_milli: dice.chance(0.5) ? 500 * (1 + dice.below(6)) : null,
      memory_bytes: dice.chance(0.5) ? GIB_1 * (1 + dice.below(4)) : null,
      countables: dice.chance(0.1) ? { seat: 1 } : {},
    },
    place: {
      strategy: dice.pick(["pack", "spread"] as const),
      apart_from: dice.chance(0.15) ? ["w0"] : [],
      together_with: dice.chance(0.1) ? ["w1"] : [],
      labels: dice.chance(0.15) ? [{ key: "zone", op: "in", values: ["a"] }] : [],
      tolerate: dice.chance(0.3) ? [{ key: "team", value: null }] : [],
    },
  });
}

function randomNode(dice: Dice, n: number): NodeRow {
  return buildNode(`n${n}`, {
    ordinal: n + 1,
    labels: { zone: dice.pick(["a", "b"]) },
    fingerprint: `machine-${dice.below(n + 1)}`,
    taints: dice.chance(0.15) ? [{ key: "team", value: "x", effect: dice.pick(TAINT_EFFECTS) }] : [],
    devices: dice.chance(0.5) ? randomCards(dice, `n${n}`) : [],
    capacity: {
      cpu_milli: 1_000 * (1 + dice.below(8)),
      memory_bytes: GIB_1 * (2 + dice.below(16)),
      countables: dice.chance(0.3) ? { seat: 1 } : {},
    },
  });
}

export function randomCluster(dice: Dice): RandomCluster {
  const specs = new Map<string, TaskSpec>();
  const nodes = Array.from({ length: 1 + dice.below(6) }, (_, n) => randomNode(dice, n));
  const workloads = Array.from({ length: 1 + dice.below(4) }, (_, n) => {
    const kind = dice.pick(["service", "service", "daemon", "job"] as const);
    const hash = `w${n} v1`;
    specs.set(hash, randomSpec(dice, kind));
    return buildWorkload("app", `w${n}`, hash, {
      kind,
      settings: {
        replicas: dice.below(4),
        priority: dice.below(3),
        ...(kind === "daemon" ? {} : randomIdle(dice)),
        on_node_loss: dice.pick(["replace", "wait"] as const),
        restart: { offline: dice.chance(0.5), attempts: dice.chance(0.2) ? 2 : null },
      },
    });
  });
  const contacts = new Map(nodes.map((node) => [node.id, { connected: true, silent_ms: 0 }]));
  return {
    state: buildState({ nodes, workloads }),
    now_ms: NOW_MS,
    specs,
    contacts,
    idle: new Map(),
    runs: 0,
    passes: 0,
  };
}

export function snapshotOf(cluster: RandomCluster, state: State = cluster.state): Snapshot {
  const contacts = new Map<string, ContactFact>([...cluster.contacts].map(([id, contact]) => [id, { ...contact }]));
  return {
    state,
    spec: (hash) => cluster.specs.get(hash) as TaskSpec,
    contacts,
    listening_ms: 3_600_000,
    idle: new Map(cluster.idle),
    now_ms: cluster.now_ms,
    seed: digest128(`pass ${cluster.passes++}`),
    limits: DEFAULT_LIMITS,
  };
}

export const put = (cluster: RandomCluster, ...changes: Change[]): void => {
  cluster.state = withChanges(cluster.state, changes);
};

const putNode = (cluster: RandomCluster, row: NodeRow): void => put(cluster, { table: "nodes", key: row.id, row });

// ---- what may happen

/** Lets some of everything happen that can happen between two passes. */
export function live(cluster: RandomCluster, dice: Dice): void {
  for (const [id, contact] of cluster.contacts) liveNode(cluster, dice, id, contact);
  const elapsed = dice.pick([0, 100, 1_000, 5_000, 30_000, 120_000]);
  cluster.now_ms += elapsed;
  for (const contact of cluster.contacts.values()) if (!contact.connected) contact.silent_ms += elapsed;
  for (const task of cluster.state.tasks.values()) {
    if (cluster.contacts.get(task.node_id)?.connected === true && dice.chance(0.5)) liveTask(cluster, dice, task);
  }
  idleLives(dice, cluster.idle, cluster.state.tasks.values(), elapsed);
  people(cluster, dice);
}

function liveNode(
  cluster: RandomCluster,
  dice: Dice,
  id: string,
  contact: { connected: boolean; silent_ms: Ms },
): void {
  const node = cluster.state.nodes.get(id);
  if (node === undefined) return;
  if (dice.chance(0.07)) {
    contact.connected = !contact.connected;
    contact.silent_ms = 0;
  }
  if (dice.chance(0.03)) {
    const draining = node.intent === "schedulable";
    const deadline_ms = dice.chance(0.5) ? cluster.now_ms + 60_000 : null;
    putNode(cluster, {
      ...node,
      intent: draining ? "draining" : "schedulable",
      drain: draining ? { since_ms: cluster.now_ms, deadline_ms, by: "alice", reason: null } : null,
    });
  }
  if (contact.connected && dice.chance(0.03)) leaves(cluster, dice, cluster.state.nodes.get(id) ?? node);
  if (contact.connected && dice.chance(0.02)) reboot(cluster, cluster.state.nodes.get(id) ?? node);
  if (contact.connected && node.devices.length > 0 && dice.chance(0.3)) {
    const now = cluster.state.nodes.get(id) ?? node;
    putNode(cluster, { ...now, devices: cardsLive(dice, now.devices) });
  }
  if (!contact.connected && dice.chance(0.02) && cluster.state.nodes.size > 1) {
    put(cluster, { table: "nodes", key: id, row: null });
    cluster.contacts.delete(id);
  }
}

/** Lets the node's own agent say that it leaves, or stays after all. */
function leaves(cluster: RandomCluster, dice: Dice, node: NodeRow): void {
  const deadline_ms = dice.chance(0.7) ? cluster.now_ms + dice.pick([10_000, 120_000]) : null;
  const leaving =
    node.leaving === null ? { since_ms: cluster.now_ms, deadline_ms, gone: dice.chance(0.7), why: "notice" } : null;
  putNode(cluster, { ...node, leaving });
}

function reboot(cluster: RandomCluster, node: NodeRow): void {
  putNode(cluster, { ...node, boot_id: digest128(`${node.boot_id} again`) });
  for (const task of cluster.state.tasks.values()) {
    if (task.node_id === node.id) end(cluster, task, "lost", null);
  }
}

/** Takes one step of one task: to running, to an end of its own, or to the end that was ordered. */
export function liveTask(cluster: RandomCluster, dice: Dice, task: TaskRow): void {
  const { state } = task.observed;
  if (task.desired === "stop") {
    if (dice.chance(0.7)) end(cluster, task, dice.chance(0.1) ? "succeeded" : "stopped", null);
  } else if (dice.chance(0.05)) {
    end(cluster, task, state === "running" ? "failed" : "rejected", state === "running" ? 1 : null);
  } else if (task.desired === "prepare") {
    putTask(cluster, { ...task, observed: { state: "preparing", prepared: dice.chance(0.8), reason: null } });
  } else if (state !== "running") {
    putTask(cluster, { ...task, observed: { state: "running", pid: 1, started_ms: cluster.now_ms } });
  } else if (dice.chance(task.kind === "job" ? 0.3 : 0.1)) {
    const failed = dice.chance(0.4);
    end(cluster, task, failed ? "failed" : "succeeded", failed ? 3 : 0);
  }
}

const putTask = (cluster: RandomCluster, row: TaskRow): void => put(cluster, { table: "tasks", key: row.uid, row });

/**
 * Does what the server's intake does with an end: removes the task from the live state, notes its end on the slot, and
 * goes on under the grant.
 */
export function end(cluster: RandomCluster, task: TaskRow, state: TaskFinal["state"], exit_code: number | null): void {
  put(cluster, { table: "tasks", key: task.uid, row: null });
  const settings = (cluster.state.runs.get(task.owner_uid) ?? cluster.state.workloads.get(task.owner_uid))?.settings;
  const continues = task.grant_until > task.attempt && task.desired !== "stop" && state === "failed";
  if (!continues)
    put(cluster, ...restingPorts(task, { state: "stopped", reason: null }, cluster.now_ms, DEFAULT_LIMITS));
  if (settings !== undefined && (task.written_off === null || state === "succeeded")) {
    const ran = task.observed.state === "running" ? cluster.now_ms - task.observed.started_ms : 0;
    const key = slotKey(task.owner_uid, task.slot);
    const row = slotAfterEnd(
      cluster.state.slots.get(key) ?? null,
      task,
      buildFinal({ state, exit_code, started_ms: cluster.now_ms - ran, finished_ms: cluster.now_ms }),
      settings,
      DEFAULT_LIMITS,
    );
    put(cluster, {
      table: "slots",
      key,
      row: continues ? { ...row, attempts: Math.max(row.attempts, task.grant_until) } : row,
    });
  }
  if (continues) {
    const attempt = task.attempt + 1;
    putTask(cluster, {
      ...task,
      uid: successorUid(task.uid, attempt),
      attempt,
      observed: { state: "preparing", prepared: false, reason: null },
    });
  }
}

function people(cluster: RandomCluster, dice: Dice): void {
  for (const workload of cluster.state.workloads.values()) {
    if (workload.removing) continue;
    if (dice.chance(0.04)) newVersion(cluster, dice, workload);
    else if (dice.chance(0.03))
      putWorkload(cluster, { ...workload, settings: { ...workload.settings, replicas: dice.below(5) } });
    else if (dice.chance(0.01)) putWorkload(cluster, { ...workload, removing: true });
  }
  if (dice.chance(0.2)) submit(cluster, dice);
  for (const run of cluster.state.runs.values()) {
    if (run.cancel === null && dice.chance(0.02)) {
      put(cluster, { table: "runs", key: run.uid, row: { ...run, cancel: { at_ms: cluster.now_ms, by: "alice" } } });
    }
  }
}

const putWorkload = (cluster: RandomCluster, row: WorkloadRow): void =>
  put(cluster, { table: "workloads", key: row.uid, row });

function newVersion(cluster: RandomCluster, dice: Dice, workload: WorkloadRow): void {
  const version = workload.version + 1;
  const spec_hash = `${workload.name} v${version}`;
  cluster.specs.set(spec_hash, randomSpec(dice, workload.kind));
  putWorkload(cluster, { ...workload, version, spec_hash });
}

function submit(cluster: RandomCluster, dice: Dice): void {
  const run = ++cluster.runs;
  const spec_hash = `run ${run}`;
  cluster.specs.set(spec_hash, randomSpec(dice, "job"));
  const jobs = [...cluster.state.workloads.values()].filter(
    (workload) => workload.kind === "job" && !workload.removing,
  );
  const job = jobs.length > 0 && dice.chance(0.4) ? dice.pick(jobs) : null;
  const targets = [...cluster.state.runs.values()];
  const services = [...cluster.state.workloads.values()].filter((workload) => workload.kind === "service");
  const after: RunRow["after"][number][] = [];
  if (targets.length > 0 && dice.chance(0.4)) {
    after.push({
      name: "it",
      uid: dice.pick(targets).uid,
      when: dice.pick(["succeeded", "ended", "failed"] as const),
      met: null,
    });
  }
  if (services.length > 0 && dice.chance(0.2))
    after.push({ name: "it", uid: dice.pick(services).uid, when: "up", met: null });
  const row = buildRun(run, spec_hash, {
    uid: uidOf(`run ${run}`),
    after,
    state: after.length > 0 ? "waiting" : "queued",
    settings: {
      ...randomIdle(dice),
      retries: dice.below(3),
      priority: dice.below(3),
      on_node_loss: dice.pick(["wait", "requeue"] as const),
    },
    ...(job === null
      ? {}
      : { name: `${job.app}.${job.name}`, app: job.app, app_uid: job.app_uid, workload_uid: job.uid }),
  });
  put(cluster, { table: "runs", key: row.uid, row });
}
