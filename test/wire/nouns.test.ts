// What agents of other releases report is understood: an end without a cause, and one with a cause of tomorrow.

import { expect, test } from "bun:test";
import { reported } from "../../src/wire/nouns";

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
