// A token that was made with another one lives no longer than that: it expires and is revoked with it, unless whoever
// revokes says otherwise.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { makeStage, type Stage } from "../stage";
import { DAY_MS } from "../../../src/core/units";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(async () => stage.close());

interface Made {
  readonly id: string;
  readonly token: string;
  readonly expires_ms: number | null;
}

/** Makes a token with another one, which is given as its text, or as the name of a person. */
async function made(by: string, expires_ms: number | null = null, role = "user"): Promise<Made> {
  const as = by.startsWith("orch1-") ? null : by;
  const headers: Record<string, string> = as === null ? { authorization: `Bearer ${by}` } : {};
  const { status, body } = await stage.call("POST", "/v1/tokens", {
    as,
    headers,
    body: { role, user: null, expires_ms },
  });
  expect(status).toBe(200);
  return body as unknown as Made;
}

async function works({ token }: Made): Promise<boolean> {
  const { status } = await stage.call("GET", "/v1/me", { as: null, headers: { authorization: `Bearer ${token}` } });
  return status === 200;
}

test("it expires with its maker at the latest", async () => {
  const day_ms = stage.clock + DAY_MS;
  const mother = await made("alice", day_ms);
  const child = await made(mother.token);
  expect(child.expires_ms).toBe(day_ms);
  expect((await made(mother.token, day_ms - 1)).expires_ms).toBe(day_ms - 1);
  expect((await made(child.token, day_ms + 1)).expires_ms).toBe(day_ms);
  stage.clock = day_ms;
  expect(await works(child)).toBe(false);
});

test("it is revoked with its maker, and so is what was made with it", async () => {
  const mother = await made("alice");
  const child = await made(mother.token);
  const grandchild = await made(child.token);
  const other = await made("alice");
  expect(await works(grandchild)).toBe(true);
  await stage.call("DELETE", `/v1/tokens/${mother.id}`, { as: "alice" });
  expect(await Promise.all([mother, child, grandchild, other].map(works))).toEqual([false, false, false, true]);
});

test("with `only` it stays, and belongs to its maker's maker", async () => {
  const mother = await made("alice");
  const child = await made(mother.token);
  const grandchild = await made(child.token);
  await stage.call("DELETE", `/v1/tokens/${child.id}?only=true`, { as: "alice" });
  expect(await Promise.all([mother, child, grandchild].map(works))).toEqual([true, false, true]);
  await stage.call("DELETE", `/v1/tokens/${mother.id}`, { as: "alice" });
  expect(await works(grandchild)).toBe(false);
});

test("one person has 1,000 tokens in force at most, and removing them all at once takes no second", async () => {
  await stage.api.store.commit("server", (draft) => {
    const [first] = draft.state.tokens.values().filter(({ user }) => user === "alice");
    if (first === undefined) throw new Error("alice has no token");
    let parent = first.id;
    // A chain, and the tokens of a time before the bound.
    const chain = Array.from({ length: 5_000 }, (_, n) => {
      const row = { ...first, id: `f${`${n}`.padStart(9, "0")}`, parent };
      parent = row.id;
      return { table: "tokens" as const, key: row.id, row };
    });
    draft.put(chain);
  });
  const { status, body } = await stage.call("POST", "/v1/tokens", {
    as: "alice",
    body: { role: "user", user: null, expires_ms: null },
  });
  expect([status, body.error?.code]).toEqual([429, "too_many"]);
  const began_ms = performance.now();
  expect((await stage.call("DELETE", "/v1/users/alice", { as: "admin" })).status).toBe(200);
  expect(performance.now() - began_ms).toBeLessThan(1_000);
  expect(stage.api.store.state.tokens.values().some((row) => row.user === "alice" && row.revoked_ms === null)).toBe(
    false,
  );
});

test("join tokens count to the person who made them, whichever token made them and whatever became of it", async () => {
  const { tokens } = stage.api.store.state;
  const first = await made("olga", null, "operator");
  const join = await made(first.token, null, "agent");
  expect(tokens.get(join.id)?.joins?.by).toBe("olga");
  await stage.call("DELETE", `/v1/tokens/${first.id}?only=true`, { as: "olga" });
  await stage.api.store.commit("server", (draft) => {
    const row = draft.state.tokens.get(join.id)!;
    const rows = Array.from({ length: 997 }, (_, n) => ({ ...row, id: `f${`${n}`.padStart(9, "0")}`, parent: null }));
    draft.put(rows.map((one) => ({ table: "tokens", key: one.id, row: one })));
  });
  const last = await made("olga", null, "agent");
  for (const role of ["agent", "viewer"]) {
    const body = { role, user: null, expires_ms: null };
    const { status, body: answer } = await stage.call("POST", "/v1/tokens", { as: "olga", body });
    expect([status, answer.error?.message, answer.error?.hint]).toEqual([
      429,
      "olga has 1000 tokens in force, no more are made",
      "Revoke some: orch token ls, orch token revoke ID",
    ]);
  }
  await made("admin", null, "agent");
  await stage.call("DELETE", `/v1/tokens/${last.id}`, { as: "olga" });
  await made("olga", null, "agent");
  expect((await stage.call("DELETE", "/v1/users/olga")).status).toBe(200);
  expect(tokens.values().some((row) => row.joins?.by === "olga" && row.revoked_ms === null)).toBe(false);
});

test("join tokens that are used up count no more: a script may make one for each machine", async () => {
  const join = await made("olga", null, "agent");
  await stage.api.store.commit("server", (draft) => {
    const row = draft.state.tokens.get(join.id)!;
    const joins = { ...row.joins!, used: row.joins!.uses };
    const rows = Array.from({ length: 1_000 }, (_, n) => ({ ...row, joins, id: `f${`${n}`.padStart(9, "0")}` }));
    draft.put(rows.map((one) => ({ table: "tokens", key: one.id, row: one })));
  });
  await made("olga", null, "agent");
  await made("olga", null, "viewer");
});

test("a join token ends with the operator's token that made it", async () => {
  const mother = await made("olga", null, "operator");
  const join = await made(mother.token, null, "agent");
  await stage.call("DELETE", `/v1/tokens/${mother.id}`, { as: "admin" });
  const row = stage.api.store.state.tokens.get(join.id);
  expect(row?.revoked_ms).not.toBeNull();
});

test("what was made with the tokens of somebody who is removed goes with them, join tokens too", async () => {
  const join = await made("olga", null, "agent");
  const below = await made((await made("olga")).token);
  expect(await works(below)).toBe(true);
  expect((await stage.call("DELETE", "/v1/users/olga", { as: "admin" })).status).toBe(200);
  expect(await works(below)).toBe(false);
  expect(stage.api.store.state.tokens.get(join.id)?.revoked_ms).toBe(stage.clock);
});
