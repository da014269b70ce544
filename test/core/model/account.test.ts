// The Unix account of a task: its owner's own or a granted one, and none for a user who was removed.

import { describe, expect, test } from "bun:test";
import { accountFor } from "../../../src/core/model/account";
import { plan } from "../../../src/core/plan/plan";
import { buildNode, buildSnapshot, buildSpec, buildState, buildWorkload } from "../../support/build";
import { buildUser } from "../../support/users";

const users = (...rows: ReturnType<typeof buildUser>[]) => ({ users: new Map(rows.map((row) => [row.name, row])) });

describe("the account of a task", () => {
  const alice = buildUser("alice", { unix_user: "al", accounts: ["ml-svc"] });
  const ada = buildUser("ada", { role: "admin" });
  const olga = buildUser("olga", { role: "operator" });
  test.each([
    ["alice", null, "al"],
    ["alice", "al", "al"],
    ["alice", "ml-svc", "ml-svc"],
    ["ada", "root", "root"],
    ["olga", null, "olga"],
  ])("of %s who asks for %s is %s", (user, asked, name) => {
    expect(accountFor(users(alice, ada, olga), user, asked)).toEqual({ is: "account", name });
  });
  test.each([
    ["alice", "alice", "the account alice is not granted to alice"],
    ["olga", "al", "the account al is not granted to olga"],
    ["olga", "root", "the account root is not granted to olga"],
    ["bob", null, "bob, whose it is, is no user any more"],
    ["bob", "bob", "bob, whose it is, is no user any more"],
  ])("of %s who asks for %s is none", (user, asked, why) => {
    expect(accountFor(users(alice, ada, olga), user, asked)).toEqual({ is: "none", user, why });
  });
});

describe("a workload without an account", () => {
  const specs = { plain: buildSpec() };
  const workload = buildWorkload("web", "api", "plain", { user: "bob" });
  const planned = (accounts: "existing" | "shared") => {
    const node = buildNode("n1");
    const nodes = [{ ...node, facts: { ...node.facts, accounts } }];
    return plan(buildSnapshot(buildState({ nodes, workloads: [workload], users: [] }), { specs }));
  };
  test("waits, and says whose account is gone", () => {
    const { ops, blocked } = planned("existing");
    expect(ops).toEqual([]);
    expect(blocked[0]).toMatchObject({ kind: "unsatisfiable" });
    expect(blocked[0]?.summary).toContain("bob, whose it is, is no user any more");
  });
  test("is placed where all tasks share one account", () => {
    expect(planned("shared").ops).toMatchObject([{ op: "place", task: { unix_user: null } }]);
  });
});
