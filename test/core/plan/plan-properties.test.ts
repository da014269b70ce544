// What must hold of every plan, tried on clusters that live by chance. A failure names the seed that brings it back.

import { describe, test } from "bun:test";
import { exclusiveSilence } from "../../../src/core/pass/contact";
import { isDraining } from "../../../src/core/pass/drain";
import { isFinal, RUN } from "../../../src/core/model/lifecycle";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { plan } from "../../../src/core/plan/plan";
import type { Op, Plan, Snapshot } from "../../../src/core/pass/snapshot";
import { slotKey, taskName } from "../../../src/core/model/task";
import { holdCards, holdChoices } from "../../support/card-rules";
import { printPlan } from "../../support/print-plan";
import { diceOf, type Dice } from "../../support/random";
import { cardsHeal } from "../../support/random-cards";
import { holdIdle } from "../../support/random-idle";
import { end, live, put, randomCluster, snapshotOf, type RandomCluster } from "../../support/random-cluster";

const SEEDS = 150;
const TICKS = 40;

/** Rounds of 5 s: enough for every back-off, rest and rolling replacement. */
const ROUNDS = 80;

class Broken extends Error {}

function demand(holds: boolean, what: string): void {
  if (!holds) throw new Broken(what);
}

/** Runs one life, holding every plan and every state against the rules. */
function lead(seed: number): RandomCluster {
  const dice = diceOf(seed);
  const cluster = randomCluster(dice);
  for (let tick = 0; tick < TICKS; tick++) {
    const snapshot = snapshotOf(cluster);
    const planned = plan(snapshot);
    try {
      holdOps(snapshot, planned);
      holdChoices(snapshot, planned.ops, demand);
      carryOut(cluster, planned);
      holdState(cluster.state);
      holdFixedPoint(cluster);
      if (tick % 8 === 0) holdOrder(snapshot, planned, dice);
    } catch (error) {
      throw new Error(`seed ${seed}, tick ${tick}: ${String(error)}\n${printPlan(planned, snapshot)}`, {
        cause: error,
      });
    }
    live(cluster, dice);
  }
  return cluster;
}

/** What a commit of the plan leaves behind; who was told of an idle spell is not told again. */
function carryOut(cluster: RandomCluster, { ops, changes }: Plan): void {
  put(cluster, ...changes);
  for (const op of ops) {
    const fact = op.op === "notify" ? cluster.idle.get(op.task.uid) : undefined;
    if (op.op === "notify" && fact !== undefined) cluster.idle.set(op.task.uid, { ...fact, told: true });
  }
}

// ---- what must come once nothing goes wrong any more

/** All nodes are heard, nobody changes anything, tasks do as they are told: what has room must run or be over. */
function holdConvergence(cluster: RandomCluster): void {
  heal(cluster);
  for (let round = 0; round < ROUNDS; round++) {
    carryOut(cluster, plan(snapshotOf(cluster)));
    behave(cluster);
    cluster.now_ms += 5_000;
  }
  const snapshot = snapshotOf(cluster);
  const { ops, blocked } = plan(snapshot);
  const { state } = cluster;
  const waits = new Set(blocked.map((each) => slotKey(each.owner_uid, each.slot)));
  demand(ops.length === 0, "the plan never rests");
  for (const run of state.runs.values())
    demand(waits.has(slotKey(run.uid, 0)), `run ${run.run} is ${run.state} for no reason`);
  for (const workload of state.workloads.values()) {
    demand(!workload.removing, `${workload.name} is never removed`);
    for (let slot = 0; workload.kind === "service" && slot < workload.settings.replicas; slot++) {
      if (waits.has(slotKey(workload.uid, slot))) continue;
      const tasks = [...state.tasks.values()].filter((task) => task.owner_uid === workload.uid && task.slot === slot);
      demand(tasks.length === 1, `${workload.name}.${slot} has ${tasks.length} tasks`);
      if (tasks[0]?.version !== workload.version) {
        demand(
          [...waits].some((key) => key.startsWith(workload.uid)),
          `${workload.name}.${slot} stays at an old version`,
        );
      }
    }
  }
}

function heal(cluster: RandomCluster): void {
  cluster.idle.clear();
  for (const node of cluster.state.nodes.values()) {
    cluster.contacts.set(node.id, { connected: true, silent_ms: 0 });
    put(cluster, {
      table: "nodes",
      key: node.id,
      row: { ...node, intent: "schedulable", drain: null, leaving: null, devices: cardsHeal(node.devices) },
    });
  }
}

function behave(cluster: RandomCluster): void {
  for (const task of cluster.state.tasks.values()) {
    const { state } = task.observed;
    if (task.desired === "stop") end(cluster, task, "stopped", null);
    else if (task.kind === "job" && state === "running") end(cluster, task, "succeeded", 0);
    else if (state !== "running") {
      const observed: TaskRow["observed"] =
        task.desired === "prepare"
          ? { state: "preparing", prepared: true, reason: null }
          : { state: "running", pid: 1, started_ms: cluster.now_ms };
      put(cluster, { table: "tasks", key: task.uid, row: { ...task, observed } });
    }
  }
}

// ---- rules of one plan

function holdOps(snapshot: Snapshot, { ops, blocked }: Plan): void {
  const about = new Set<string>();
  for (const op of ops) {
    if (op.op === "stop") holdIdle(snapshot, op.task, op.why, blocked.length > 0, demand);
    if (op.op === "stop" || op.op === "write_off" || op.op === "lose" || op.op === "go") {
      demand(!about.has(op.task.uid), `${taskName(op.task)} is in two operations`);
      about.add(op.task.uid);
    }
    if (op.op === "place") holdPlace(snapshot, op.task, ops);
    if (op.op === "write_off") {
      const { owner_uid, slot } = op.task;
      demand(
        ops.some((other) => other.op === "place" && other.task.owner_uid === owner_uid && other.task.slot === slot),
        `${taskName(op.task)} is written off without a replacement`,
      );
    }
    if (op.op === "run") {
      const before = snapshot.state.runs.get(op.run.uid);
      demand(
        before !== undefined && (before.state === op.run.state || RUN[before.state].to.includes(op.run.state)),
        `run ${op.run.run} goes from ${before?.state} to ${op.run.state}`,
      );
    }
  }
  holdGangs(snapshot, ops);
}

function holdPlace(snapshot: Snapshot, task: TaskRow, ops: readonly Op[]): void {
  const node = snapshot.state.nodes.get(task.node_id);
  const contact = snapshot.contacts.get(task.node_id);
  demand(
    node?.admission === "ready" && !isDraining(node) && contact?.connected === true,
    `${taskName(task)} is placed on ${task.node_id}, which cannot take it`,
  );
  demand(task.boot_id === node?.boot_id, `${taskName(task)} is for another boot`);
  const lost = ops.flatMap((op) => (op.op === "lose" && op.task.owner_uid === task.owner_uid ? [op.task.uid] : []));
  const beside = [...snapshot.state.tasks.values()].filter(
    (other) => other.owner_uid === task.owner_uid && other.slot === task.slot && !lost.includes(other.uid),
  );
  for (const other of beside)
    demand(other.grant_until < task.attempt, `${taskName(task)} uses a number of ${taskName(other)}`);
  const slot = snapshot.state.slots.get(slotKey(task.owner_uid, task.slot));
  demand((slot?.attempts ?? 0) < task.attempt, `${taskName(task)} uses a number again`);
  const writtenOff = new Set(ops.flatMap((op) => (op.op === "write_off" ? [op.task.uid] : [])));
  const alive = beside.filter((other) => other.written_off === null && !writtenOff.has(other.uid));
  demand(alive.length <= (task.kind === "service" ? 1 : 0), `${taskName(task)} is one too many`);
  if (!task.exclusive) return;
  for (const other of beside) {
    const silent = snapshot.contacts.get(other.node_id);
    const leaseOver = other.written_off !== null || (silent?.silent_ms ?? 0) >= exclusiveSilence(DEFAULT_LIMITS);
    demand(silent?.connected === false && leaseOver, `exclusive ${taskName(task)} is placed beside ${taskName(other)}`);
  }
}

function holdGangs(snapshot: Snapshot, ops: readonly Op[]): void {
  const count = (kind: "place" | "go", owner_uid: string): number =>
    ops.filter((op) => op.op === kind && op.task.owner_uid === owner_uid).length;
  for (const op of ops) {
    if (op.op !== "place" && op.op !== "go") continue;
    const { members } = snapshot.spec(op.task.spec_hash);
    if (op.task.kind !== "job") continue;
    demand(count(op.op, op.task.owner_uid) === members, `${op.op} of a part of a gang: ${taskName(op.task)}`);
    if (op.op === "place")
      demand((op.task.desired === "prepare") === members > 1, `${taskName(op.task)} starts before its gang`);
    else
      demand(
        op.task.observed.state === "preparing" && op.task.observed.prepared,
        `${taskName(op.task)} goes unprepared`,
      );
  }
}

// ---- rules of every state

function holdState(state: State): void {
  for (const node of state.nodes.values()) {
    const here = [...state.tasks.values()].filter((task) => task.node_id === node.id);
    const sum = (pick: (task: TaskRow) => number): number => here.reduce((all, task) => all + pick(task), 0);
    demand(sum((task) => task.promised.cpu_milli) <= node.capacity.cpu_milli, `${node.name} promises too many cores`);
    demand(
      sum((task) => task.promised.memory_bytes) <= node.capacity.memory_bytes,
      `${node.name} promises too much memory`,
    );
    demand(
      sum((task) => task.promised.countables["seat"] ?? 0) <= (node.capacity.countables["seat"] ?? 0),
      `${node.name} promises too many seats`,
    );
  }
  holdCards(state, demand);
  const ports = [...state.tasks.values()].flatMap((task) => {
    const machine = state.nodes.get(task.node_id)?.fingerprint ?? task.node_id;
    return task.promised.ports.map((port) => `${machine} ${port.published} ${port.bind}`);
  });
  demand(new Set(ports).size === ports.length, `a port is promised twice: ${ports.join(", ")}`);
  for (const run of state.runs.values()) {
    if (isFinal(run.state)) demand(run.finished_ms !== null, `run ${run.run} is over without a time`);
  }
}

function holdFixedPoint(cluster: RandomCluster): void {
  const snapshot = snapshotOf(cluster);
  const again = plan(snapshot);
  demand(again.ops.length === 0, `planning again does more:\n${printPlan(again, snapshot)}`);
}

function holdOrder(snapshot: Snapshot, planned: Plan, dice: Dice): void {
  const { state } = snapshot;
  const mixed: State = {
    ...state,
    nodes: shuffled(state.nodes, dice),
    workloads: shuffled(state.workloads, dice),
    runs: shuffled(state.runs, dice),
    slots: shuffled(state.slots, dice),
    tasks: shuffled(state.tasks, dice),
    ports: shuffled(state.ports, dice),
    apps: shuffled(state.apps, dice),
  };
  const other = plan({ ...snapshot, state: mixed });
  demand(
    Bun.deepEquals({ ...other, notices: [] }, { ...planned, notices: [] }),
    `another order of rows gives another plan:\n${printPlan(other, snapshot)}`,
  );
}

function shuffled<V>(rows: ReadonlyMap<string, V>, dice: Dice): Map<string, V> {
  const entries = [...rows];
  for (let n = entries.length - 1; n > 0; n--) {
    const other = dice.below(n + 1);
    [entries[n], entries[other]] = [entries[other] as [string, V], entries[n] as [string, V]];
  }
  return new Map(entries);
}

describe("plans of clusters that live by chance", () => {
  test(`${SEEDS} lives of ${TICKS} passes break no rule`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) lead(seed);
  }, 60_000);

  test("once nothing goes wrong any more, all that has room runs or is over", () => {
    for (let seed = 1_000; seed < 1_000 + SEEDS / 2; seed++) {
      const cluster = lead(seed);
      try {
        holdConvergence(cluster);
      } catch (error) {
        const snapshot = snapshotOf(cluster);
        throw new Error(`seed ${seed}: ${String(error)}\n${printPlan(plan(snapshot), snapshot)}`, { cause: error });
      }
    }
  }, 60_000);
});
