// A report in the server's terms: ages become times on its clock, and an end becomes an event.

import { freshUid } from "../fresh";
import type { Change } from "../model/rows-state";
import type { ReportedEnd, TaskFinal } from "../model/end";
import type { Observed, TaskRow } from "../model/rows-task";
import type { Reported } from "../model/record";
import { taskName } from "../model/task";
import type { Ms } from "../units";

/** Converts a reported state to the server's clock. */
export function observedOf(reported: Reported, now_ms: Ms): Observed {
  switch (reported.state) {
    case "preparing":
    case "starting":
      return reported;
    case "running":
      return { state: "running", pid: reported.pid, started_ms: now_ms - reported.started_age_ms };
    case "stopping":
      return {
        state: "stopping",
        pid: reported.pid,
        started_ms: reported.started_age_ms === null ? null : now_ms - reported.started_age_ms,
      };
    default:
      return finalOf(reported, now_ms);
  }
}

/** Agents of earlier releases report an unknown end as `gone`, with the cause `result_unknown`. */
const finalOf = (reported: ReportedEnd, now_ms: Ms): TaskFinal => {
  const { state, started_age_ms, finished_age_ms, next: _next, ...facts } = reported;
  return {
    ...facts,
    state: state !== "gone" ? state : facts.cause === "result_unknown" ? "unknown" : "lost",
    started_ms: started_age_ms === null ? null : now_ms - started_age_ms,
    finished_ms: now_ms - finished_age_ms,
  };
};

/**
 * Makes the event of a task's end, with the task's node as the actor. `said` is what became of the elements of a batch.
 * The store replaces the id when the event is put.
 */
export function endEvent(
  task: TaskRow,
  final: TaskFinal,
  node: string,
  n: number,
  context: { seed: string; now_ms: Ms },
  said: string | null = null,
): Change {
  const id = freshUid(context.seed, n);
  const code =
    final.signal !== null ? `signal ${final.signal}` : final.exit_code !== null ? `exit code ${final.exit_code}` : "";
  const detail = [said ?? code, final.reason ?? ""].filter((part) => part !== "").join(": ");
  return {
    table: "events",
    key: id,
    row: {
      id,
      at_ms: context.now_ms,
      actor: `node ${node}`,
      // A batch that has run to its end says nothing of its elements by that.
      verb: said !== null && final.state === "succeeded" ? "ended" : final.state,
      object: taskName(task),
      project: task.project,
      node_id: task.node_id,
      run: task.run,
      detail,
    },
  };
}
