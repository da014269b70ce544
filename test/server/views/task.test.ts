// What programs read of a task in fields and never in its reason: how often its slot has crashed, and why it ended.

import { expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { waitOf } from "../../../src/core/pass/pass";
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
} from "../../support/build";

const node = buildNode("a");
const api = buildWorkload("recs", "api", "s");
const task = buildTask(api, "a", { attempt: 4 });
const slot = buildSlot(task, { streak: 3, ends: [buildEnd(task)] });
const state = (part: object = {}) =>
  buildState({ nodes: [node], workloads: [api], tasks: [task], slots: [slot], ...part });

test("the crashes of its slot count for the version that crashed, and for no task that has ended", () => {
  expect(taskView(task, state()).crashes).toBe(3);
  expect(taskView({ ...task, version: 2 }, state()).crashes).toBe(0);
  expect(taskView({ ...task, observed: buildFinal() }, state()).crashes).toBe(0);
  expect(taskView(task, state({ slots: [] })).crashes).toBe(0);
});

const spec = () => buildSpec();

test("a slot that waits says how often it has crashed", () => {
  const none = { state: state({ tasks: [] }), blocked: [], now_ms: 0 };
  const waiting = { ...none, spec, waits: waitsIn({ ...none, queue: [], spec, limits: DEFAULT_LIMITS }) };
  expect([...pendingSlots(waiting)].map(({ view }) => view().crashes)).toEqual([3]);
});

test("a slot waits beside the task that it is to replace, and not beside one that is only silent", () => {
  const web = buildWorkload("recs", "api", "s", { version: 2 });
  const rows = (version: number) => ({ nodes: [node], workloads: [web], tasks: [buildTask(web, "a", { version })] });
  const pending = (version: number, words: string | null) => {
    const blocked = words === null ? [] : [waitOf(web, 0, words)];
    const none = { state: buildState(rows(version)), blocked, now_ms: 0 };
    const waiting = { ...none, spec, waits: waitsIn({ ...none, queue: [], spec, limits: DEFAULT_LIMITS }) };
    return [...pendingSlots(waiting)].map(({ view }) => [view().version, view().reason]);
  };
  expect(pending(1, "waits: no room")).toEqual([[2, "waits: no room"]]);
  expect(pending(1, null)).toEqual([]);
  expect(pending(2, "waits for its node")).toEqual([]);
});

test("an end says why in a field; ends of before have none", () => {
  expect(taskView({ ...task, observed: buildFinal({ cause: "time_limit" }) }, state()).cause).toBe("time_limit");
  expect(taskView({ ...task, observed: buildFinal() }, state()).cause).toBeNull();
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
  const waiting = { ...none, spec, waits: waitsIn({ ...none, queue: [], spec, limits: DEFAULT_LIMITS }) };
  expect([...pendingSlots(waiting)].map(({ view }) => view().created_ms)).toEqual([300, 400, 200, 200]);
});
