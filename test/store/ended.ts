// Rows of history for tests: runs with a task each that have ended.

import type { Change } from "../../src/core/model/rows-state";
import type { RunRow } from "../../src/core/model/rows-work";
import type { TaskRow } from "../../src/core/model/rows-task";
import type { Store } from "../../src/store/store";
import { buildRun, buildSpec, buildTask } from "../support/build";
import { clock } from "./scratch";

export function ended(n: number, spec_hash = "h", project = "lab"): { run: RunRow; task: TaskRow; changes: Change[] } {
  const user = n % 2 === 0 ? "bob" : "alice";
  const run = buildRun(n, spec_hash, { state: "succeeded", finished_ms: 1, project, user });
  const task = buildTask(run, "n1", {
    app_uid: n % 3 === 0 ? "app" : null,
    observed: {
      state: "succeeded",
      started_ms: 1,
      finished_ms: 2,
      exit_code: 0,
      signal: null,
      reason: null,
      peak_memory_bytes: null,
      tail: { stdout: "x", stderr: "" },
    },
  });
  return {
    run,
    task,
    changes: [
      { table: "ended_runs", key: run.uid, row: run },
      { table: "ended_tasks", key: task.uid, row: task },
    ],
  };
}

/** Runs 1 to `count`, each ended in its own batch a second after the other. */
export async function filled(store: Store, count: number): Promise<void> {
  for (let n = 1; n <= count; n++) {
    clock.at_ms += 1_000;
    await store.commit("plan", (draft) => {
      draft.put(ended(n, draft.putSpec(buildSpec({ env: { N: String(n) } }))).changes);
      draft.event({ verb: "ended", object: `job-${n % 2}`, project: null, detail: String(n) });
    });
  }
}

export const runs = (rows: readonly RunRow[]): number[] => rows.map(({ run }) => run);
