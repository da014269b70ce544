// What one slot has learned of a node holds for the same work in other slots, and for no other work.

import { describe, expect, test } from "bun:test";
import { begin } from "../../../src/core/pass/begin";
import { rejectionsOf, saidOf } from "../../../src/core/place/left-out";
import type { LeftOut } from "../../../src/core/model/rows-work";
import { plan } from "../../../src/core/plan/plan";
import type { PortRequest } from "../../../src/core/model/workload";
import {
  buildNode,
  buildRun,
  buildSlot,
  buildSnapshot,
  buildSpec,
  buildState,
  buildTask,
  buildWorkload,
  NOW_MS,
} from "../../support/build";
import { buildUser } from "../../support/users";

const node = buildNode("a");
const entry = (unix_user: string): LeftOut => ({
  node_id: node.id,
  until_ms: NOW_MS + 10_000,
  version: 1,
  unix_user,
  times: 1,
  at_ms: NOW_MS,
  cause: "no_account",
  reason: "could not start: the account daemon (uid 1) is the system's, so only an admin's tasks may have it",
  exit_code: null,
});

test("a refusal holds for the same spec and account, and a user's is not an admin's", () => {
  const [one, again, other, admins] = [
    buildRun(1, "spec", { user: "eve" }),
    buildRun(2, "spec", { user: "eve" }),
    buildRun(3, "other", { user: "eve" }),
    buildRun(4, "spec", { user: "root" }),
  ];
  const slot = buildSlot(buildTask(one, node.id), { avoid: [entry("daemon")] });
  const users = [buildUser("eve", { accounts: ["daemon"] }), buildUser("root", { role: "admin" })];
  const state = buildState({ nodes: [node], runs: [one, again, other, admins], slots: [slot], users });
  const { pass } = begin(buildSnapshot(state));
  const isOut = (run: typeof one, name: string): boolean =>
    saidOf(pass, rejectionsOf(pass), run, { is: "account", name }).has(node.id);
  expect([one, again, other, admins].map((run) => isOut(run, "daemon"))).toEqual([true, true, false, false]);
  expect(isOut(again, "eve")).toBe(false);
});

describe("a port that something else holds on every node", () => {
  const port = (name: string, published: number | null, target: number | null = null): PortRequest => ({
    name,
    published,
    target,
    bind: "cluster",
  });
  const nodes = [buildNode("a"), buildNode("b")];
  const web = buildWorkload("shop", "web", "s");

  test.each([
    ["fixed", [port("http", 8080)], "publish port 8080 as auto (runs now)"],
    ["one beside another", [port("http", 8080), port("admin", null)], "publish port 8080 as auto (runs now)"],
    [
      "one of two",
      [port("http", 8080), port("admin", 9000)],
      "publish port 8080 as auto and publish port 9000 as auto (runs now)",
    ],
    ["inside", [port("pg", null, 5432)], "publish port pg as auto without `target: 5432` (runs now)"],
    ["both", [port("pg", 5433, 5432)], "publish port 5433 as auto without `target: 5432` (runs now)"],
  ])("names what places it: %s", (_, ports, says) => {
    const avoid = nodes.map(({ id }) => ({
      ...entry("shop"),
      node_id: id,
      unix_user: web.user,
      cause: "port_taken" as const,
    }));
    const slot = buildSlot(buildTask(web, "a"), { avoid });
    const state = buildState({ nodes, workloads: [web], slots: [slot] });
    const spec = buildSpec({ ports });
    const made = plan(buildSnapshot(state, { specs: { s: spec } }));
    expect(made.blocked[0]?.smallest_change).toBe(says);
    const followed = plan(buildSnapshot(state, { specs: { s: made.blocked[0]?.changes[0]?.spec ?? spec } }));
    expect(followed.ops.map(({ op }) => op)).toEqual(["place"]);
  });
});
