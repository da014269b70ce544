// A gang's members are all prepared before one commit lets all of them run, or they are all withdrawn in time.

import type { RunRow, TaskRow } from "./model";
import { stopTask, wakeAt, type Pass } from "./pass";
import { formatDuration } from "./format";
import { taskName } from "./task";
import type { TaskSpec } from "./workload";

/** Lets a prepared gang go, or withdraws it when its deadline has come. */
export function gangGoes(pass: Pass, run: RunRow, spec: TaskSpec, open: readonly TaskRow[]): void {
  const members = [...open].sort((a, b) => a.member - b.member);
  const unready = members.filter((task) => !isReady(pass, task));
  if (unready.length === 0 && members.length === spec.members) {
    for (const task of members) {
      if (task.desired === "prepare")
        pass.ops.push({ op: "go", task, why: `all ${spec.members} members are prepared` });
    }
    return;
  }
  const placed = Math.min(...members.map((task) => task.created_ms));
  const deadline = placed + pass.limits.prepare_deadline_ms;
  wakeAt(pass, deadline);
  if (deadline > pass.now_ms) return;
  const why =
    `withdrawn: not prepared within ${formatDuration(pass.limits.prepare_deadline_ms)}: ` +
    unready.map((task) => sayUnready(pass, task)).join(", ");
  for (const task of members) stopTask(pass, task, run.settings.stop, why);
}

/** Prepared, and on a node that will hear the word. */
function isReady(pass: Pass, task: TaskRow): boolean {
  if (pass.nodes.get(task.node_id)?.heard !== true) return false;
  return task.desired === "run" || (task.observed.state === "preparing" && task.observed.prepared);
}

function sayUnready(pass: Pass, task: TaskRow): string {
  const node = pass.nodes.get(task.node_id)?.node.name ?? task.node_id;
  const reason = task.observed.state === "preparing" && task.observed.reason !== null ? ` ${task.observed.reason}` : "";
  return `${taskName(task)} on ${node}${reason}`;
}
