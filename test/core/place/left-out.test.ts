// What one slot has learned of a node holds for the same work in other slots, and for no other work.

import { expect, test } from "bun:test";
import { begin } from "../../../src/core/pass/begin";
import { rejectionsOf, saidOf } from "../../../src/core/place/left-out";
import type { LeftOut } from "../../../src/core/model/rows-work";
import { buildNode, buildRun, buildSlot, buildSnapshot, buildState, buildTask, NOW_MS } from "../../support/build";
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
