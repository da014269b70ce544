// How the reason of what is blocked begins.

import { expect, test } from "bun:test";
import { sayBlocked } from "../../../src/core/why/failure";
import type { Blocked } from "../../../src/core/pass/snapshot";

const said = (kind: Blocked["kind"], summary: string): string => {
  const { words, rest } = sayBlocked({ kind, summary });
  return words + rest;
};

test("a reason begins with what is true of it, once", () => {
  expect(said("queued", "waits: 0 of 2 nodes fit")).toBe("waits: 0 of 2 nodes fit");
  expect(said("queued", "waits 9s before its next attempt")).toBe("waits 9s before its next attempt");
  expect(said("queued", "0 of 2 nodes fit")).toBe("waits: 0 of 2 nodes fit");
  // A directory may appear, and a node join: what nodes lack today is not for ever.
  expect(said("unsatisfiable", "waits: 0 of 1 node fits: 1 has no /data")).toBe(
    "cannot run on any node: 0 of 1 node fits: 1 has no /data",
  );
  // What the rules of the spec exclude is.
  expect(said("unsatisfiable", "can never run: web and db keep apart")).toBe("can never run: web and db keep apart");
});
