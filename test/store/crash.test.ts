// A server killed at random moments, over and over: what it acknowledged is there, what was sent again has one effect.

import { afterAll, expect, test } from "bun:test";
import { CRASH_WRITER } from "./crash-writer";
import { randomMoment } from "../support/wait";
import { opened, removeScratch, scratch, seeded } from "./scratch";

afterAll(removeScratch);

const ROUNDS = 100;

/** Runs the writer until it is killed after a random time, and gives back what it acknowledged: change → run number. */
async function untilKilled(dir: string, first: number, dice: () => number): Promise<Map<number, number>> {
  const child = Bun.spawn([process.execPath, CRASH_WRITER, dir, String(first)], { stdout: "pipe", stderr: "pipe" });
  const acknowledged = new Map<number, number>();
  const decoder = new TextDecoder();
  let text = "";
  // Sometimes during the start, else after some acknowledgements.
  const wanted = dice() < 0.15 ? null : Math.floor(dice() * 300);
  const killed = wanted === null ? randomMoment(120, dice).then(() => child.kill("SIGKILL")) : null;
  for await (const chunk of child.stdout) {
    text += decoder.decode(chunk, { stream: true });
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) acknowledged.set(...(line.split(" ").map(Number) as [number, number]));
    if (wanted !== null && acknowledged.size >= wanted) child.kill("SIGKILL");
  }
  await Promise.all([child.exited, killed]);
  expect(await new Response(child.stderr).text()).toBe("");
  return acknowledged;
}

test(`a server killed ${ROUNDS} times loses nothing that it acknowledged and does nothing twice`, async () => {
  const dir = scratch();
  const dice = seeded(Date.now());
  const acknowledged = new Map<number, number>();
  const runs = new Set<number>();
  let longest = 0;
  for (let round = 0; round < ROUNDS; round++) {
    // What was on its way when the last one died is sent again, under the same keys.
    let first = 0;
    while (acknowledged.has(first)) first++;
    for (const [n, run] of await untilKilled(dir, first, dice)) {
      expect(acknowledged.has(n)).toBe(false);
      acknowledged.set(n, run);
      runs.add(run);
      longest = Math.max(longest, n);
    }
  }
  const store = opened(dir, { host: null });
  const { ports, cluster } = store.state;
  const lost = [...acknowledged.keys()].filter((n) => ports.get(`change/${n}`)?.until_ms !== n);
  expect(lost).toEqual([]);
  expect(runs.size).toBe(acknowledged.size);
  // One row a change and one for the counter: each change counted once, took one run number, acknowledged or not.
  expect(ports.get("counter")?.until_ms).toBe(ports.size - 1);
  expect(cluster.next_run).toBe(ports.size);
  expect(longest).toBeGreaterThan(ROUNDS);
  store.close();
}, 120_000);
