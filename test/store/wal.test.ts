// A log that was cut or damaged, as a torn write leaves it: the store opens on a beginning of history, or refuses.

import { afterAll, expect, test } from "bun:test";
import { copyFileSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { opened, port, removeScratch, scratch, seeded, tryOpen } from "./scratch";

afterAll(removeScratch);

const COMMITS = 40;

/** The files of a server that was killed after its commits: all of them are still in the log. */
async function killed(): Promise<string> {
  const [dir, copy] = [scratch(), scratch()];
  opened(dir).close();
  const store = opened(dir);
  for (let i = 0; i < COMMITS; i++) {
    await store.commit("alice", (draft) => draft.put([port(`${i}`.padStart(3, "0"), i), port("newest", i)]));
  }
  for (const name of ["orch.db", "orch.db-wal", "highest.json", "ballast"]) {
    copyFileSync(join(dir, name), join(copy, name));
  }
  store.close();
  return copy;
}

test("a log cut or damaged anywhere gives whole commits from the first on, or a refusal", async () => {
  const dir = await killed();
  const [database, log, mark] = ["orch.db", "orch.db-wal", "highest.json"].map((name) => readFileSync(join(dir, name)));
  const dice = seeded(11);
  const variants: ((bytes: Buffer) => Buffer)[] = [(bytes) => bytes];
  for (let i = 0; i < 20; i++) variants.push((bytes) => bytes.subarray(0, Math.floor((bytes.length * i) / 20)));
  for (let i = 0; i < 30; i++) {
    const at = Math.floor(dice() * log!.length);
    variants.push((bytes) => {
      bytes[at] = bytes[at]! ^ (1 << (i % 8));
      return bytes;
    });
  }
  for (let i = 0; i < 10; i++) {
    const at = Math.floor(dice() * log!.length);
    variants.push((bytes) => bytes.fill(0, at, at + 512));
  }
  const outcomes = { prefix: 0, whole: 0, refused: 0 };
  for (const vary of variants) {
    rmSync(join(dir, "orch.db-shm"), { force: true });
    writeFileSync(join(dir, "orch.db"), database!);
    writeFileSync(join(dir, "orch.db-wal"), vary(Buffer.from(log!)));
    writeFileSync(join(dir, "highest.json"), mark!);
    const result = tryOpen(dir);
    if (!result.ok) {
      // Too much was lost for the mark beside it, or a page does not fit the others.
      expect(["old_copy", "corrupt", "missing"]).toContain(result.code);
      outcomes.refused++;
      continue;
    }
    const { ports } = result.store.state;
    const count = Math.max(0, ports.size - 1);
    const numbers = [...ports.keys()].filter((key) => key !== "newest").toSorted();
    expect(numbers).toEqual(Array.from({ length: count }, (_, i) => String(i).padStart(3, "0")));
    expect(ports.get("newest")?.until_ms).toBe(count > 0 ? count - 1 : undefined);
    outcomes[count === COMMITS ? "whole" : "prefix"]++;
    result.store.close();
  }
  expect(outcomes.whole).toBeGreaterThan(0);
  expect(outcomes.prefix).toBeGreaterThan(20);
}, 60_000);
