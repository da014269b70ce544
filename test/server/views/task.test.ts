// What programs read of a task in fields and never in its reason: how often its slot has crashed, and why it ended.

import { describe, expect, test } from "bun:test";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { waitOf } from "../../../src/core/pass/pass";
import type { Wording } from "../../../src/server/access/wording";
import { pendingSlots, taskView } from "../../../src/server/views/task";
import { waitsIn } from "../../../src/server/views/waits";
import {
  buildEnd,
  buildFinal,
  buildNode,
  buildSlot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../../support/build";

const wording: Wording = (said) => said;

const node = buildNode("a");
const api = buildWorkload("recs", "api", "s");
const task = buildTask(api, "a", { attempt: 4, observed: { state: "running", pid: 1, started_ms: NOW_MS } });
const slot = buildSlot(task, { streak: 3, ends: [buildEnd(task)] });
const state = (part: object = {}) =>
  buildState({ nodes: [node], workloads: [api], tasks: [task], slots: [slot], ...part });

const view = (row: TaskRow, part: object = {}, now_ms = NOW_MS) =>
  taskView(row, { state: state(part), now_ms, limits: DEFAULT_LIMITS, wording });

test("the crashes of its slot count for the version that crashed, and for no task that has ended", () => {
  expect(view(task).crashes).toBe(3);
  expect(view({ ...task, version: 2 }).crashes).toBe(0);
  expect(view({ ...task, observed: buildFinal() }).crashes).toBe(0);
  expect(view(task, { slots: [] }).crashes).toBe(0);
});

test("what a newer version is to replace says so, as long as it goes on", () => {
  const running = { ...task, observed: { state: "running", pid: 1, started_ms: 1 } } as const;
  const newer = { workloads: [{ ...api, version: 2 }], slots: [] };
  expect(view(running, newer).reason).toBe("version 2 is to replace it");
  expect(view(running, { slots: [] }).reason).toBeNull();
});

describe("a crash loop is told in one way", () => {
  const said = (observed: TaskRow["observed"], part: object = {}) => {
    const row = buildSlot(task, { ...slot, not_before_ms: NOW_MS + 4_000, ...part });
    const { state: shown, reason, crashes } = view({ ...task, observed }, { slots: [row] });
    return [shown, crashes, reason];
  };
  const held = { state: "preparing", prepared: false, reason: null } as const;
  const running = (ran_ms: number) => ({ state: "running", pid: 1, started_ms: NOW_MS - ran_ms }) as const;

  test("while its agent holds the next attempt back, as where the plan makes it", () => {
    const words = "crashed 3× in a row, last exit code 1; starts again in 4s";
    expect(said(held)).toEqual(["pending", 3, words]);
    const row = { ...slot, not_before_ms: NOW_MS + 4_000 };
    const none = { state: state({ tasks: [], slots: [row] }), blocked: [], now_ms: NOW_MS };
    const waits = waitsIn({ ...none, queue: [], spec, limits: DEFAULT_LIMITS });
    const [pending] = [...pendingSlots({ ...none, spec, wording, waits })].map(({ view: made }) => made());
    expect([pending?.state, pending?.crashes, pending?.reason]).toEqual(["pending", 3, words]);
  });
  test("also where it ended with 0, which a service is not to do", () => {
    const ends = [buildEnd(task, { state: "succeeded", exit_code: 0 })];
    const words = "crashed 3× in a row, last ended by itself with exit code 0, and is to run on; starts again in 4s";
    expect(said(held, { ends })).toEqual(["pending", 3, words]);
  });
  test("while it runs again and is not stable yet", () => {
    expect(said(running(5_000))).toEqual(["running", 3, "crashed 3× in a row, last exit code 1"]);
    expect(said(running(5_000), { streak: 1 })).toEqual(["running", 1, "crashed 1×, last exit code 1"]);
    expect(said(running(DEFAULT_LIMITS.stable_ms))).toEqual(["running", 0, null]);
  });
  test("when it is about to start, or its node keeps it waiting", () => {
    const late = { not_before_ms: NOW_MS };
    expect(said(held, late)).toEqual(["preparing", 3, "crashed 3× in a row, last exit code 1"]);
    expect(said({ ...held, reason: "waits for a valid lease" }, late)[2]).toBe(
      "waits for a valid lease; crashed 3× in a row, last exit code 1",
    );
  });
  test("with the last crash's code, after a stop", () => {
    const crash = { state: "failed", exit_code: 7, signal: null, reason: null } as const;
    const ends = [buildEnd(task, { state: "stopped", exit_code: null, signal: "TERM", crash })];
    expect(said(running(5_000), { ends })[2]).toBe("crashed 3× in a row, last exit code 7");
  });
});

const spec = () => buildSpec();

test("a slot that waits says how often it has crashed", () => {
  const none = { state: state({ tasks: [] }), blocked: [], now_ms: 0 };
  const waiting = { ...none, spec, wording, waits: waitsIn({ ...none, queue: [], spec, limits: DEFAULT_LIMITS }) };
  expect([...pendingSlots(waiting)].map(({ view }) => view().crashes)).toEqual([3]);
});

test("a slot waits beside the task that it is to replace, and not beside one that is only silent", () => {
  const web = buildWorkload("recs", "api", "s", { version: 2 });
  const rows = (version: number) => ({ nodes: [node], workloads: [web], tasks: [buildTask(web, "a", { version })] });
  const pending = (version: number, words: string | null) => {
    const blocked = words === null ? [] : [waitOf(web, 0, words)];
    const none = { state: buildState(rows(version)), blocked, now_ms: 0 };
    const waiting = { ...none, spec, wording, waits: waitsIn({ ...none, queue: [], spec, limits: DEFAULT_LIMITS }) };
    return [...pendingSlots(waiting)].map(({ view }) => [view().version, view().reason]);
  };
  expect(pending(1, "waits: no room")).toEqual([[2, "waits: no room"]]);
  expect(pending(1, null)).toEqual([]);
  expect(pending(2, "waits for its node")).toEqual([]);
});

test("an end says why in a field; ends of before have none", () => {
  expect(view({ ...task, observed: buildFinal({ cause: "time_limit" }) }).cause).toBe("time_limit");
  expect(view({ ...task, observed: buildFinal() }).cause).toBeNull();
});

test("a slot waits since it was wanted, or since its last attempt ended or was told to stop", () => {
  const wanted = [
    { from: 0, since_ms: 100 },
    { from: 2, since_ms: 200 },
  ];
  const grown = buildWorkload("recs", "api", "s", { wanted, settings: { replicas: 4 } });
  const stop = { why: "restarted", signal: "TERM", grace_ms: 1, at_ms: 400 };
  const rows = {
    nodes: [node],
    workloads: [grown],
    slots: [buildSlot(task, { ends: [buildEnd(task, { at_ms: 300 })] })],
    tasks: [buildTask(grown, "a", { slot: 1, desired: "stop", stop })],
  };
  const none = { state: buildState(rows), blocked: [], now_ms: 0 };
  const waiting = { ...none, spec, wording, waits: waitsIn({ ...none, queue: [], spec, limits: DEFAULT_LIMITS }) };
  expect([...pendingSlots(waiting)].map(({ view }) => view().created_ms)).toEqual([300, 400, 200, 200]);
});
