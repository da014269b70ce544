// How long the binary takes to begin: `orch version` from spawn to exit, as shells and scripts meet it.

import { BINARY, requireBinary } from "../../test/support/program";
import { percentile, repeated, row, type Bench } from "./figure";

const TIMES_A_RUN = 50;

async function once(): Promise<number> {
  const started = performance.now();
  await Bun.spawn([BINARY, "version"], { stdout: "ignore", stderr: "ignore", stdin: "ignore" }).exited;
  return performance.now() - started;
}

export const start: Bench = {
  name: "start",
  about: "orch version, from spawn to exit",
  async measure({ runs }) {
    requireBinary();
    await repeated(5, once);
    const samples = await repeated(runs * TIMES_A_RUN, once);
    return [
      row("orch version, p50", percentile(samples, 0.5), "ms", { at_most: 20 }),
      row("orch version, p99", percentile(samples, 0.99), "ms"),
    ];
  },
};
