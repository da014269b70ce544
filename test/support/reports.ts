// What an agent reports of a task that it was given, for tests that speak for an agent.

import { identityIn } from "../../src/core/model/new-task";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { Reported, TaskReport } from "../../src/core/model/record";
import { taskName } from "../../src/core/model/task";

export function reportOf(task: TaskRow, reported: Reported): TaskReport {
  const { uid, grant_until, promised, exclusive, unix_user } = task;
  const identity = identityIn(task);
  return { uid, name: taskName(task), identity, grant_until, held: promised, exclusive, unix_user, reported };
}

/** A report of an end with exit code 3. `next` is the uid of the successor that the agent made. */
export const failedReport = (task: TaskRow, next: string | null = null, starts_in_ms = 0): TaskReport =>
  reportOf(task, {
    state: "failed",
    reason: null,
    started_age_ms: 5,
    finished_age_ms: 1,
    exit_code: 3,
    signal: null,
    peak_memory_bytes: null,
    tail: null,
    next: next === null ? null : { uid: next, starts_in_ms },
  });
