// What `explain` names is planned to the end: the change becomes a version, tasks end and begin, until nothing is done.

import { describe, expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../../src/core/pass/limits";
import { slotAfterEnd } from "../../../src/core/pass/slot";
import type { NamedChange, Snapshot } from "../../../src/core/pass/snapshot";
import { withChanges } from "../../../src/core/plan/changes";
import { plan } from "../../../src/core/plan/plan";
import type { State } from "../../../src/core/model/rows-state";
import type { TaskRow } from "../../../src/core/model/rows-task";
import { slotKey } from "../../../src/core/model/task";
import { buildFinal, NOW_MS, uidOf } from "../../support/build";
import { parseCluster } from "../../support/cluster-text";

/** Lets what is told to stop end, and what is placed run for a minute. */
function live(state: State): State {
  const slots = new Map(state.slots);
  const tasks = new Map<string, TaskRow>();
  for (const [uid, task] of state.tasks) {
    const owner = state.workloads.get(task.owner_uid);
    const key = slotKey(task.owner_uid, task.slot);
    if (task.desired !== "stop") {
      tasks.set(uid, { ...task, observed: { state: "running", pid: 1, started_ms: NOW_MS - 60_000 } });
    } else if (owner !== undefined) {
      const final = buildFinal({ state: "stopped" });
      slots.set(key, slotAfterEnd(slots.get(key) ?? null, task, final, owner.settings, DEFAULT_LIMITS));
    }
  }
  return { ...state, tasks, slots };
}

const PASSES = 40;

/** Makes a named change the next version of a service, and returns its tasks once nothing is left to do. */
function planned(snapshot: Snapshot, name: string, { spec }: NamedChange): string[] {
  const row = [...snapshot.state.workloads.values()].find((one) => one.name === name);
  if (row === undefined) throw new Error(`no service ${name}`);
  const workloads = new Map(snapshot.state.workloads);
  workloads.set(row.uid, { ...row, version: row.version + 1, spec_hash: "named" });
  let state: State = { ...snapshot.state, workloads };
  for (let pass = 0; pass < PASSES; pass++) {
    const seed = uidOf(`pass ${pass}`);
    const next = plan({ ...snapshot, state, seed, spec: (hash) => (hash === "named" ? spec : snapshot.spec(hash)) });
    if (next.ops.length === 0) break;
    state = live(withChanges(state, next.changes));
  }
  return [...state.tasks.values()]
    .filter(({ owner_uid }) => owner_uid === row.uid)
    .map(({ slot, version }) => `${name}.${slot} v${version}`)
    .sort();
}

const changesOf = (snapshot: Snapshot, name: string): readonly NamedChange[] =>
  plan(snapshot).blocked.find((one) => one.name === name)?.changes ?? [];

describe("a change that runs now", () => {
  const FILLED = `
node a cpu=2
node b cpu=2
service x.fill cpu=400m replicas=2
task x.fill.0 on=a
task x.fill.1 on=b`;
  const ROLL = `${FILLED}
service x.d cpu=300m replicas=3 version=2
task x.d.0 on=a version=1 cpu=1500m
task x.d.1 on=b version=1 cpu=1500m`;

  test("rolls all replicas, also where one of them has waited since before", () => {
    const { snapshot } = parseCluster(ROLL);
    const named = changesOf(snapshot, "x.d.0");
    expect(named[0]?.changes[0]).toStartWith("`exclusive: true`");
    for (const change of named) {
      expect(change.outcome).toBe("runs");
      expect(planned(snapshot, "d", change)).toEqual(["d.0 v3", "d.1 v3", "d.2 v3"]);
    }
  });

  test("of what waits beside others of its own keeps those", () => {
    const { snapshot } = parseCluster(`${FILLED}
service x.d cpu=1500m replicas=3
task x.d.0 on=a
task x.d.1 on=b`);
    const named = changesOf(snapshot, "x.d.2");
    expect(named.map(({ changes }) => changes)).toEqual([["ask for 100m cores"]]);
    for (const change of named) expect(planned(snapshot, "d", change)).toEqual(["d.0 v2", "d.1 v2", "d.2 v2"]);
  });
});
