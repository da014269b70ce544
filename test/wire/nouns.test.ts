// What agents and servers of other releases say is understood: an end without a cause or with one of tomorrow, an
// assignment that does not say when a task is stable, and a stop that does not say when its task was assigned.

import { expect, test } from "bun:test";
import { DEFAULT_LIMITS } from "../../src/core/pass/limits";
import { assignment, reported, verb } from "../../src/wire/nouns";
import { assignmentFor } from "../support/tasks";

const END = {
  state: "failed",
  started_age_ms: null,
  finished_age_ms: 5,
  exit_code: 1,
  signal: null,
  reason: null,
  peak_memory_bytes: null,
  tail: null,
  next: null,
};

test("an end of an agent of before has no cause", () => expect(reported.parse(END)).toEqual<unknown>(END));

test("a cause that only a newer agent knows does not cost the report", () => {
  expect(reported.parse({ ...END, cause: "time_limit" })).toMatchObject({ cause: "time_limit" });
  expect(reported.parse({ ...END, cause: "of tomorrow" })).toEqual<unknown>(END);
});

test("an assignment of a server of before is stable after the default", () => {
  const { stable_ms, ...before } = assignmentFor("true", { stable_ms: 5_000 });
  expect(assignment.parse({ ...before, stable_ms })).toMatchObject({ stable_ms: 5_000 });
  expect(assignment.parse(before)).toMatchObject({ stable_ms: DEFAULT_LIMITS.stable_ms });
});

test("a stop of a server of before names no revision, so that no disk vouches for its task", () => {
  const stop = { verb: "stop", uid: "a".repeat(32), attempt: 1, signal: "TERM", grace_ms: 1, why: "drained" };
  expect(verb.parse({ ...stop, assigned_revision: 7 })).toMatchObject({ assigned_revision: 7 });
  expect(verb.parse(stop)).toMatchObject({ assigned_revision: 0 });
});
