// Views of the API, as a server would answer.

import type { TaskView } from "../../src/wire/api/tasks";

/** Returns a running replica of a service, which is named as `app.workload`. */
export function replicaOf(service: string, slot: number): TaskView {
  const [app = "", workload = ""] = service.split(".");
  return {
    id: String(slot).padStart(32, "a"),
    name: `${service}.${slot}`,
    project: "search",
    user: "alice",
    app,
    workload,
    kind: "service",
    version: 1,
    run: null,
    slot,
    member: 0,
    attempt: 1,
    node: "box1",
    desired: "run",
    state: "running",
    reason: null,
    blocked: null,
    health: null,
    pid: 7,
    cause: null,
    exit_code: null,
    signal: null,
    devices: [],
    ports: {},
    peak_memory_bytes: null,
    created_ms: 1,
    started_ms: 1,
    finished_ms: null,
    elements: null,
    batch: null,
    array: null,
    crashes: 0,
  };
}
