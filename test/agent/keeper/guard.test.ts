// The keeper's side of its guard, against a process that answers as a guard may.

import { expect, test } from "bun:test";
import { Guard } from "../../../src/agent/keeper/guard";

/** Answers a `hold` at once, but the one of the begun process only with the `drop`, as a slow guard may. */
const SLOW = `echo '{"is":"ready","locked":null}'
while read -r line; do case $line in
  *'"process":null'*) echo '{"is":"holding","uid":"a"}' ;;
  *'"do":"drop"'*) echo '{"is":"holding","uid":"a"}'; echo '{"is":"dropped","uid":"a","expired":true}' ;;
esac; done`;

test("an answer settles only the question that it answers", async () => {
  const said: string[] = [];
  const guard = new Guard({
    command: ["/bin/sh", "-c", SLOW],
    say: (line) => void said.push(line),
    expired: () => undefined,
  });
  const task = {
    uid: "a",
    lease_ms: 1_000,
    grace_ms: 0,
    signal: "TERM",
    group: [],
    marker: "ORCH_TASK=x",
    process: null,
  };
  expect(await guard.hold(task)).toBeNull();
  guard.begun("a", { pid: 2 ** 22, start: "0" });
  expect(await guard.exited("a")).toBe(true);
  // What is left of the task is still guarded, until it is let go of.
  expect(await guard.drop("a")).toBe(true);
  expect(await guard.drop("a")).toBe(false);
  await guard.close();
  expect(said).toEqual([]);
});
