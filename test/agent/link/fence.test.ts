// The fence on a disk that takes nothing more: the server that it knows is followed on, a new one is not.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { keepFence, openFence } from "../../../src/agent/link/fence";
import type { Fence } from "../../../src/core/agent/fence";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-fence-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const FENCE: Fence = {
  cluster_id: "c",
  timeline: "t",
  epoch: 3,
  session: 1,
  applied_n: 4,
  revision: 50,
  since: 0,
  passed: null,
};

/** From here on nothing can be written. */
function fill(): void {
  renameSync(join(dir, "fence.json"), join(dir, "was.json"));
  mkdirSync(join(dir, "fence.json"));
}

test("what was written is there at the next start; what was only set is not", async () => {
  const fence = openFence(dir, () => undefined);
  await fence.set(FENCE, true);
  await fence.set({ ...FENCE, revision: 60 }, false);
  expect(fence.get()?.revision).toBe(60);
  expect(openFence(dir, () => undefined).get()).toEqual(FENCE);
});

test("a full disk does not part the agent from the server that it knows, and is told once", async () => {
  const said: string[] = [];
  const fence = openFence(dir, (line) => void said.push(line));
  await fence.set(FENCE, true);
  fill();
  for (const revision of [51, 52]) await fence.set({ ...FENCE, session: 2, revision }, true);
  expect(fence.get()).toMatchObject({ session: 2, revision: 52 });
  expect(said).toHaveLength(1);
});

test("a server that the disk cannot be told of is not followed, however often it is met", async () => {
  const fence = openFence(dir, () => undefined);
  await fence.set(FENCE, true);
  fill();
  for (const next of [{ epoch: 4 }, { epoch: 4 }, { timeline: "u" }]) {
    expect(await fence.set({ ...FENCE, ...next }, true).then(() => "kept", String)).toContain("Error");
  }
});

test("a slow write of what an older session noted never comes after a newer server", async () => {
  const disk: Fence[] = [];
  const slow = Promise.withResolvers<undefined>();
  const fence = keepFence({
    found: FENCE,
    write: async (next) => {
      if (next.epoch === FENCE.epoch) await slow.promise;
      disk.push(next);
    },
    say: () => undefined,
  });
  const beat = fence.set({ ...FENCE, revision: 51 }, true);
  const greeting = fence.set({ ...FENCE, epoch: 4 }, true);
  slow.resolve(undefined);
  await Promise.all([beat, greeting]);
  expect(disk.map(({ epoch }) => epoch)).toEqual([3, 4]);
});

test("a heartbeat that has nothing new writes nothing; the next thing new is written", async () => {
  const disk: Fence[] = [];
  const fence = keepFence({ found: FENCE, write: async (next) => void disk.push(next), say: () => undefined });
  for (let beat = 0; beat < 5; beat++) await fence.set({ ...FENCE }, true);
  expect(disk).toEqual([]);
  const news = { ...FENCE, revision: 51 };
  for (let beat = 0; beat < 5; beat++) await fence.set(news, true);
  expect(disk).toEqual([news]);
});
