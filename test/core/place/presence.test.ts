// What nodes say of accounts and directories, as a plan reads it: who lacks something does not fit, who has not said is
// waited for a while, and who cannot be asked is as before.

import { describe, expect, test } from "bun:test";
import { HOUSE_LIMITS } from "../../../src/core/limits";
import { ANSWER_WITHIN_MS, needKey, type PresenceFact, type Presences } from "../../../src/core/pass/presence";
import { plan } from "../../../src/core/plan/plan";
import type { TaskSpec } from "../../../src/core/model/workload";
import { buildNode, buildRun, buildSnapshot, buildSpec, buildState, NOW_MS } from "../../support/build";

const nodes = ["a", "b"].map((name) => buildNode(name));
const venv = { kind: "venv", dir: "/home/alice/venv" } as const;
const ACCOUNT = "alice\n";
const WORKDIR = "alice\n/data/x";
const VENV = `alice\n${venv.dir}`;

type Said = Readonly<Record<string, PresenceFact["is"]>>;
const saidOf = (said: Said): ReadonlyMap<string, PresenceFact> =>
  new Map(Object.entries(said).map(([key, is]) => [key, is === "asked" ? { is, for_ms: 1_000 } : { is }]));
const presencesOf = (said: Readonly<Record<string, Said>>): Presences =>
  new Map(Object.entries(said).map(([id, one]) => [id, saidOf(one)]));

function planned(presences: Presences | null, part: Partial<TaskSpec>, count = 1) {
  const specs = { s: buildSpec({ ...part, origin: "run" }) };
  const runs = Array.from({ length: count }, (_, n) => buildRun(n + 1, "s", { user: "alice" }));
  const snapshot = buildSnapshot(buildState({ nodes, runs }), { specs });
  return plan(presences === null ? snapshot : { ...snapshot, presences });
}
const placedOn = ({ ops }: ReturnType<typeof plan>): string[] =>
  ops.flatMap((op) => (op.op === "place" ? [op.task.node_id] : []));
const THERE = { [ACCOUNT]: "there", [WORKDIR]: "there", [VENV]: "there" } as const;
const both = (said: Said): Presences => presencesOf({ a: { ...THERE, ...said }, b: { ...THERE, ...said } });

describe("a directory that a node says it does not have", () => {
  test("keeps work from that node, by the name of its check", () => {
    const presences = presencesOf({ a: { ...THERE, [WORKDIR]: "missing" }, b: THERE });
    expect(placedOn(planned(presences, { workdir: "/data/x" }))).toEqual(["b"]);
    const [blocked] = planned(both({ [WORKDIR]: "missing" }), { workdir: "/data/x" }).blocked;
    expect({ ...blocked }).toMatchObject({
      kind: "unsatisfiable",
      summary: "cannot run on any node: 0 of 2 nodes fit: 2 have no /data/x",
      smallest_change: "start in another workdir (runs now)",
      nodes: [
        { node: "a", checks: [{ check: "workdir", detail: "has no /data/x", hopeless: true }] },
        { node: "b", checks: [{ check: "workdir", detail: "has no /data/x", hopeless: true }] },
      ],
    });
  });

  test("may be the environment, or be closed, or no directory", () => {
    const reason = (said: Said): string | undefined =>
      planned(both(said), { activate: venv, workdir: "/data/x" }).blocked[0]?.summary;
    expect(reason({ [VENV]: "missing" })).toBe("cannot run on any node: 0 of 2 nodes fit: 2 have no /home/alice/venv");
    expect(reason({ [WORKDIR]: "closed" })).toBe(
      "cannot run on any node: 0 of 2 nodes fit: 2 have a /data/x that alice may not enter",
    );
    expect(reason({ [WORKDIR]: "no_directory" })).toContain("2 have something else than a directory at /data/x");
    expect(reason({ [ACCOUNT]: "missing", [WORKDIR]: "unknown" })).toBe(
      "cannot run on any node: 0 of 2 nodes fit: 2 have no account alice",
    );
  });

  test("is waited for where a look at it hangs", () => {
    expect(planned(both({ [WORKDIR]: "silent" }), { workdir: "/data/x" }).blocked).toMatchObject([
      { kind: "queued", summary: "waits: 0 of 2 nodes fit: 2 do not answer about /data/x" },
    ]);
  });
});

describe("a node that has not said", () => {
  test("is waited for, and for no longer than it may take", () => {
    const unsaid = presencesOf({ a: {}, b: {} });
    const first = planned(unsaid, { workdir: "/data/x" });
    expect(first.blocked).toMatchObject([
      { kind: "queued", summary: "waits: 0 of 2 nodes fit: 2 have not said yet whether there is account alice" },
    ]);
    expect(first.wake_at_ms).toBe(NOW_MS + ANSWER_WITHIN_MS);
    const asked = both({ [WORKDIR]: "asked" });
    expect(planned(asked, { workdir: "/data/x" }).wake_at_ms).toBe(NOW_MS + ANSWER_WITHIN_MS - 1_000);
    const late: Presences = new Map([["a", new Map([[WORKDIR, { is: "asked", for_ms: ANSWER_WITHIN_MS } as const]])]]);
    expect(placedOn(planned(late, { workdir: "/data/x" }))).toHaveLength(1);
  });

  test("and cannot be asked gets work as before", () => {
    expect(placedOn(planned(null, { workdir: "/data/x" }))).toHaveLength(1);
    expect(placedOn(planned(new Map(), { workdir: "/data/x" }))).toHaveLength(1);
    const old = presencesOf({ a: { ...THERE, [WORKDIR]: "missing" } });
    expect(placedOn(planned(old, { workdir: "/data/x" }))).toEqual(["b"]);
  });
});

test("what was tried in vain is tried again once a node says something else", () => {
  const specs = { s: buildSpec({ workdir: "/data/x", origin: "run" }) };
  const snapshot = buildSnapshot(buildState({ nodes, runs: [buildRun(1, "s", { user: "alice" })] }), { specs });
  const first = plan({ ...snapshot, presences: both({ [WORKDIR]: "missing" }) });
  expect(placedOn(first)).toEqual([]);
  const now = presencesOf({ a: { ...THERE, [WORKDIR]: "missing" }, b: THERE });
  expect(placedOn(plan({ ...snapshot, presences: now, tried: first.tried! }))).toEqual(["b"]);
});

describe("what nodes are asked", () => {
  test("is what the demands need, each once", () => {
    const keys = planned(both({}), { workdir: "/data/x", activate: venv }, 5).needs.map(needKey);
    expect(keys).toEqual([ACCOUNT, VENV, WORKDIR]);
    expect(planned(null, { workdir: "/data/x" }).needs).toEqual([]);
  });

  test("is bounded: what is beyond the bound keeps nothing from a node", () => {
    const runs = Array.from({ length: HOUSE_LIMITS.needs + 10 }, (_, n) => buildRun(n + 1, `s${n}`, { user: "alice" }));
    const specs = Object.fromEntries(runs.map((run, n) => [run.spec_hash, buildSpec({ workdir: `/d/${n}` })]));
    const snapshot = buildSnapshot(buildState({ nodes, runs }), { specs });
    const done = plan({
      ...snapshot,
      presences: presencesOf({ a: { [ACCOUNT]: "there" }, b: { [ACCOUNT]: "there" } }),
    });
    expect(done.needs).toHaveLength(HOUSE_LIMITS.needs);
    expect(done.blocked).toHaveLength(HOUSE_LIMITS.needs - 1);
    expect(placedOn(done)).toHaveLength(11);
  });
});
