// One text for equal values, and an order of names that no language of a machine changes.

import { expect, test } from "bun:test";
import { canonicalJson, compareText } from "../../src/core/canonical";

test("equal values have one text, whatever the order of their keys", () => {
  expect(canonicalJson({ b: [1, { d: null, c: "x" }], a: undefined })).toBe('{"b":[1,{"c":"x","d":null}]}');
  expect(canonicalJson({ b: 1, a: 2 })).toBe(canonicalJson({ a: 2, b: 1 }));
});

test("texts are ordered by their code units", () => {
  const names = ["b", "a-b", "ab", "B", "a0", "a", "~", ""];
  expect(names.toSorted(compareText)).toEqual(["", "B", "a", "a-b", "a0", "ab", "b", "~"]);
  expect(compareText("same", "same")).toBe(0);
});
