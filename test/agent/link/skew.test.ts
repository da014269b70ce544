// The skew of a node's clock: the quickest round trip counts, and corrections of the node's own clock are seen at once.

import { expect, test } from "bun:test";
import { createSkew } from "../../../src/agent/link/skew";

test("is not known before the first answer", () => expect(createSkew().get(0, 0)).toBeNull());

test("is what the quickest round trip says", () => {
  const skew = createSkew();
  const [wall_ms, server_ms] = [1_000_000, 400_000];
  // A slow answer whose way back took nearly all of the time, and a quick one.
  skew.answered(0, server_ms + 10, 2_000);
  skew.answered(10_000, server_ms + 10_001, 10_002);
  expect(skew.get(10_002, wall_ms + 10_002)).toBe(600_000);
  // A correction of this machine's clock needs no further round trip.
  expect(skew.get(10_002, server_ms + 10_002)).toBe(0);
});

test("follows the server's clock once the round trips of before have left", () => {
  const skew = createSkew();
  skew.answered(0, 5_000, 1);
  for (let n = 1; n <= 8; n++) skew.answered(n * 1_000, n * 1_000, n * 1_000 + 2);
  expect(skew.get(9_000, 9_000)).toBe(1);
});
