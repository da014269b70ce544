// What a node has to be told: the difference between what its tasks shall do and what its agent was told or has
// reported.

import { canonicalJson } from "../canonical";
import { HOUSE_LIMITS } from "../limits";
import { mayBeSystem } from "../model/account";
import { identityIn } from "../model/new-task";
import type { State } from "../model/rows-state";
import type { TaskRow } from "../model/rows-task";
import type { NodeRow } from "../model/rows-node";
import type { Assignment, TaskSettings, Verb } from "../model/record";
import { seenSlot, shortId, slotKey, taskName } from "../model/task";
import { inVariable, type Variables } from "../model/variables";
import type { PlanLimits } from "../pass/snapshot";
import { addressVariables } from "./addresses";
import { sealText } from "./seal";
import type { Settings, TaskSpec } from "../model/workload";

/**
 * How far an agent was told about a task in this session, in the order prepare, run, take back, stop. An agent counts
 * as told about every task that its inventory lists.
 */
export type ToldVerb = "prepare" | "run" | "take_back" | "stop";

export interface ServerProcess {
  readonly uid: number;
  readonly boot_id: string;
}

export interface AssignContext {
  readonly spec: (hash: string) => TaskSpec;
  readonly limits: PlanLimits;
  /** The uid of the server and the boot of its machine. */
  readonly server: ServerProcess;
  /** Signs what is assigned, with the server's key. */
  readonly sign: (text: string) => string;
  /** The node's tasks in the live state. */
  readonly tasks: Iterable<TaskRow>;
  readonly told: ReadonlyMap<string, ToldVerb>;
  /**
   * The settings of each task that the agent was told in this session, as text. Null: it takes none beside a task's
   * first ones.
   */
  readonly set: ReadonlyMap<string, string> | null;
}

/** Returns the verbs that bring an agent from what it was told to what is desired. Sending one twice does no harm. */
export function verbsFor(state: State, node: NodeRow, context: AssignContext): Verb[] {
  const verbs: Verb[] = [];
  for (const task of context.tasks) {
    if (task.node_id !== node.id) continue;
    const verb = verbFor(state, node, task, context);
    if (verb !== null) verbs.push(verb);
    const set = verb === null || verb.verb === "go" ? setFor(state, task, context) : null;
    if (set !== null) verbs.push(set);
  }
  return verbs;
}

/**
 * Returns the stops of the exclusive attempts that were given up and that their node has not begun. It must know them
 * before it has a lease again, under which it would begin them beside what has replaced them.
 */
export function stopsOfGivenUp(tasks: Iterable<TaskRow>, node_id: string): Verb[] {
  const stops: Verb[] = [];
  for (const task of tasks) {
    if (task.node_id !== node_id || !task.exclusive || task.written_off === null) continue;
    const stop = stopOf(task);
    if (stop !== null && (task.observed.state === "assigned" || task.observed.state === "preparing")) stops.push(stop);
  }
  return stops;
}

/** Returns the stop that is decided for a task, or null. */
function stopOf({ uid, attempt, assigned_revision, desired, stop }: TaskRow): Verb | null {
  if (desired !== "stop" || stop === null) return null;
  const { signal, grace_ms, why, unbegun } = stop;
  const order = { verb: "stop", uid, attempt, assigned_revision, signal, grace_ms, why } as const;
  return unbegun === true ? { ...order, unbegun } : order;
}

function verbFor(state: State, node: NodeRow, task: TaskRow, context: AssignContext): Verb | null {
  const told = context.told.get(task.uid);
  if (task.desired === "stop") {
    const isTold = told === "stop" || (told === "take_back" && task.stop?.unbegun === true);
    return isTold ? null : stopOf(task);
  }
  if (told === undefined) {
    // A task that was written off, or meant for a boot that is over, is never started.
    if (task.written_off !== null || task.boot_id !== node.boot_id || task.observed.state !== "assigned") return null;
    const settings = settingsOf(state, task);
    return settings === null
      ? null
      : {
          verb: "assign",
          task: assignmentOf(task, context.spec(task.spec_hash), settings, state, node, context),
        };
  }
  const goes = told === "prepare" && task.desired === "run" && task.written_off === null;
  return goes ? { verb: "go", uid: task.uid } : null;
}

/** Returns the order that gives an agent the present settings of a task that it has, unless it was told them. */
function setFor(state: State, task: TaskRow, { told, set }: AssignContext): Verb | null {
  // What has begun of a batch goes on as it is; the next one has the present settings.
  if (set === null || task.batch !== null || task.desired === "stop" || task.written_off !== null) return null;
  if (task.observed.state === "assigned" && !told.has(task.uid)) return null;
  const settings = settingsOf(state, task);
  if (settings === null || set.get(task.uid) === setText(settings)) return null;
  const { stop, restart, time_limit_ms } = settings;
  const { backoff_min_ms, backoff_max_ms, attempts } = restart;
  const kept: TaskSettings = { stop, restart: { backoff_min_ms, backoff_max_ms, attempts }, time_limit_ms };
  return { verb: "set", uid: task.uid, settings: kept };
}

/** Returns what an agent obeys of a task's settings, as text. */
function setText({ stop, restart, time_limit_ms }: TaskSettings): string {
  const { backoff_min_ms, backoff_max_ms, attempts } = restart;
  return canonicalJson({ stop, time_limit_ms, backoff_min_ms, backoff_max_ms, attempts });
}

const settingsOf = (state: State, task: TaskRow): Settings | null =>
  (state.runs.get(task.owner_uid) ?? state.workloads.get(task.owner_uid))?.settings ?? null;

/** Returns the uid of a verb's task. */
export const uidOf = (verb: Verb): string => (verb.verb === "assign" ? verb.task.uid : verb.uid);

/** Returns how far the agent has been told about a task once the verb is sent. Null: no further than before. */
export function toldBy(verb: Verb): ToldVerb | null {
  if (verb.verb === "assign") return verb.task.desired;
  if (verb.verb === "stop") return verb.unbegun === true ? "take_back" : "stop";
  return verb.verb === "set" ? null : "run";
}

/** Returns the settings of its task that a verb tells, as text, or null. */
export function setBy(verb: Verb): string | null {
  if (verb.verb === "assign") return setText(verb.task);
  return verb.verb === "set" ? setText(verb.settings) : null;
}

/**
 * Returns all that the agent needs to start the task: the task's row, completed from its spec and from the settings of
 * its workload or run.
 */
export function assignmentOf(
  task: TaskRow,
  spec: TaskSpec,
  settings: Settings,
  state: State,
  node: NodeRow,
  { limits, server, sign, spec: specs }: Pick<AssignContext, "limits" | "server" | "sign" | "spec">,
): Assignment {
  const { cluster_id } = state.cluster;
  const stdin = state.runs.get(task.owner_uid)?.stdin ?? null;
  const streak = state.slots.get(slotKey(task.owner_uid, task.slot))?.streak ?? 0;
  return {
    uid: task.uid,
    name: taskName(task),
    boot_id: task.boot_id,
    desired: task.desired === "prepare" ? "prepare" : "run",
    identity: identityIn(task),
    grant_until: task.grant_until,
    streak,
    command: spec.command,
    env: { ...spec.env, ...environmentOf(task, spec, state, node, specs) },
    workdir: spec.workdir,
    ...(spec.activate === undefined ? {} : { activate: spec.activate }),
    ...(spec.login === undefined ? {} : { login: spec.login }),
    ...(spec.oom === undefined ? {} : { oom: spec.oom }),
    unix_user: task.unix_user,
    may_be_system: mayBeSystem(state, task.user),
    server_uid: task.boot_id === server.boot_id ? server.uid : null,
    ...(spec.limits === undefined ? {} : { limits: spec.limits }),
    ...(stdin === null ? {} : { stdin }),
    promised: task.promised,
    stop: settings.stop,
    restart: settings.restart,
    stable_ms: limits.stable_ms,
    time_limit_ms: settings.time_limit_ms,
    lease_ms: task.exclusive ? limits.lease_ms : null,
    ...batchOrderOf(task, state),
    ...(task.heir_of === null ? {} : { heir_of: task.heir_of }),
    seal: { uid: task.uid, attempt: task.attempt, signature: sign(sealText(cluster_id, node.id, task, task)) },
  };
}

/** Returns the elements that a batch runs; nothing for a task that is none. */
function batchOrderOf({ owner_uid, batch }: TaskRow, state: State): Pick<Assignment, "batch"> {
  const array = state.runs.get(owner_uid)?.array ?? null;
  if (batch === null || array === null) return {};
  const { parts, round, places } = batch;
  const { first, step } = array;
  return { batch: { parts, round, places, first, step, begins_for_ms: HOUSE_LIMITS.batch_begins_ms } };
}

/** Returns the variables that the server sets for a task. */
function environmentOf(
  task: TaskRow,
  spec: TaskSpec,
  state: State,
  node: NodeRow,
  specs: AssignContext["spec"],
): Variables {
  const ports = task.promised.ports.map(({ name, target }) => [`PORT_${inVariable(name)}`, String(target)]);
  return {
    ORCH_APP: task.app ?? "",
    ORCH_WORKLOAD: task.workload,
    ORCH_VERSION: String(task.version),
    ORCH_RUN: task.run === null ? "" : String(task.run),
    ORCH_SLOT: String(seenSlot(task)),
    ORCH_ATTEMPT: String(task.attempt),
    ORCH_TASK: shortId(task.uid),
    ORCH_NODE: node.name,
    ORCH_PROJECT: task.project,
    ORCH_USER: task.user,
    ...(Object.fromEntries(ports) as Variables),
    ...addressVariables(state, task, node, specs),
    ...(spec.members > 1 ? gangVariables(task, spec.members, state) : {}),
  };
}

function gangVariables(task: TaskRow, size: number, state: State): Variables {
  const members = state.tasks
    .values()
    .filter(({ owner_uid, slot, attempt }) => {
      return owner_uid === task.owner_uid && slot === task.slot && attempt === task.attempt;
    })
    .toArray()
    .sort((a, b) => a.member - b.member);
  const nodes = members.map((other) => state.nodes.get(other.node_id));
  return {
    ORCH_GANG_SIZE: String(size),
    ORCH_GANG_RANK: String(task.member),
    ORCH_GANG_NODES: nodes.map((other) => other?.name ?? "").join(","),
    ORCH_GANG_ADDRESSES: nodes.map((other) => other?.facts.address ?? "").join(","),
  };
}
