// Orders of tasks for tests of the keeper.

import type { TaskOrder } from "../../src/agent/keeper/messages";
import { randomHex } from "../../src/os/dice";

/** Makes the order of a task that runs a shell script. `over` replaces any other field. */
export function orderOf(script: string, over: Partial<TaskOrder> = {}): TaskOrder {
  const uid = over.uid ?? randomHex(16);
  return {
    uid,
    name: "t",
    argv: ["/bin/sh", "-c", script],
    env: { PATH: "/usr/bin:/bin", ORCH_TASK: uid },
    workdir: "/",
    home: "/",
    account: null,
    limits: { cpu_milli: 100, memory_bytes: null, pids: 1_000 },
    oom_score_adj: 0,
    marker: `ORCH_TASK=${uid}`,
    stop: { signal: "TERM", grace_ms: 200 },
    lease_ms: null,
    log_cap_bytes: 1_000_000,
    held: null,
    ...over,
  };
}
