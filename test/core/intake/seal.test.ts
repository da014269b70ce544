// What a seal vouches for: the attempt that a server assigned to a node, and those that its agent made under the grant.

import { describe, expect, test } from "bun:test";
import { successorUid } from "../../../src/core/fresh";
import { canonicalJson } from "../../../src/core/canonical";
import { isSealed, type SealScope, sealText } from "../../../src/core/intake/seal";
import type { TaskReport } from "../../../src/core/model/record";
import { buildTask, buildWorkload } from "../../support/build";
import { reportOf } from "../../support/reports";

const api = buildWorkload("web", "api", "s");
const task = buildTask(api, "box", { attempt: 2, grant_until: 4 });
const sign = (text: string): string => `signed ${text}`;
const verify = (text: string, signature: string): boolean => sign(text) === signature;
const seal = { uid: task.uid, attempt: 2, signature: sign(sealText("c", "box", task, task)) };
const entry: TaskReport = { ...reportOf(task, { state: "starting" }), seal };
const third = successorUid(task.uid, 3);
const isOf = (part: Partial<TaskReport>, node = "box", cluster = "c"): boolean =>
  isSealed(cluster, node, { ...entry, ...part }, verify);
const made = (attempt: number): TaskReport["identity"] =>
  entry.identity === null ? null : { ...entry.identity, attempt };

describe("a seal", () => {
  test("holds for what was assigned, and for the attempts made under its grant", () => {
    expect(isOf({})).toBe(true);
    expect(isOf({ uid: third, identity: made(3) })).toBe(true);
    expect(isOf({ uid: successorUid(third, 4), identity: made(4) })).toBe(true);
  });
  const other = entry.identity === null ? null : { ...entry.identity, slot: 7 };
  const lies: readonly (readonly [string, Partial<TaskReport>])[] = [
    ["another uid", { uid: third }],
    ["another slot", { identity: other }],
    ["an attempt beyond the grant", { uid: successorUid(successorUid(third, 4), 5), identity: made(5) }],
    ["a longer grant", { grant_until: 9 }],
    ["an attempt before the one that was assigned", { identity: made(1) }],
    ["no seal", { seal: undefined }],
    ["no identity", { identity: null }],
    ["a signature of its own making", { seal: { ...seal, signature: "AAAA" } }],
  ];
  test.each(lies)("does not hold for %s", (_what, part) => expect(isOf(part)).toBe(false));
  const versioned = entry.identity === null ? null : { ...entry.identity, version: 99 };
  const numbered = entry.identity === null ? null : { ...entry.identity, run: 999_999_999 };
  const spent = entry.identity === null ? null : { ...entry.identity, spec_hash: "nope" };
  test.each([versioned, numbered, spent])("does not hold for another run number, version or spec", (identity) => {
    expect(isOf({ identity })).toBe(false);
  });
  const { owner_uid, slot, member, uid, attempt, grant_until, run, version, spec_hash } = task;
  const place = { cluster_id: "c", node_id: "box", owner_uid, slot, member, uid, attempt, grant_until };
  const builds: readonly (readonly [string, string, readonly SealScope[]])[] = [
    ["the first builds vouches for the place", `orch-task-v1\n${canonicalJson(place)}`, ["place"]],
    [
      "later builds vouches for the identity too",
      `orch-task-v2\n${canonicalJson({ ...place, run, version, spec_hash })}`,
      ["place", "identity"],
    ],
    ["this build vouches for the name too", sealText("c", "box", task, task), ["place", "identity", "name"]],
  ];
  test.each(builds)("of %s", (_which, text, scopes) => {
    const told: TaskReport = { ...entry, seal: { ...seal, signature: sign(text) } };
    const all: readonly SealScope[] = ["place", "identity", "name"];
    expect(all.filter((scope) => isSealed("c", "box", told, verify, scope))).toEqual([...scopes]);
    const renamed = entry.identity === null ? null : { ...entry.identity, app: "other" };
    expect(isSealed("c", "box", { ...told, identity: renamed }, verify, "name")).toBe(false);
  });
  test("does not hold for another node, nor for another cluster", () => {
    expect(isOf({}, "other")).toBe(false);
    expect(isOf({}, "box", "d")).toBe(false);
  });
});
