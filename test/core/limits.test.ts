// The times of a connection, held against the times from which conclusions are drawn.

import { expect, test } from "bun:test";
import { agentSilence, CONNECTION_TIMES, deadForAtMost, LEASE_TIMES, serverSilence } from "../../src/core/limits";
import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import { SECOND_MS } from "../../src/core/units";

const HEARTBEAT_MS = 5 * SECOND_MS;
/** The stop grace of a workload that says nothing of it. */
const GRACE_MS = 10 * SECOND_MS;

test("a dead connection is over before anything follows from the silence of its node", () => {
  expect(deadForAtMost(HEARTBEAT_MS)).toBeLessThan(DEFAULT_LIMITS.replace_after_ms);
  const stopping_ms = DEFAULT_LIMITS.lease_ms - LEASE_TIMES.early_ms - GRACE_MS;
  // The lease counts from the newest answered heartbeat, which may be a whole interval older than the death.
  expect(deadForAtMost(HEARTBEAT_MS) + HEARTBEAT_MS).toBeLessThan(stopping_ms);
});

test("a dead connection is noticed before its node is called unreachable", () => {
  expect(agentSilence(HEARTBEAT_MS)).toBeLessThan(DEFAULT_LIMITS.unreachable_after_ms);
});

test("the agent, which can dial again, notices first; two heartbeats may be missing", () => {
  for (const heartbeat_ms of [100, 1_000, HEARTBEAT_MS]) {
    expect(agentSilence(heartbeat_ms)).toBeGreaterThan(2 * heartbeat_ms);
    expect(serverSilence(heartbeat_ms)).toBeGreaterThan(agentSilence(heartbeat_ms));
  }
});

test("agents that wait their longest and dial in vain once are back within seconds", () => {
  expect(CONNECTION_TIMES.retry_cap_ms).toBeLessThan(5 * SECOND_MS);
});
