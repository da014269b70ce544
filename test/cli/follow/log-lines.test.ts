// The lines of many tasks in one output: in which order, and behind which names.

import { describe, expect, test } from "bun:test";
import { makeContext } from "../../../src/cli/context";
import { namedSink } from "../../../src/cli/follow/log-sink";
import { newestTasks } from "../../../src/cli/follow/log-targets";
import type { TaskView } from "../../../src/wire/api/tasks";
import { stage } from "../stage";

const task = (slot: number): TaskView => ({
  ...{ id: `t${slot}`, name: `recs.api.${slot}`, project: "search", user: "alice", app: "recs", workload: "api" },
  ...{ kind: "service", version: 1, run: null, slot, member: 0, attempt: 1, node: "box1", desired: "run" },
  ...{
    state: "running",
    reason: null,
    blocked: null,
    health: null,
    pid: 7,
    cause: null,
    exit_code: null,
    signal: null,
  },
  ...{ devices: [], ports: {}, peak_memory_bytes: null, created_ms: 1, started_ms: 1, finished_ms: null, crashes: 0 },
});

test("replicas are in the order of their numbers", () => {
  const names = newestTasks([10, 2, 0, 1].map(task), null).map(({ name }) => name);
  expect(names).toEqual(["recs.api.0", "recs.api.1", "recs.api.2", "recs.api.10"]);
});

describe("what the names of all tasks begin with", () => {
  const shown = async (name: string, tty: boolean): Promise<string> => {
    const { host, out } = stage({ tty, env: { NO_COLOR: "1" } });
    const sink = namedSink(makeContext(host, { url: null, token: null, data: null }), host.out, name, "recs.api.");
    await sink.write(new TextEncoder().encode("started\n"));
    return out();
  };
  test("is left out on a terminal", async () => {
    expect(await shown("recs.api.12", true)).toBe("12 | started\n");
    expect(await shown("recs.web.0", true)).toBe("recs.web.0 | started\n");
  });
  test("stays for programs", async () => expect(await shown("recs.api.12", false)).toBe("recs.api.12 | started\n"));
});
