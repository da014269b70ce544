// What an agent is told of its tasks: a stop names the revision at which its task was assigned, and what was given up
// is not started any more.

import { expect, test } from "bun:test";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { setBy, toldBy, verbsFor } from "../../../src/core/intake/assign";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { buildNode, buildSpec, buildState, buildTask, buildWorkload, NOW_MS } from "../../support/build";

const node = buildNode("a");
const api = buildWorkload("recs", "api", "s");
const stop = { why: "drained", signal: "TERM", grace_ms: 1_000, at_ms: NOW_MS };

const verbsOf = (task: TaskRow, part: Partial<Parameters<typeof verbsFor>[2]> = {}) =>
  verbsFor(buildState({ nodes: [node], workloads: [api], tasks: [task] }), node, {
    spec: () => buildSpec(),
    limits: DEFAULT_LIMITS,
    server: { uid: 0, boot_id: "b" },
    sign: () => "",
    tasks: [task],
    told: new Map(),
    set: null,
    ...part,
  });

test("a stop says at which revision its task was assigned", () => {
  const task = buildTask(api, "a", { desired: "stop", stop, assigned_revision: 7 });
  expect(verbsOf(task)).toMatchObject([{ verb: "stop", uid: task.uid, assigned_revision: 7 }]);
});

test("an attempt that was given up is not started, and is stopped once that is decided", () => {
  const written_off = { at_ms: NOW_MS, why: "its node was silent" };
  const assigned = { boot_id: node.boot_id, observed: { state: "assigned" } } as const;
  expect(verbsOf(buildTask(api, "a", assigned))).toMatchObject([{ verb: "assign" }]);
  expect(verbsOf(buildTask(api, "a", { ...assigned, written_off }))).toEqual([]);
  expect(verbsOf(buildTask(api, "a", { ...assigned, written_off, desired: "stop", stop }))).toMatchObject([
    { verb: "stop" },
  ]);
  const prepared = buildTask(api, "a", { observed: { state: "preparing", prepared: true, reason: null } });
  const told = new Map([[prepared.uid, "prepare" as const]]);
  expect(verbsOf(prepared, { told })).toEqual([{ verb: "go", uid: prepared.uid }]);
  expect(verbsOf({ ...prepared, written_off }, { told })).toEqual([]);
});

test("an agent that takes changed settings is told the present ones, once a session", () => {
  const task = buildTask(api, "a");
  const settings = {
    stop: { signal: "TERM", grace_ms: 10_000 },
    restart: { backoff_min_ms: 1_000, backoff_max_ms: 60_000, attempts: null },
    time_limit_ms: null,
  };
  // What the agent was told in an earlier session may be lost, or be of a database that was replaced.
  const [verb] = verbsOf(task, { set: new Map() });
  expect(verb).toEqual({ verb: "set", uid: task.uid, settings });
  expect(verbsOf(task, { set: new Map([[task.uid, setBy(verb!)!]]) })).toEqual([]);
  const over = [{ written_off: { at_ms: 1, why: "" } }, { desired: "stop" as const }];
  for (const part of over) expect(verbsOf(buildTask(api, "a", part), { set: new Map() })).toEqual([]);
  const told = new Map([[task.uid, "prepare" as const]]);
  const both = verbsOf(buildTask(api, "a", { observed: { state: "assigned" } }), { told, set: new Map() });
  expect(both.map((one) => one.verb)).toEqual(["go", "set"]);
});

test("an heir is told whose room it takes over, and to be taken back before it is stopped in any case", () => {
  const assigned = buildTask(api, "a", { observed: { state: "assigned" }, heir_of: ["one"] });
  expect(verbsOf(assigned)).toMatchObject([{ verb: "assign", task: { heir_of: ["one"] } }]);
  const back = { ...assigned, desired: "stop", stop: { ...stop, unbegun: true } } as const;
  const [verb] = verbsOf(back, { told: new Map([[back.uid, "run"]]) });
  expect(verb).toMatchObject({ verb: "stop", unbegun: true });
  const told = new Map([[back.uid, toldBy(verb!)!]]);
  expect(verbsOf(back, { told })).toEqual([]);
  const [last] = verbsOf({ ...back, stop }, { told });
  expect(last).toMatchObject({ verb: "stop", why: "drained" });
  expect(last).not.toHaveProperty("unbegun");
  expect(verbsOf({ ...back, stop }, { told: new Map([[back.uid, toldBy(last!)!]]) })).toEqual([]);
});
