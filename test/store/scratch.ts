// Stores for tests: each in a directory of its own, with seeded random numbers and a clock that the test drives.

import { Database } from "bun:sqlite";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { assert } from "../../src/core/assert";
import type { Change, RestingPort } from "../../src/core/model/rows-state";
import { loadCluster, loadState } from "../../src/store/load";
import { type OpenedStore, type OpenOptions, openStore } from "../../src/store/open";
import type { Store } from "../../src/store/store";
import { NOW_MS } from "../support/build";
import { NO_LAWS } from "../support/moment";

const made: string[] = [];

/**
 * To be called in the `afterAll` of each file, since this module is shared and would only see the end of the first
 * file.
 */
export function removeScratch(): void {
  for (const dir of made.splice(0)) rmSync(dir, { recursive: true, force: true });
}

/** Makes an empty directory that `removeScratch` removes. */
export function scratch(): string {
  const dir = mkdtempSync(join(tmpdir(), "orch-store-"));
  made.push(dir);
  return dir;
}

/** Makes a seeded generator of numbers in [0, 1). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

let drawn = 0;
const dice = seeded(4711);

/** Returns bytes that never repeat within a test run. */
export function random(bytes: number): Uint8Array {
  if (bytes > 64) return new Uint8Array(randomBytes(bytes));
  return Uint8Array.from({ length: bytes }, (_, i) => (i === 0 ? drawn++ : Math.floor(dice() * 256)));
}

/** A clock that tests move. */
export const clock = { at_ms: NOW_MS };

export const optionsFor = (dir: string, part: Partial<OpenOptions> = {}): OpenOptions => ({
  dir,
  clock: () => clock.at_ms,
  random,
  host: "a".repeat(32),
  laws: NO_LAWS,
  ...part,
});

export const tryOpen = (dir: string, part: Partial<OpenOptions> = {}): OpenedStore => openStore(optionsFor(dir, part));

/** Opens a store that must open. */
export function opened(dir: string, part: Partial<OpenOptions> = {}): Store {
  const result = tryOpen(dir, part);
  assert(result.ok, result.ok ? "" : `${result.code}: ${result.message}`);
  return result.store;
}

/** Returns the refusal of a store that must not open. */
export function refused(result: { readonly ok: boolean }): { code: string; message: string; hint: string } {
  assert(!result.ok, "it was not refused");
  return result as unknown as { code: string; message: string; hint: string };
}

/** Returns the smallest row that there is, for tests that only count. */
export function port(key: string, until_ms = 1): Change & { readonly row: RestingPort } {
  return { table: "ports", key, row: { key, until_ms, held_by: null } };
}

/** Returns everything live, as a fresh load of the file gives it, read beside the store that has it open. */
export function freshLoad(dir: string): ReturnType<typeof loadState> {
  const db = new Database(join(dir, "orch.db"), { readonly: true });
  const cluster = loadCluster(db);
  assert(cluster !== null, "the database has no cluster");
  const state = loadState(db, cluster);
  db.close();
  return state;
}

/** Returns a hash of a file's content; null if there is no file. */
export const sumOf = (file: string): string | null =>
  existsSync(file) ? createHash("sha256").update(readFileSync(file)).digest("hex") : null;

/** Returns the error that a promise is rejected with, and fails if it is not rejected. */
export async function rejection(promise: Promise<unknown>): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (error: unknown) => ({ error }),
  );
  assert("error" in outcome, "it was not refused");
  return outcome.error;
}
