// Runs as the API shows them, with their place in the queue.

import type { RunRow } from "../../core/model/rows-work";
import { isFinal } from "../../core/model/lifecycle";
import type { State } from "../../core/model/rows-state";
import { askedOf } from "../work/settle";
import { formatGpu } from "../../core/format";
import { jobName, shortId, taskName } from "../../core/model/task";
import type { Blocked } from "../../core/pass/snapshot";
import { type Promised, shareOf } from "../../core/model/promised";
import type { TaskRow } from "../../core/model/rows-task";
import type { Command, TaskSpec } from "../../core/model/workload";
import { commandLine, commandText } from "../../spec/facts";
import type { Store } from "../../store/store";
import { mayTouch } from "../access/access";
import type { Principal } from "../access/auth";
import { wordingFor } from "../access/wording";
import type { Context } from "../context";
import type { RunDetail, RunView } from "../../wire/api/runs";
import { arrayView } from "./elements";
import { environmentOf } from "./environment";
import { waysView } from "./plan";
import { firstOf, reasonOf, type TaskLook } from "./task";
import { runReason, shownRunState, waitsFor, waitsIn, type Waits, type WaitsFrom } from "./waits";

/** What views of runs are made from. */
export interface RunLook extends TaskLook {
  readonly waits: Waits;
  /** Returns the names of the nodes of a run's newest attempt, or null where nobody has looked for them. */
  readonly nodes: (run: RunRow) => string[] | null;
  /** Returns the run's command for those who may see it, else null. */
  readonly command: (run: RunRow) => Command | null;
}

/** Looks at rows alone, for a stream of them that all may see. What a pass has found is not in them. */
export const rowLook = (from: Omit<WaitsFrom, "blocked" | "queue"> & TaskLook): RunLook => ({
  state: from.state,
  now_ms: from.now_ms,
  limits: from.limits,
  waits: waitsIn({ ...from, blocked: [], queue: [] }),
  nodes: () => null,
  command: () => null,
  wording: from.wording,
});

/** Looks for one caller at the runs of one answer. `owner_uids` are those of the runs that are shown. */
export function runLook(
  { store, limits }: Pick<Context, "store" | "limits">,
  waits: Waits,
  who: Principal,
  owner_uids: readonly string[],
  state: State = store.state,
): RunLook {
  const { history, spec, hasSpec } = store;
  const without = owner_uids.filter((uid) => waits.tasks(uid).length === 0);
  const ended = without.length === 0 ? null : history.nodesOf(without);
  return {
    state,
    now_ms: store.now(),
    limits,
    waits,
    nodes({ uid }) {
      const living = waits.tasks(uid);
      const ids = living.length > 0 ? living.map(({ node_id }) => node_id) : (ended?.get(uid) ?? []);
      return [...new Set(ids)].map((id) => state.nodes.get(id)?.name ?? shortId(id)).sort();
    },
    command: (run) => (mayTouch(who, run) && hasSpec(run.spec_hash) ? spec(run.spec_hash).command : null),
    wording: wordingFor(who, store),
  };
}

export function runView(run: RunRow, look: RunLook): RunView {
  const command = look.command(run);
  const { state, waits, wording } = look;
  const unknown = isFinal(run.state) ? 0 : askedOf(state, run).length;
  return {
    run: run.run,
    name: run.name,
    project: run.project,
    user: run.user,
    priority: run.settings.priority,
    state: shownRunState(run, waits),
    position: waits.position(run.uid),
    blocked: blockedOf(run, waits)?.kind ?? null,
    ahead_gpu_hours: null,
    start_estimate_ms: null,
    reason: wording(
      runReason(run, waits, unknown, (task) => reasonOf(task, look)),
      run,
    ),
    app: run.app,
    workload: run.app === null ? null : jobName(run),
    version: run.version,
    time_limit_ms: run.settings.time_limit_ms,
    nodes: look.nodes(run),
    command: command === null ? null : commandLine(command),
    created_ms: firstOf(run.created_ms, run.started_ms),
    started_ms: run.started_ms,
    finished_ms: run.finished_ms,
    exit_code: run.exit_code,
    signal: run.signal,
    cause: run.cause,
    cancelled_by: run.cancel?.by ?? null,
    unknown,
    array: arrayView(run, waits.tasks(run.uid)),
  };
}

/** Returns what keeps a run that has not ended from its next attempt, or undefined. */
const blockedOf = (run: RunRow, waits: Waits): Blocked | undefined =>
  isFinal(run.state) ? undefined : waits.blocked(run.uid, 0);

/** The parts of a run's detail beside its view and its tasks. */
export type RunInside = Omit<RunDetail, Exclude<keyof RunView, "command"> | "tasks" | "next">;

/** Returns what a run asks for and where it ran. `tasks` are its tasks that are shown, the newest last. */
export function runInside(
  run: RunRow,
  { state, waits, command, wording }: RunLook,
  { spec, hasSpec, now }: Pick<Store, "spec" | "hasSpec" | "now">,
  who: Principal,
  tasks: readonly TaskRow[],
  query: { readonly values?: boolean | undefined } = {},
): RunInside {
  const task = hasSpec(run.spec_hash) ? spec(run.spec_hash) : null;
  const inside = task !== null && mayTouch(who, run);
  const blocked = blockedOf(run, waits);
  const until = run.started_ms ?? (isFinal(run.state) ? (run.finished_ms ?? run.created_ms) : now());
  return {
    command: commandOf(command(run)),
    request: task === null ? null : requestOf(task, promisedOf(tasks.at(-1))),
    workdir: inside ? task.workdir : null,
    labels: { ...run.settings.labels },
    ...environmentOf(inside ? task : null, query.values),
    stdin: run.stdin === null ? null : { bytes: run.stdin.bytes, sha256: mayTouch(who, run) ? run.stdin.sha256 : null },
    after: run.after.map(({ name, when, met }) => ({ name, when, met })),
    waited_ms: Math.max(0, until - run.created_ms),
    smallest_change: blocked?.smallest_change ?? null,
    smallest_changes: waysView(blocked?.smallest_changes ?? []),
    waited_for: wording(waitedFor(run, waits), run),
    logs: inside ? tasks.map((one) => logsOf(one, state)) : [],
  };
}

const commandOf = (command: Command | null): string | null => (command === null ? null : commandText(command));

/** Returns what a run waits for, or waited for last before it began or was cancelled. */
function waitedFor(run: RunRow, waits: Waits): string | null {
  if (run.started_ms !== null) return run.waited_for;
  return isFinal(run.state) ? (run.waited_for ?? waitsFor(run)) : waits.say(run.uid, 0, run);
}

/** Returns what a task was promised, of a batch what one of its elements was. */
const promisedOf = (task: TaskRow | undefined): Promised | null =>
  task === undefined ? null : shareOf(task.promised, 1, task.batch?.places ?? 1);

function requestOf({ request, members }: TaskSpec, got: Promised | null): NonNullable<RunInside["request"]> {
  const { cpu_milli, memory_bytes, disk_bytes, gpu, countables } = request;
  return {
    cpu_milli: cpu_milli ?? got?.cpu_milli ?? null,
    memory_bytes: memory_bytes ?? got?.memory_bytes ?? null,
    disk_bytes,
    gpu: gpu === null ? null : formatGpu(gpu),
    countables: { ...countables },
    defaults: [
      ...(cpu_milli === null ? (["cpu_milli"] as const) : []),
      ...(memory_bytes === null ? (["memory_bytes"] as const) : []),
    ],
    nodes: members,
  };
}

function logsOf(task: TaskRow, state: State): RunInside["logs"][number] {
  const node = state.nodes.get(task.node_id);
  const data = node?.facts.data ?? null;
  const room = isFinal(task.observed.state) ? "ended" : "tasks";
  return {
    task: taskName(task),
    node: node?.name ?? shortId(task.node_id),
    path: data === null ? null : `${data}/${room}/${task.uid}`,
  };
}
