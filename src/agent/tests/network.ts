// Tests the way to the server over the agent's own connection: round trip, rate, and the difference between the two
// clocks. The test is bounded in size and time, so that it does not delay heartbeats on a slow line.

import { formatAge } from "../../core/format";
import { nowMs, preciseMs } from "../../os/clock";
import { ECHO_BYTES } from "../../wire/node-tests";
import type { Bench, Finding } from "./part";
import type { TestLine } from "./tester";

const ROUNDS = 5;
const SMALL = 64;

/** The rate is measured with growing texts, as long as one takes less than LONG_ENOUGH_MS. */
const SIZES = [16 * 1024, 64 * 1024, ECHO_BYTES, ECHO_BYTES];
const LONG_ENOUGH_MS = 100;

/** With clocks this far apart, logs are hard to read, and new certificates are not valid yet. */
const SKEW_MS = { warned: 1_000, failed: 60_000 } as const;

interface Echoed {
  readonly took_ms: number;
  /** How far the server's clock is ahead of this machine's. */
  readonly skew_ms: number;
}

export async function testNetwork(_bench: Bench, line: TestLine): Promise<Finding[]> {
  const rounds: Echoed[] = [];
  for (let n = 0; n < ROUNDS; n++) {
    const echoed = await echo(line, SMALL);
    if (echoed === null) return lost();
    rounds.push(echoed);
  }
  // The quickest round trip says most about both the line and the clocks.
  const best = rounds.reduce((a, b) => (b.took_ms < a.took_ms ? b : a));
  return [clockOf(best), networkOf(best), ...(await rateOf(line))];
}

async function echo(line: TestLine, bytes: number): Promise<Echoed | null> {
  const [begun_ms, own_ms] = [preciseMs(), nowMs()];
  const wall_ms = await line.echo("x".repeat(bytes));
  if (wall_ms === null) return null;
  const took_ms = preciseMs() - begun_ms;
  return { took_ms, skew_ms: wall_ms - (own_ms + took_ms / 2) };
}

/** A broken connection is reported elsewhere, and a test must not fail by chance. */
const lost = (): Finding[] => [
  { name: "network", required: false, verdict: "skipped", detail: "the connection was lost", value: null, unit: null },
];

function clockOf({ skew_ms, took_ms }: Echoed): Finding {
  const off_ms = Math.max(0, Math.abs(skew_ms) - took_ms / 2);
  const verdict = off_ms > SKEW_MS.failed ? "failed" : off_ms > SKEW_MS.warned ? "warned" : "passed";
  const way = skew_ms > 0 ? "behind" : "ahead of";
  const detail =
    verdict === "passed" ? "agrees with the server's" : `the clock is ${formatAge(off_ms)} ${way} the server's`;
  return { name: "clock", required: true, verdict, detail, value: null, unit: null };
}

const networkOf = ({ took_ms }: Echoed): Finding => ({
  name: "network",
  required: false,
  verdict: "passed",
  detail: "there and back",
  value: Math.round(took_ms * 100) / 100,
  unit: "ms",
});

async function rateOf(line: TestLine): Promise<Finding[]> {
  let best = 0;
  for (const bytes of SIZES) {
    const echoed = await echo(line, bytes);
    if (echoed === null) break;
    best = Math.max(best, (2 * bytes) / 1e6 / (echoed.took_ms / 1_000));
    if (echoed.took_ms > LONG_ENOUGH_MS) break;
  }
  if (best === 0) return [];
  const detail = "both ways over the agent's connection";
  const value = Math.round(best * 100) / 100;
  return [{ name: "network_rate", required: false, verdict: "passed", detail, value, unit: "MB/s" }];
}
