// Runs the tests of a node: one after the other, so that none disturbs another's measurement, each within its own time
// limit. Nothing has to be installed for them.

import type { TestResult } from "../../core/model/node-tests";
import { formatAge } from "../../core/format";
import { Answerer } from "../../os/process/answerer";
import { preciseMs } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { selfCommand } from "../../os/self";
import { testCgroups } from "./cgroups";
import { commandPart } from "./commands";
import { testDevices } from "./devices";
import { testFilesystem } from "./filesystem";
import { testCpu, testDisk, testMemory } from "./hardware";
import { testNetwork } from "./network";
import type { Battery, TestLine } from "./tester";
import type { Bench, Finding, Part, Workbench } from "./part";

/** The longest detail of a result. A message with a longer one would be refused. */
const DETAIL_CHARS = 4_000;

const BUILT_IN: readonly Part[] = [
  { name: "cpu", required: true, timeout_ms: 30_000, run: testCpu },
  { name: "memory", required: true, timeout_ms: 30_000, run: testMemory },
  { name: "disk_write", required: true, timeout_ms: 40_000, run: testDisk },
  { name: "filesystem", required: true, timeout_ms: 10_000, run: testFilesystem },
  { name: "cgroups", required: false, timeout_ms: 5_000, run: testCgroups },
  { name: "network", required: false, timeout_ms: 20_000, run: testNetwork },
  { name: "gpu", required: false, timeout_ms: 60_000, run: testDevices },
];

/** Returns the function that runs every test of this node. */
export const batteryOf =
  (bench: Bench): Battery =>
  async (order, line) => {
    const parts = [...BUILT_IN, ...order.commands.map(commandPart)];
    const child = new Answerer([...selfCommand(), "self-test"]);
    const stop = (): void => child.close();
    line.signal.addEventListener("abort", stop, { once: true });
    const results: TestResult[] = [];
    for (const [n, part] of parts.entries()) {
      if (line.signal.aborted) break;
      line.step(part.name, n + 1, parts.length);
      results.push(...(await timed(part, { ...bench, child }, line)));
    }
    line.signal.removeEventListener("abort", stop);
    child.close();
    return results;
  };

/** Returns what a part finds, or that it did not end in time. A part that was called off finds nothing. */
async function timed(part: Part, bench: Workbench, line: TestLine): Promise<TestResult[]> {
  const { name, required, timeout_ms } = part;
  const begun_ms = preciseMs();
  const failed = (detail: string): Finding[] => [
    { name, required, verdict: "failed", detail, value: null, unit: null },
  ];
  const over = Promise.withResolvers<readonly Finding[]>();
  const timer = setTimeout(() => over.resolve(failed(`did not end within ${formatAge(timeout_ms)}`)), timeout_ms);
  const stop = (): void => over.resolve([]);
  line.signal.addEventListener("abort", stop, { once: true });
  const found = await Promise.race([
    part.run(bench, line).catch((error: unknown) => failed(messageOf(error))),
    over.promise,
  ]);
  clearTimeout(timer);
  line.signal.removeEventListener("abort", stop);
  const took_ms = Math.round(preciseMs() - begun_ms);
  return found.map((finding) => ({ ...finding, detail: finding.detail.slice(0, DETAIL_CHARS), took_ms }));
}
