// What the machines of a world find when they are tested. It takes a while, sometimes fails, and sometimes never ends
// by itself. The real tester, session and server handle the tests.

import { createTester, type Tester, type TestLine } from "../../src/agent/tests/tester";
import type { TestResult } from "../../src/core/model/node-tests";
import type { Random } from "./random";

export interface TestingWorld {
  readonly random: Random;
  readonly isCalm: () => boolean;
  readonly note: (what: string) => void;
}

const LONGEST_MS = 30_000;

export function simTester(world: TestingWorld, machine: string): Tester {
  return createTester(
    async ({ id }, { signal }) => {
      const { random } = world;
      const calm = world.isCalm();
      const hangs = random.chance(0.05) && !calm;
      await until(hangs ? null : random.int(10, calm ? 2_000 : LONGEST_MS), signal);
      const fails = random.chance(0.1) && !world.isCalm();
      if (fails) world.note(`${machine} fails its tests`);
      return [resultOf(id, fails ? "failed" : "passed")];
    },
    (line) => world.note(`${machine} says: ${line}`),
  );
}

/** Makes a result that says for which order it was found. */
const resultOf = (order: string, verdict: TestResult["verdict"]): TestResult => ({
  name: "disk_write",
  verdict,
  required: true,
  detail: `${order}: disk writes fail`,
  value: 100,
  unit: "MB/s",
  took_ms: 1,
});

/** Resolves after a time, never (null), or when it is called off. */
async function until(wait_ms: number | null, signal: TestLine["signal"]): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (wait_ms !== null) setTimeout(resolve, wait_ms);
  signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
