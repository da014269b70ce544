// The second phase: no new faults, and a part of what is broken stays broken for ever. Everything else must come to
// rest: what is wanted runs, what is not wanted is gone, and whatever waits has a reason.

import { ambushPeace } from "./ambush";
import { plan } from "../../src/core/plan/plan";
import type { Plan } from "../../src/core/pass/snapshot";
import type { Assignment } from "../../src/core/model/record";
import { isFinal } from "../../src/core/model/lifecycle";
import type { State } from "../../src/core/model/rows-state";
import type { RunRow, WorkloadRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import { slotKey, taskName } from "../../src/core/model/task";
import { isHeldBack } from "../../src/core/pass/crashes";
import { putCardsRight } from "./cards";
import { makeDirectories } from "./directories";
import { SIM_LIMITS } from "./limits";
import { slotsAsked } from "./wanted";
import type { Machine } from "./machine";
import { answer, asking } from "./answers";
import { forget, isMissing, resumeAll, testAgain } from "./operators";
import { bootAgent, bootServer, crashAgent } from "./processes";
import type { World } from "./world";

/** How long a world may take to come to rest, and how often it is examined. */
export const SETTLE_MS = 600_000;
const LOOK_EVERY_MS = 15_000;

/** Ends all faults except those of a random part of the machines. */
export function calmDown(world: World): void {
  const { troubles } = world.dice;
  world.trace.note("calm");
  world.calm = true;
  world.slowCommits = false;
  world.network.heal();
  for (const back of world.undo.splice(0)) back();
  if (world.server !== null) world.host.wake(world.server.owner);
  bootServer(world);
  for (const machine of world.machines) {
    world.network.mend(machine.id);
    if (world.dice.company.chance(0.5)) world.schedule.in(LOOK_EVERY_MS, () => makeDirectories(machine));
    putCardsRight(world, machine);
    if (troubles.chance(world.faults.dead_share) && machine.power === "on") stayBroken(world, machine);
    else if (machine.power !== "dead") putRight(world, machine);
    // A full disk that nobody ever frees costs its node the new work, and nobody an end.
    if (machine.power === "on" && world.faults.every_ms.full_disk !== null && troubles.chance(0.3)) {
      world.trace.note(`${machine.id}: its disk is full for good`);
      machine.full = true;
    }
    ambushPeace(world, machine);
  }
  resumeAll(world);
  for (const [id, machine] of world.nodes) {
    const isAwaited = world.database.state.cluster.recovering?.includes(id) === true;
    // A machine that may still run something is switched off before somebody gives it up by name.
    if (isAwaited && world.cutForEver.has(machine.id)) switchOff(world, machine);
    const isLost = isMissing(world, id) && world.database.state.nodes.has(id);
    if (isLost && (isAwaited || troubles.chance(0.3))) forget(world, id);
  }
}

function stayBroken(world: World, machine: Machine): void {
  world.trace.note(`${machine.id} stays broken`);
  if (world.dice.troubles.chance(0.5)) switchOff(world, machine);
  else {
    world.network.cut(machine.id, "both");
    world.cutForEver.add(machine.id);
  }
}

function switchOff(world: World, machine: Machine): void {
  crashAgent(world, machine);
  world.keeper.powerOff(machine);
  machine.power = "dead";
}

function putRight(world: World, machine: Machine): void {
  const agent = world.agents.get(machine.id);
  if (agent !== undefined) world.host.wake(agent.owner);
  if (machine.power === "off") world.keeper.reboot(machine);
  removeUnreadable(world, machine);
  bootAgent(world, machine);
}

/** Somebody examines the records that cannot be read, and deletes those whose task neither lives nor left an exit. */
function removeUnreadable(world: World, machine: Machine): void {
  const gone = [...machine.disk.unreadable.keys()].filter(
    (uid) => !machine.processes.has(uid) && !machine.disk.exits.has(uid) && !goesOn(world, machine, uid),
  );
  if (gone.length === 0) return;
  crashAgent(world, machine);
  for (const uid of gone) machine.disk.unreadable.delete(uid);
  bootAgent(world, machine);
}

/** Returns whether the agent went on from this attempt to a later one of its slot, which may live. */
function goesOn(world: World, machine: Machine, uid: string): boolean {
  const row = world.ledger.rows.get(uid);
  return [...machine.disk.records.values()].some(
    ({ end, assignment: { identity } }) =>
      end === null && identity.owner_uid === row?.owner_uid && identity.slot === row.slot,
  );
}

/** Lets time go on until the world is at rest. Returns what is not at rest when the time is up. */
export function settle(world: World, advance: (until_ms: number) => void): string[] {
  const end_ms = world.schedule.now_ms + SETTLE_MS;
  const isBroken = [...world.nodes.values()].some(({ id, power }) => power !== "on" || world.cutForEver.has(id));
  if (isBroken) advance(world.schedule.now_ms + SIM_LIMITS.lost_after_ms + LOOK_EVERY_MS);
  let wrong: string[] = ["nothing was looked at"];
  while (wrong.length > 0 && world.schedule.now_ms < end_ms) {
    testAgain(world);
    for (const run of asking(world)) answer(world, run);
    advance(world.schedule.now_ms + LOOK_EVERY_MS);
    wrong = unrest(world);
  }
  return wrong;
}

/** Returns everything that is not as it should be. */
function unrest(world: World): string[] {
  const { server } = world;
  if (server === null) return ["there is no server"];
  const { state } = server.store;
  const { cluster } = state;
  if (cluster.recovering !== null)
    return [`the server still waits for ${cluster.recovering.map((id) => world.nodes.get(id)?.id).join(" ")}`];
  const planned = plan(server.loop.snapshot(state, server.store.now()));
  const wrong: string[] = [];
  const isReplaced = (task: TaskRow): boolean =>
    [...state.tasks.values()].some(
      (other) =>
        other.owner_uid === task.owner_uid &&
        other.slot === task.slot &&
        other.written_off === null &&
        world.lives.living.has(other.uid) &&
        world.schedule.now_ms - (world.lives.living.get(other.uid)?.started_ms ?? 0) > LOOK_EVERY_MS,
    );
  const excused = new Set(
    [...state.tasks.values()].filter((task) => isBeyondReach(world, state, task)).map(({ uid }) => uid),
  );
  for (const task of state.tasks.values()) {
    // What was written off may stay until its replacement runs well, which a crash loop never does.
    if (!excused.has(task.uid) && (task.written_off === null || isReplaced(task)))
      wrong.push(...taskUnrest(world, task));
  }
  if (server.loop.notices().length === 0) wrong.push(...lossUnrest(state, planned));
  for (const workload of state.workloads.values()) wrong.push(...workloadUnrest(state, workload, planned, excused));
  for (const op of planned.ops) if (op.op === "place") wrong.push(`L2: ${taskName(op.task)} has room and waits`);
  for (const run of state.runs.values()) wrong.push(...runUnrest(state, run, planned, excused));
  return [...wrong, ...admissionUnrest(world, state), ...orphanUnrest(world, state), ...limitUnrest(world)];
}

/** L2: tests end, and nodes that pass them get work. */
function admissionUnrest(world: World, state: State): string[] {
  return [...state.nodes.values()]
    .filter(({ id, contact, admission }) => {
      const machine = world.nodes.get(id);
      const isThere = contact === "connected" && machine?.power === "on" && !world.cutForEver.has(machine.id);
      return isThere && admission !== "ready";
    })
    .map(({ name, admission }) => `L2: ${name} is ${admission} and does not get ready`);
}

/** Returns whether a task is on a node that is silent for good, or on which its operator has to decide. */
function isBeyondReach(world: World, state: State, task: TaskRow): boolean {
  const node = state.nodes.get(task.node_id);
  return (
    node === undefined ||
    node.contact !== "connected" ||
    node.reason !== null ||
    node.orphans.some(({ uid }) => uid === task.uid) ||
    world.nodes.get(task.node_id)?.power !== "on" ||
    world.cutForEver.has(world.nodes.get(task.node_id)?.id ?? "")
  );
}

/** L1: desired and observed state agree, and both agree with the truth. */
function taskUnrest(world: World, task: TaskRow): string[] {
  const life = world.lives.living.get(task.uid);
  const name = `${taskName(task)} ${task.uid.slice(0, 6)} on ${world.nodes.get(task.node_id)?.id ?? "?"}`;
  const { state } = task.observed;
  if (task.desired === "stop") return [`L5: ${name} is ${state} and does not stop`];
  if (task.desired === "prepare") return [`L2: ${name} is prepared and goes no further`];
  if ((state === "running") === (life !== undefined))
    return state === "running" || waits(world, task) ? [] : [`L1: ${name} is ${state}`];
  return [`L1: ${name} is ${state}, and its process ${life === undefined ? "is not there" : "lives"}`];
}

/** Returns whether a task waits, such as between two attempts that its agent makes by itself. */
function waits({ server }: World, task: TaskRow): boolean {
  if (server === null || task.observed.state !== "preparing") return false;
  const slot = server.store.state.slots.get(slotKey(task.owner_uid, task.slot));
  return task.observed.reason !== null || isHeldBack(task, slot, server.store.now());
}

const isExplained = (planned: Plan, owner_uid: string, slot: number | null): boolean =>
  planned.blocked.some((one) => one.owner_uid === owner_uid && (slot === null || one.slot === slot));

function workloadUnrest(state: State, workload: WorkloadRow, planned: Plan, excused: ReadonlySet<string>): string[] {
  const owners = new Set([workload.uid]);
  for (const run of state.runs.values()) if (run.workload_uid === workload.uid) owners.add(run.uid);
  const tasks = [...state.tasks.values()].filter((task) => owners.has(task.owner_uid));
  const name = `${workload.app}.${workload.name}`;
  if (workload.removing) {
    return tasks.every((task) => excused.has(task.uid)) && tasks.length > 0
      ? []
      : [`L1: ${name} is still being removed`];
  }
  if (workload.kind !== "service" || tasks.some((task) => excused.has(task.uid))) return [];
  const slots = slotsAsked(workload);
  const wrong = tasks
    .filter((task) => !slots.includes(task.slot) && !excused.has(task.uid))
    .map((task) => `L1: ${taskName(task)} is one too many`);
  for (const slot of slots) {
    const here = tasks.filter((task) => task.slot === slot && task.desired !== "stop" && task.written_off === null);
    const wanted = here.filter((task) => task.version === workload.version);
    if (wanted.length > 1) wrong.push(`L1: ${name}.${slot} has ${wanted.length} attempts`);
    if (
      wanted.length === 0 &&
      !isExplained(planned, workload.uid, slot) &&
      (here.length === 0 || !isExplained(planned, workload.uid, null))
    ) {
      wrong.push(`L2: ${name}.${slot} has no attempt and no reason`);
    }
  }
  return wrong;
}

function runUnrest(state: State, run: RunRow, planned: Plan, excused: ReadonlySet<string>): string[] {
  const tasks = [...state.tasks.values()].filter((task) => task.owner_uid === run.uid);
  if (isFinal(run.state))
    return tasks.some((task) => excused.has(task.uid)) ? [] : [`L1: run ${run.run} is ${run.state} and still there`];
  const batch = tasks.find((task) => task.batch !== null && task.written_off === null && !excused.has(task.uid));
  if (batch !== undefined) return [`L2: ${taskName(batch)} does not end`];
  if (tasks.length > 0 || isExplained(planned, run.uid, null) || run.reason !== null) return [];
  return [`L2: run ${run.run} is ${run.state} with no task and no reason`];
}

/** L1: a task whose policy is to be replaced is replaced when its node is lost, or says why not. */
function lossUnrest(state: State, planned: Plan): string[] {
  const tasks = [...state.tasks.values()];
  const isLost = (task: TaskRow): boolean => state.nodes.get(task.node_id)?.contact === "lost";
  const hasOther = ({ uid, owner_uid, slot }: TaskRow): boolean =>
    tasks.some(
      (other) =>
        other.uid !== uid &&
        other.owner_uid === owner_uid &&
        other.slot === slot &&
        other.written_off === null &&
        !isLost(other),
    );
  return tasks
    .filter((task) => {
      const workload = state.workloads.get(task.owner_uid);
      return (
        workload?.kind === "service" &&
        workload.settings.on_node_loss === "replace" &&
        task.written_off === null &&
        task.desired === "run" &&
        isLost(task) &&
        !hasOther(task) &&
        !isExplained(planned, workload.uid, null)
      );
    })
    .map((task) => `L1: ${taskName(task)} is on a lost node and is not replaced`);
}

/** L5: nothing lives much longer than its limit. */
function limitUnrest(world: World): string[] {
  return [...world.lives.living.values()]
    .filter(
      ({ process: { assignment }, started_ms, machine }) =>
        assignment.time_limit_ms !== null &&
        world.agents.has(machine.id) &&
        world.agents.get(machine.id)?.owner.state === "running" &&
        !machine.disk.unreadable.has(assignment.uid) &&
        !world.unknowable.has(assignment.uid) &&
        world.schedule.now_ms > started_ms + limitOf(assignment, assignment.time_limit_ms) + LOOK_EVERY_MS,
    )
    .map((life) => `L5: ${taskName(life.identity)} on ${life.machine.id} lives beyond its limit`);
}

/** Returns within which time a task is over. Each element of a batch has a limit of its own. */
const limitOf = ({ batch, stop }: Assignment, limit_ms: number): number =>
  limit_ms + stop.grace_ms + (batch === undefined ? 0 : batch.begins_for_ms + stop.grace_ms + LOOK_EVERY_MS);

/** I8: whatever lives on a connected node is a known task, or an orphan that is shown. */
function orphanUnrest(world: World, state: State): string[] {
  const wrong: string[] = [];
  for (const life of world.lives.living.values()) {
    const [id] = [...world.nodes].find(([, machine]) => machine === life.machine) ?? [];
    const node = id === undefined ? undefined : state.nodes.get(id);
    if (node === undefined || node.contact !== "connected" || world.cutForEver.has(life.machine.id)) continue;
    if (state.tasks.has(life.uid) || node.orphans.some(({ uid }) => uid === life.uid)) continue;
    wrong.push(`I8: ${taskName(life.identity)} ${life.uid.slice(0, 6)} lives on ${life.machine.id} and nobody sees it`);
  }
  return wrong;
}
