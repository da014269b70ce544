// The events of one end say its reason once.

import { expect, test } from "bun:test";
import { style } from "../../../src/cli/print/color";
import { eventTeller } from "../../../src/cli/print/events";
import type { EventView } from "../../../src/wire/api/watch";

type Told = readonly [actor: string, verb: string, title: string, detail: string];

/** Words events of run 7, and of no run where the title has none. */
function lines(events: readonly Told[]): string[] {
  const tell = eventTeller(style(false));
  return events
    .map(([actor, verb, title, detail], n): EventView => {
      const run = title.endsWith("(run 7)") ? 7 : null;
      return { id: String(n), at_ms: n, actor, verb, object: title, title, project: "lab", node: null, run, detail };
    })
    .map((event) => tell(event).slice("2026-01-01 00:00:00  ".length));
}

test("a cancelled run says once who cancelled it", () => {
  const told: Told[] = [
    ["alice", "queued", "echo (run 7)", "echo"],
    ["plan", "placed", "echo (run 7)", "on box1: new"],
    ["alice", "cancelled", "echo (run 7)", ""],
    ["plan", "stop", "echo (run 7)", "cancelled by alice"],
    ["node box1", "stopped", "echo (run 7)", "signal TERM: cancelled by alice"],
    ["plan", "run cancelled", "echo (run 7)", "cancelled by alice"],
  ];
  expect(lines(told)).toEqual([
    "alice queued echo (run 7)",
    "plan placed echo (run 7)  on box1: new",
    "alice cancelled echo (run 7)",
    "plan stop echo (run 7)",
    "node box1 stopped echo (run 7)  signal TERM",
    "plan run cancelled echo (run 7)",
  ]);
});

test("a run that fails says so once, with the code of its end", () => {
  const told: Told[] = [
    ["node box1", "failed", "echo (run 7)", "exit code 1"],
    ["plan", "run failed", "echo (run 7)", "failed"],
  ];
  expect(lines(told)).toEqual(["node box1 failed echo (run 7)  exit code 1", "plan run failed echo (run 7)"]);
});

test("what happens again is told again, and one thing does not speak for another", () => {
  const told: Told[] = [
    ["node box1", "failed", "recs.api.0", "exit code 1"],
    ["node box1", "failed", "recs.api.1", "exit code 1"],
    ["plan", "placed", "recs.api.0", "on box1: again"],
    ["node box1", "failed", "recs.api.0", "exit code 1"],
  ];
  expect(lines(told).filter((line) => line.endsWith("exit code 1"))).toHaveLength(3);
});
