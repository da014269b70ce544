// The simulator as a test: fixed seeds, one fresh seed, and the proof that a seed always gives the same world. `bun run
// sim` goes on for ever.

import { describe, expect, test } from "bun:test";
import { bootServer, crashServer } from "./processes";
import { runSeed } from "./run";
import { makeWorld } from "./world";

const FIXED = 120;
const show = (result: ReturnType<typeof runSeed>): string =>
  result.violation === null
    ? "at rest"
    : `${result.violation.message}\n${result.trace.join("\n")}\nreplay it with: bun run sim --seed ${result.seed}`;

describe("worlds", () => {
  test(`of ${FIXED} fixed seeds keep every invariant and come to rest`, () => {
    for (let seed = 1; seed <= FIXED; seed++) expect(show(runSeed(String(seed)))).toBe("at rest");
  }, 120_000);

  test("of a fresh seed keep every invariant and come to rest", () => {
    const seed = String(crypto.getRandomValues(new Uint32Array(1))[0]);
    console.log(`fresh seed ${seed}`);
    expect(show(runSeed(seed))).toBe("at rest");
  }, 60_000);

  test("are the same each time", () => {
    for (const seed of ["1", "7", "23"]) {
      const [once, again] = [runSeed(seed), runSeed(seed)];
      expect(again.hash).toBe(once.hash);
    }
  }, 60_000);
});

test("a server that is killed before its first pass hears nothing of the end of its store", () => {
  for (let seed = 1, killed = 0; killed < 3; seed++) {
    const world = makeWorld(String(seed));
    try {
      if (world.serverWorld.home === null) continue;
      bootServer(world);
      crashServer(world);
      killed++;
      expect([world.server, world.broken]).toEqual([null, null]);
    } finally {
      world.close();
    }
  }
});
