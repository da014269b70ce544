// The small rules of the agent's hands that need no process: leases, environments, accounts, records, names of signals.

import { describe, expect, test } from "bun:test";
import { accessOf } from "../../src/agent/devices/access";
import type { Handle } from "../../src/agent/devices/device";
import { environmentOf } from "../../src/agent/machine/environment";
import { keptRecord, parseRecord } from "../../src/agent/tasks/records";
import { commandOf } from "../../src/agent/keeper/command";
import { leasePhase, LEASE_GUARD_MS } from "../../src/agent/keeper/lease";
import type { TaskOrder } from "../../src/agent/keeper/messages";
import { parseExit } from "../../src/agent/tasks/taskdir";
import type { Activate } from "../../src/core/model/workload";
import type { Variables } from "../../src/core/model/variables";
import { parseAccount, uidHint } from "../../src/os/process/accounts";
import { signalName, signalNumber } from "../../src/os/process/signals";
import { assignmentFor, recordFor } from "../support/tasks";
import { STILL } from "../support/clocks";

describe("a lease", () => {
  const at = (now_ms: number) => leasePhase(10_000, 30_000, 5_000, now_ms).is;
  test("is held until grace and guard are all that is left", () => {
    expect(at(40_000 - LEASE_GUARD_MS - 5_000 - 1)).toBe("held");
    expect(at(40_000 - LEASE_GUARD_MS - 5_000)).toBe("ending");
    expect(at(40_000 - LEASE_GUARD_MS)).toBe("over");
  });
  test("is over when the server was never heard", () => expect(leasePhase(null, 30_000, 0, 1).is).toBe("over"));
});

describe("an environment", () => {
  const account = { name: "alice", uid: 1_000, gid: 1_000, home: "/home/alice", shell: "/bin/zsh" };
  const handle = (id: string, vendor: Handle["vendor"], visible: string, over: Partial<Handle> = {}): Handle => ({
    id,
    vendor,
    visible,
    parent: null,
    files: [],
    shared_files: [],
    counted: true,
    missing: false,
    ...over,
  });
  const handles = [
    handle("n0", "nvidia", "0"),
    handle("a0", "amd", "0"),
    handle("n1", "nvidia", "1"),
    handle("MIG-1", "nvidia", "MIG-1", { parent: "n0" }),
  ];
  const given = (...ids: string[]): Variables => ({
    ...accessOf(
      ids.map((id) => ({ id, bytes: null })),
      handles,
      { keeps: false, mps: null },
    ).variables,
  });

  test("is a login's, then the task's, then the devices'", () => {
    const asked = { HOME: "/else", CUDA_VISIBLE_DEVICES: "0,1,2" };
    const env = environmentOf(assignmentFor("true", { env: asked }), account, given());
    expect(env).toMatchObject({ USER: "alice", SHELL: "/bin/zsh", HOME: "/else", CUDA_VISIBLE_DEVICES: "" });
  });
  test("is led by what is activated, whatever PATH its spec has", () => {
    const of = (activate: Activate, env = {}) => environmentOf(assignmentFor("true", { activate, env }), account, {});
    expect(of({ kind: "venv", dir: "/v" })).toMatchObject({
      PATH: "/v/bin:/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games",
      VIRTUAL_ENV: "/v",
    });
    expect(of({ kind: "conda", dir: "/c/envs/x" }, { PATH: "/mine" })).toMatchObject({
      PATH: "/c/envs/x/bin:/mine",
      CONDA_PREFIX: "/c/envs/x",
      CONDA_DEFAULT_ENV: "x",
    });
    expect(of({ kind: "conda", dir: "/c" }, { CONDA_DEFAULT_ENV: "base" })["CONDA_DEFAULT_ENV"]).toBe("base");
  });
  test("shows devices by what their vendor calls them", () => {
    expect(given("n1", "a0")).toEqual({
      CUDA_DEVICE_ORDER: "PCI_BUS_ID",
      CUDA_VISIBLE_DEVICES: "1",
      NVIDIA_VISIBLE_DEVICES: "n1",
      ROCR_VISIBLE_DEVICES: "0",
      ZE_AFFINITY_MASK: "",
      ORCH_GPU_UUIDS: "n1,a0",
    });
    expect(given("MIG-1")).toMatchObject({ CUDA_VISIBLE_DEVICES: "MIG-1", NVIDIA_VISIBLE_DEVICES: "MIG-1" });
  });
  test("shows none to a task that was promised none", () => {
    expect(given()).toMatchObject({ CUDA_VISIBLE_DEVICES: "", NVIDIA_VISIBLE_DEVICES: "void", ORCH_GPU_UUIDS: "" });
  });
  test("shows UUIDs while the driver may count other cards than are seen here", () => {
    const lost = handles.map((one) => ({ ...one, counted: false }));
    expect(accessOf([{ id: "n1", bytes: null }], lost, { keeps: false, mps: null }).variables).toMatchObject({
      CUDA_VISIBLE_DEVICES: "n1",
    });
  });
});

describe("a switch of account", () => {
  const order: TaskOrder = {
    uid: "u",
    name: "t",
    argv: ["x"],
    env: { LD_PRELOAD: "/evil.so", "no-name": "1" },
    workdir: null,
    home: "/",
    account: { name: "alice", uid: 1_000, gid: 1_000 },
    limits: { cpu_milli: 1, memory_bytes: null, pids: 1 },
    oom_score_adj: 0,
    marker: "",
    stop: { signal: "TERM", grace_ms: 0 },
    lease_ms: null,
    log_cap_bytes: 0,
    held: null,
  };
  const TOOLS = { setpriv: "/usr/bin/setpriv", prlimit: "/usr/bin/prlimit" };
  test("puts limits before the switch, which only the agent's account may give", () => {
    const wrapped = commandOf(
      { ...order, process_limits: { nofile: 4_096, memlock: null } },
      { cwd: "/", far: false },
      TOOLS,
    );
    if (typeof wrapped === "string") throw new Error(wrapped);
    const [program, ...words] = wrapped.argv;
    expect([program, ...words.slice(0, 4)]).toEqual([
      "/usr/bin/prlimit",
      "--nofile=4096:4096",
      "--memlock=unlimited:unlimited",
      "--",
      "/usr/bin/setpriv",
    ]);
  });
  test("takes no name of the task's environment along, and no value in its arguments", () => {
    const wrapped = commandOf(order, { cwd: "/", far: false }, TOOLS);
    if (typeof wrapped === "string") throw new Error(wrapped);
    expect(wrapped.env).toEqual({ ORCH_HIDDEN_0: "/evil.so" });
    expect(wrapped.argv.join(" ")).not.toContain("/evil.so");
  });
  test("cannot be made without its tool, and says so", () =>
    expect(commandOf(order, { cwd: "/", far: false }, { ...TOOLS, setpriv: null })).toContain("setpriv"));
});

describe("accounts", () => {
  test("that orch makes have the same uid everywhere, off all ranges of others", () => {
    expect([uidHint("alice"), uidHint("bob")]).toEqual([123_479, 430_244]);
    for (const name of ["alice", "bob", "a", "z".repeat(32)]) {
      expect(uidHint(name)).toBeGreaterThan(65_536);
      expect(uidHint(name)).toBeLessThan(524_288);
    }
  });
  test("are read as passwd lists them, with what is empty filled in", () => {
    expect(parseAccount("alice:x:1000:1001:A B,,:/home/alice:/bin/bash\n")).toEqual({
      name: "alice",
      uid: 1_000,
      gid: 1_001,
      home: "/home/alice",
      shell: "/bin/bash",
    });
    expect(parseAccount("bob:x:5:5:::")).toMatchObject({ home: "/", shell: "/bin/sh" });
    for (const bad of ["", "x", "a:b:c:d:e:f:g"]) expect(parseAccount(bad)).toBeNull();
  });
});

describe("a record", () => {
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  test("is read back as it was written", () =>
    expect(parseRecord(JSON.parse(JSON.stringify(keptRecord(record, STILL))), uid, STILL)).toEqual({
      is: "there",
      record,
    }));
  const bad: readonly (readonly [string, unknown])[] = [
    ["null", null],
    ["a text", "x"],
    ["a list", []],
    ["of another task", recordFor(assignmentFor("true"))],
    ["without fields", { assignment: record.assignment }],
    ["with a strange end", { ...record, end: { state: "fine" } }],
    ["with a strange stop", { ...record, stop: 1 }],
  ];
  for (const [what, value] of bad) {
    test(`${what} is refused with a reason`, () =>
      expect(parseRecord(value, uid)).toMatchObject({ is: "bad", why: expect.stringMatching(/\w/) }));
  }
});

test("an exit of another release is read as far as it goes", () => {
  expect(parseExit({ started_ms: 1, ended_ms: 2, exit_code: 3, new: true }, STILL, STILL)).toEqual({
    started_ms: 1,
    ended_ms: 2,
    exit_code: 3,
    signal: null,
    peak_memory_bytes: null,
    oom: false,
    left: 0,
    reason: null,
  });
  for (const bad of [undefined, {}, [], null, 3, "", { started_ms: 1, ended_ms: "2" }])
    expect(parseExit(bad, STILL, STILL)).toBeNull();
});

test("an exit says in a field what ended it, also where a keeper of before told it in words alone", () => {
  const causeOf = (exit: object): unknown =>
    parseExit({ started_ms: 1, ended_ms: 2, exit_code: 0, ...exit }, STILL, STILL)?.cause;
  expect(causeOf({ reason: null })).toBeUndefined();
  expect(causeOf({ reason: "could not start: /x is not executable" })).toBe("start_failed");
  expect(causeOf({ reason: "its lease ran out: the server was not heard" })).toBe("lease_expired");
  expect(causeOf({ cause: "start_failed", reason: "in other words" })).toBe("start_failed");
  expect(causeOf({ cause: "no_account", reason: "could not start: no account" })).toBe("no_account");
  // A keeper of a later release may know more causes.
  expect(causeOf({ cause: "of_later", reason: "could not start: who knows" })).toBe("start_failed");
});

test("an end of another release is read as far as it goes", () => {
  const record = recordFor(assignmentFor("true"));
  const read = (end: object): unknown => {
    const parsed = parseRecord({ ...record, end }, record.assignment.uid, { ...STILL, boot_id: record.boot_id });
    return parsed.is === "bad" ? parsed.why : parsed.record.end;
  };
  const end = { state: "failed", started_ms: null, finished_ms: 1, exit_code: 1, signal: null, reason: null };
  expect(read(end)).toEqual({ ...end, peak_memory_bytes: null, next_uid: null });
  expect(read({ ...end, cause: "time_limit" })).toMatchObject({ cause: "time_limit" });
  expect(read({ ...end, cause: "of tomorrow", more: 1 })).toEqual(read(end));
});

test("signals are known by name, with and without SIG, and by number", () => {
  expect(["TERM", "sigterm", "15", "NONE"].map(signalNumber)).toEqual([15, 15, 15, null]);
  expect([signalName("SIGKILL"), signalName(10), signalName(35)]).toEqual(["KILL", "USR1", "35"]);
});
