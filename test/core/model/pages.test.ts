// A page of an array's elements: what is written is read again, and each attempt of an element counts once.

import { describe, expect, test } from "bun:test";
import {
  attemptsIn,
  causeIn,
  endedIn,
  endIn,
  PAGE_ELEMENTS,
  pageWith,
  stateAfter,
  statesIn,
} from "../../../src/core/model/pages";

const policy = { retries: 1, on_unknown_end: "ask", makes_up: true, loss_limit: 3 } as const;

describe("a page", () => {
  test("is short where many elements are alike, and is read as it was written", () => {
    const states = statesIn(undefined);
    expect(states).toHaveLength(PAGE_ELEMENTS);
    states.fill("0", 0, 998);
    states[3] = "+1.0.2";
    states[998] = "KILL";
    const page = pageWith("run", 2, states);
    expect(page).toEqual({ key: "run/2", run_uid: "run", page: 2, states: "3*0 +1.0.2 994*0 KILL -" });
    expect(statesIn(page)).toEqual(states);
  });
});

describe("a state", () => {
  test("says how an element ended, or how often it was tried", () => {
    expect(["0", "3", "KILL", "unknown", "-", "+1.1.0"].map(endIn)).toEqual([0, 3, "KILL", "unknown", null, null]);
    expect(["0", "KILL", "-", "+1.1.2", "3#2"].map(attemptsIn)).toEqual([null, null, 0, 4, null]);
  });

  test("of one that is over says which attempt ended so, and why", () => {
    const states = ["0", "3#2", "TERM/time_limit", "TERM/time_limit#12", "lost#3", "-", "+1.1.2"];
    expect(states.map(endIn)).toEqual([0, 3, "TERM", "TERM", "lost", null, null]);
    expect(states.map(causeIn)).toEqual([null, null, "time_limit", "time_limit", null, null, null]);
    expect(states.map(endedIn)).toEqual([1, 2, 1, 12, 3, 0, 4]);
    expect(stateAfter("+1.0.0", 2, "TERM", policy, "time_limit")).toBe("TERM/time_limit#2");
  });

  test("follows from the end of the attempt that is due, and of no other", () => {
    expect(stateAfter("-", 1, 0, policy)).toBe("0");
    expect(stateAfter("0", 1, 0, policy)).toBeNull();
    expect(stateAfter("+1.0.0", 1, 0, policy)).toBeNull();
    expect(stateAfter("+1.0.0", 2, 0, policy)).toBe("0#2");
    expect(stateAfter("-", 2, 0, policy)).toBeNull();
  });

  test("is tried again as often as it may be", () => {
    expect(stateAfter("-", 1, 3, policy)).toBe("+1.0.0");
    expect(stateAfter("+1.0.0", 2, "KILL", policy)).toBe("KILL#2");
    expect(stateAfter("-", 1, 3, { ...policy, retries: 0 })).toBe("3");
    expect(stateAfter("+0.1.0", 2, "lost", policy)).toBe("+0.2.0");
    expect(stateAfter("+0.2.0", 3, "lost", policy)).toBe("lost#3");
    expect(stateAfter("-", 1, "stopped", policy)).toBe("+0.0.1");
  });

  test("of an unknown end is final, unless the job says that it may be tried again", () => {
    expect(stateAfter("-", 1, "unknown", policy)).toBe("unknown");
    expect(stateAfter("-", 1, "unknown", { ...policy, on_unknown_end: "retry" })).toBe("+0.1.0");
  });

  test("is final once its run makes up for nothing", () => {
    const over = { ...policy, retries: 0, makes_up: false };
    for (const end of ["lost", "stopped", "unknown", "TERM"]) expect(stateAfter("-", 1, end, over)).toBe(end);
  });
});
