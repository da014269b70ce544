// The wall clock of the server's machine jumps. What the server decides goes by the clock of its commits.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { HOUR_MS, MINUTE_MS } from "../../../src/core/units";
import { makeStage, NOW_MS, type Stage } from "../stage";

let stage: Stage;
beforeEach(async () => {
  stage = await makeStage();
});
afterEach(() => stage.close());

const JUMPS: readonly (readonly [name: string, by_ms: number])[] = [
  ["forward", 2 * HOUR_MS],
  ["back", -2 * HOUR_MS],
];

test.each(JUMPS)("a token's life is as long as it was given, though the clock jumps %s", async (_name, by_ms) => {
  const body = { role: "viewer", user: "vera", expires_ms: NOW_MS + HOUR_MS };
  const made = await stage.call("POST", "/v1/tokens", { as: "admin", body });
  const headers = { authorization: `Bearer ${String(made.body["token"])}` };
  stage.wall_ahead_ms = by_ms;
  const me = async (): Promise<number> => (await stage.call("GET", "/v1/me", { as: null, headers })).status;
  expect(await me()).toBe(200);
  stage.clock += HOUR_MS - MINUTE_MS;
  expect(await me()).toBe(200);
  stage.clock += 2 * MINUTE_MS;
  expect(await me()).toBe(401);
});

test.each(JUMPS)("a token can be made, and a key is of today, though the clock has jumped %s", async (_name, by_ms) => {
  stage.wall_ahead_ms = by_ms;
  const told = Number((await stage.call("GET", "/v1/health")).headers.get("x-orch-now"));
  expect(told).toBe(NOW_MS);
  const headers = { "idempotency-key": `${told}---0123456789abcdef0123` };
  const body = { role: "viewer", user: "vera", expires_ms: told + HOUR_MS };
  expect((await stage.call("POST", "/v1/tokens", { as: "admin", body, headers })).status).toBe(200);
  const join = await stage.call("POST", "/v1/tokens", {
    as: "admin",
    body: { role: "agent", user: null, expires_ms: null },
  });
  expect(join.body["expires_ms"]).toBeGreaterThan(NOW_MS);
  expect(Number(join.body["expires_ms"]) - NOW_MS).toBeLessThanOrEqual(24 * HOUR_MS);
  const { body: listed } = await stage.call("GET", "/v1/tokens", { as: "admin" });
  expect((listed["tokens"] as { state: string }[]).every(({ state }) => state === "valid")).toBe(true);
});

test("the server's time is told with refusals as well", async () => {
  const refused = await stage.call("GET", "/v1/nothing");
  expect(refused.status).toBe(404);
  expect(refused.headers.get("x-orch-now")).toBe(String(NOW_MS));
});
