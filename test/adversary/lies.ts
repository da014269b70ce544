// What a rogue agent says of tasks that are not its own.

import { bareReport, type TaskReport } from "../../src/core/model/record";

/** Says that a task, whatever it is, failed a moment ago. */
export const failedWithoutRecord = (uid: string): TaskReport =>
  bareReport(uid, {
    state: "failed",
    started_age_ms: null,
    finished_age_ms: 0,
    exit_code: 1,
    signal: null,
    reason: "a lie",
    peak_memory_bytes: null,
    tail: null,
    next: null,
  });
