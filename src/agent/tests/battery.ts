// The tests of a node, one after the other so that none measures another, each within its own time. Nothing needs to be
// installed for them.

import type { TestResult } from "../../core/node-tests";
import { preciseMs } from "../../os/clock";
import type { Machine } from "../../wire/agent";
import type { Retest } from "../devices/retest";
import { testCgroups } from "./cgroups";
import { testDevices } from "./devices";
import { testFilesystem } from "./filesystem";
import { testNetwork } from "./network";
import type { Battery, TestLine } from "./tester";

export interface Bench {
  /** The agent's data directory. */
  readonly data: string;
  readonly machine: () => Machine;
  /** Looks at every card anew; those that pass come out of quarantine. */
  readonly retest: () => Promise<readonly Retest[]>;
}

/** A result before it is known how long it took. */
export type Finding = Omit<TestResult, "took_ms">;

/** A group of results that come of one piece of work. */
export interface Part {
  readonly name: string;
  /** Whether it fails the node when it does not end, or cannot be done at all. */
  readonly required: boolean;
  readonly timeout_ms: number;
  run(bench: Bench, line: TestLine): Promise<readonly Finding[]>;
}

const BUILT_IN: readonly Part[] = [
  { name: "filesystem", required: true, timeout_ms: 10_000, run: testFilesystem },
  { name: "cgroups", required: false, timeout_ms: 5_000, run: testCgroups },
  { name: "network", required: false, timeout_ms: 20_000, run: testNetwork },
  { name: "gpu", required: false, timeout_ms: 60_000, run: testDevices },
];

/** Everything that this node is tested with. */
export const batteryOf =
  (bench: Bench): Battery =>
  async (order, line) => {
    const parts = [...BUILT_IN];
    const results: TestResult[] = [];
    for (const [n, part] of parts.entries()) {
      if (line.signal.aborted) break;
      line.step(part.name, n + 1, parts.length);
      results.push(...(await timed(part, bench, line)));
    }
    return results;
  };

async function timed(part: Part, bench: Bench, line: TestLine): Promise<TestResult[]> {
  const { name, required, timeout_ms } = part;
  const begun_ms = preciseMs();
  const failed = (detail: string): Finding[] => [
    { name, required, verdict: "failed", detail, value: null, unit: null },
  ];
  const late = Promise.withResolvers<Finding[]>();
  const timer = setTimeout(() => late.resolve(failed(`${name} did not end within ${timeout_ms} ms`)), timeout_ms);
  const found = await Promise.race([
    part.run(bench, line).catch((error: unknown) => failed(error instanceof Error ? error.message : String(error))),
    late.promise,
  ]);
  clearTimeout(timer);
  const took_ms = Math.round(preciseMs() - begun_ms);
  return found.map((finding) => ({ ...finding, took_ms }));
}
