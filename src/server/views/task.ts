// Tasks as the API shows them, and the slots that wait for one.

import { isHeir } from "../../core/model/heirs";
import { type ElementBatch, sizeOf } from "../../core/model/array";
import { isFinal } from "../../core/model/lifecycle";
import type { State } from "../../core/model/rows-state";
import type { RunRow, SlotRow, WorkloadRow } from "../../core/model/rows-work";
import type { Observed, TaskRow } from "../../core/model/rows-task";
import type { Blocked, PlanLimits } from "../../core/pass/snapshot";
import { cardsOf } from "../../core/cards/node-cards";
import { crashesOf, isHeldBack, sayBackOff, sayCrashes } from "../../core/pass/crashes";
import { sayTimed } from "../../core/pass/pass";
import { crashesIn } from "../../core/pass/slot";
import { whyLeaves } from "../../core/plan/replicas";
import { isToBeReplaced } from "../../core/plan/services";
import { slotsOf, wantedSince } from "../../core/model/slots";
import {
  fullName,
  isToStop,
  isWanted,
  jobName,
  seenSlot,
  shortId,
  slotKey,
  slotName,
  taskName,
} from "../../core/model/task";
import type { Ms } from "../../core/units";
import type { TaskSpec } from "../../core/model/workload";
import type { TaskView } from "../../wire/api/tasks";
import type { Wording } from "../access/wording";
import { progressOf } from "./elements";
import type { Waits } from "./waits";

/** What a task is looked at with. */
export interface TaskLook {
  readonly state: State;
  readonly now_ms: Ms;
  readonly limits: Pick<PlanLimits, "stable_ms">;
  readonly wording: Wording;
}

export function taskView(task: TaskRow, look: TaskLook): TaskView {
  const { observed } = task;
  const { state, now_ms, limits } = look;
  const slot = slotRowOf(task, state);
  return {
    id: shortId(task.uid),
    name: taskName(task),
    project: task.project,
    user: task.user,
    app: task.app,
    workload: task.workload,
    kind: task.kind,
    version: task.version,
    run: task.run,
    slot: seenSlot(task),
    member: task.member,
    attempt: task.batch?.round ?? task.attempt,
    elements: task.batch?.label ?? null,
    batch: task.batch === null ? null : batchView(task.batch),
    array: task.batch === null ? null : arrayOf(state.runs.get(task.owner_uid)),
    crashes: isFinal(observed.state) ? 0 : crashesOf(task, slot, now_ms, limits),
    node: state.nodes.get(task.node_id)?.name ?? null,
    desired: task.desired,
    state: isPending(task, look) ? "pending" : observed.state,
    reason: look.wording(reasonOf(task, look), task),
    blocked: null,
    health: null,
    pid: pidOf(observed),
    // A batch ends with code 0, whatever its elements do.
    exit_code: "exit_code" in observed && task.batch === null ? observed.exit_code : null,
    signal: "signal" in observed ? observed.signal : null,
    cause: "cause" in observed ? (observed.cause ?? null) : null,
    devices: task.promised.devices.map((device) => device.id),
    ports: Object.fromEntries(task.promised.ports.map((port) => [port.name, port.published])),
    peak_memory_bytes: "peak_memory_bytes" in observed ? observed.peak_memory_bytes : null,
    created_ms: firstOf(task.created_ms, "started_ms" in observed ? observed.started_ms : null),
    started_ms: "started_ms" in observed ? observed.started_ms : null,
    finished_ms: "finished_ms" in observed ? observed.finished_ms : null,
  };
}

const batchView = ({ parts, told, failed = 0 }: ElementBatch): TaskView["batch"] => ({
  total: sizeOf(parts),
  over: told,
  failed,
});

const arrayOf = (run: RunRow | undefined): TaskView["array"] => (run === undefined ? null : progressOf(run));

const slotRowOf = ({ owner_uid, slot }: TaskRow, { slots }: State): SlotRow | undefined =>
  slots.get(slotKey(owner_uid, slot));

/**
 * Returns whether people see a task as pending: its agent holds it back after a crash, or it is an heir whose turn has
 * not come. The slot waits just as well where the plan makes the next attempt.
 */
export const isPending = (task: TaskRow, { state, now_ms }: Pick<TaskLook, "state" | "now_ms">): boolean =>
  isWanted(task) && (isHeldBack(task, slotRowOf(task, state), now_ms) || isHeir(task, state.tasks));

/**
 * Returns when a thing was made. The server hears of an attempt that an agent has made by itself after it began, and
 * reckons its start from an age, so the earlier of both is shown.
 */
export const firstOf = (created_ms: Ms, started_ms: Ms | null): Ms => Math.min(created_ms, started_ms ?? created_ms);

const pidOf = (observed: Observed): number | null =>
  observed.state === "running" || observed.state === "stopping" ? observed.pid : null;

/** Returns why a task is in its state: how it ended, why it stops or does not begin, what is wrong with its node. */
export function reasonOf(task: TaskRow, look: Omit<TaskLook, "wording">): string | null {
  const { observed } = task;
  if (isFinal(observed.state)) return "reason" in observed ? observed.reason : null;
  const reasons = [...ownReasons(task, look), nodeTrouble(task, look.state)].filter((one) => one !== null);
  return reasons.length === 0 ? null : reasons.join("; ");
}

/** Returns what keeps a task's node from being believed or from beginning the task, or null. */
function nodeTrouble({ node_id, observed }: TaskRow, { nodes }: State): string | null {
  const node = nodes.get(node_id);
  if (node === undefined) return null;
  const { name, contact, facts } = node;
  if (contact !== "connected") return `${name} is ${contact}: what it does now is not known`;
  const begins = observed.state === "assigned" || observed.state === "preparing" || observed.state === "starting";
  const trouble = facts.silent ?? (begins ? facts.unable : null) ?? null;
  return trouble === null ? null : `on ${name}: ${trouble}`;
}

function ownReasons(task: TaskRow, { state, now_ms, limits }: Omit<TaskLook, "wording">): (string | null)[] {
  const { written_off, stop, kind } = task;
  if (written_off !== null) return [`given up: ${written_off.why}`];
  if (isToStop(task) && stop !== null) return [stop.why];
  if (isHeir(task, state.tasks)) return [sayTurn(task, state)];
  const slot = slotRowOf(task, state);
  if (slot !== undefined && isHeldBack(task, slot, now_ms)) {
    const held = sayBackOff(slot, now_ms);
    return [held === null ? null : sayTimed(held, 0)];
  }
  // The attempts of a job are counted, and listed with their ends.
  const isCrashing = kind !== "job" && slot !== undefined && crashesOf(task, slot, now_ms, limits) > 0;
  const next = isToBeReplaced(state, task) ? state.workloads.get(task.owner_uid)?.version : undefined;
  const later = next === undefined ? null : `version ${next} is to replace it`;
  return [waitReason(task), isCrashing ? sayCrashes(slot) : null, later];
}

/** Returns where and after whom an heir is next: `next on n1 after 12`. */
function sayTurn({ heir_of, node_id }: TaskRow, { tasks, nodes }: State): string {
  const last = heir_of?.flatMap((uid) => tasks.get(uid) ?? []).at(-1);
  const after = last === undefined ? "" : ` after ${fullName(last)}`;
  return `next on ${nodes.get(node_id)?.name ?? shortId(node_id)}${after}`;
}

/** Returns what a task that has been accepted by its node waits for there, or null. */
function waitReason({ observed, desired }: TaskRow): string | null {
  if (observed.state !== "preparing") return null;
  const gang = desired === "prepare" && observed.prepared ? "waits for its gang to be prepared" : null;
  return observed.reason ?? gang;
}

export interface Waiting {
  readonly state: State;
  readonly spec: (hash: string) => TaskSpec;
  readonly waits: Waits;
  readonly wording: Wording;
  /** The slots that the last pass of the plan has found waiting. */
  readonly blocked: readonly Blocked[];
}

/** The uids of those to whom a slot belongs. `workload_uid` and `app_uid` are null for a run in no app. */
interface Owners {
  readonly owner_uid: string;
  readonly workload_uid: string | null;
  readonly app_uid: string | null;
}

/**
 * A slot that waits for a task, with what lists are sorted by. There may be many, of which a page shows few, so its
 * view is made when it is shown.
 */
export interface Pending extends Owners, Pick<TaskRow, "app" | "run" | "workload" | "slot" | "member" | "attempt"> {
  readonly view: () => TaskView;
}

/** Gives every slot that is wanted and has no task, of all owners or of some. */
export function* pendingSlots(
  waiting: Waiting,
  isMeant: (owners: Owners) => boolean = () => true,
): Generator<Pending, void> {
  const { state, blocked, waits } = waiting;
  const served = new Set<string>();
  const left = new Map<string, Ms>();
  for (const task of state.tasks.values()) {
    const key = slotKey(task.owner_uid, task.slot);
    if (isWanted(task)) {
      // What is to be replaced and cannot be is no attempt of the slot that is wanted.
      if (waits.blocked(task.owner_uid, task.slot) === undefined || !isOutdated(waiting, task))
        served.add(`${key}/${task.member}`);
    } else left.set(key, Math.max(left.get(key) ?? 0, task.stop?.at_ms ?? 0, task.written_off?.at_ms ?? 0));
  }
  for (const workload of state.workloads.values()) {
    if (workload.removing || workload.kind === "job") continue;
    const { uid, app_uid, kind } = workload;
    if (!isMeant({ owner_uid: uid, workload_uid: uid, app_uid })) continue;
    const slots =
      kind === "service" ? slotsOf(workload) : blocked.flatMap((one) => (one.owner_uid === uid ? [one.slot] : []));
    const owner = ofWorkload(state, workload);
    for (const slot of slots)
      if (!served.has(`${slotKey(uid, slot)}/0`)) yield pendingSlot(waiting, left, owner, slot, 0);
  }
  for (const run of state.runs.values()) {
    const { uid: owner_uid, workload_uid, app_uid } = run;
    if (isFinal(run.state) || run.cancel !== null || !isMeant({ owner_uid, workload_uid, app_uid })) continue;
    const { members } = waiting.spec(run.spec_hash);
    const owner = ofRun(run);
    for (let member = 0; member < members; member++)
      if (!served.has(`${slotKey(owner_uid, 0)}/${member}`) && !isDone(waiting, run, member))
        yield pendingSlot(waiting, left, owner, 0, member);
  }
}

/** Returns whether an attempt is to be replaced: it is of an older version, or has to leave its node or its card. */
function isOutdated({ state, spec }: Waiting, task: TaskRow): boolean {
  const workload = state.workloads.get(task.owner_uid);
  const node = state.nodes.get(task.node_id);
  if (workload === undefined) return false;
  if (task.version !== workload.version) return true;
  return (
    workload.kind === "service" &&
    node !== undefined &&
    whyLeaves(spec, workload, { node, sound: cardsOf(node.devices).sound }, task) !== null
  );
}

/** Returns whether a member has succeeded in an attempt that is not to be made again. */
function isDone({ state, waits }: Waiting, run: RunRow, member: number): boolean {
  // What its newest batch did says nothing of the other elements.
  if (run.array !== null) return false;
  const end = state.slots.get(slotKey(run.uid, 0))?.ends.find((one) => one.member === member);
  if (end?.state !== "succeeded") return false;
  return waits.blocked(run.uid, 0) === undefined || waits.tasks(run.uid).some((task) => task.attempt === end.attempt);
}

function pendingSlot(
  { state, waits, wording }: Waiting,
  left: ReadonlyMap<string, Ms>,
  owner: Owner,
  slot: number,
  member: number,
): Pending {
  const { uid: owner_uid, workload_uid, app_uid, app, run, workload } = owner;
  const key = slotKey(owner_uid, slot);
  const row = state.slots.get(key);
  const left_ms = left.get(key) ?? 0;
  const attempt = owner.row?.array?.round ?? (row?.attempts ?? 0) + 1;
  const view = (): TaskView => {
    const reason = wording(waits.say(owner_uid, slot, owner.row), owner);
    const blocked = waits.blocked(owner_uid, slot)?.kind ?? null;
    return { ...pendingView(owner, slot, member, attempt, crashesIn(row, owner.version), reason, left_ms), blocked };
  };
  return { owner_uid, workload_uid, app_uid, app, run, workload, slot, member, attempt, view };
}

interface Owner extends Pick<TaskView, "project" | "user" | "app" | "workload" | "kind" | "version" | "run"> {
  readonly uid: string;
  readonly spec_hash: string;
  readonly workload_uid: string | null;
  readonly app_uid: string | null;
  /** The owner, if it is a run. */
  readonly row: RunRow | null;
  /** Returns since when a slot waits. `left_ms`: when its attempt was told to stop or given up. */
  readonly since: (slot: number, left_ms: Ms) => Ms;
}

const ofWorkload = (state: State, row: WorkloadRow): Owner => ({
  uid: row.uid,
  spec_hash: row.spec_hash,
  workload_uid: row.uid,
  app_uid: row.app_uid,
  project: row.project,
  user: row.user,
  app: row.app,
  workload: row.name,
  kind: row.kind,
  version: row.version,
  run: null,
  row: null,
  since: (slot, left_ms) => {
    const asked = wantedSince(row, slot);
    const ended = state.slots.get(slotKey(row.uid, slot))?.ends.map(({ at_ms }) => at_ms) ?? [];
    return Math.max(asked ?? state.apps.get(row.app_uid)?.changed_ms ?? 0, left_ms, ...ended);
  },
});

const ofRun = (run: RunRow): Owner => ({
  uid: run.uid,
  spec_hash: run.spec_hash,
  workload_uid: run.workload_uid,
  app_uid: run.app_uid,
  project: run.project,
  user: run.user,
  app: run.app,
  workload: jobName(run),
  kind: "job",
  version: run.version,
  run: run.run,
  row: run,
  since: () => run.created_ms,
});

function pendingView(
  owner: Owner,
  slot: number,
  member: number,
  attempt: number,
  crashCount: number,
  reason: string | null,
  left_ms: Ms,
): TaskView {
  const { uid: owner_uid, row: _row, since, ...rest } = owner;
  const { project, user, app, workload, kind, version, run } = rest;
  return {
    id: null,
    name: slotName({ ...rest, owner_uid, slot, member }),
    project,
    user,
    app,
    workload,
    kind,
    version,
    run,
    slot: seenSlot({ slot, member }),
    member,
    attempt,
    elements: null,
    batch: null,
    array: owner.row === null ? null : progressOf(owner.row),
    crashes: crashCount,
    node: null,
    desired: "run",
    state: "pending",
    reason,
    blocked: null,
    health: null,
    pid: null,
    exit_code: null,
    signal: null,
    cause: null,
    devices: [],
    ports: {},
    peak_memory_bytes: null,
    created_ms: since(slot, left_ms),
    started_ms: null,
    finished_ms: null,
  };
}
