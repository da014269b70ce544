// A CardWatch under test: its directory, its kernel log, its messages, and a clock that the test drives.

import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { jest } from "bun:test";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openWatch, type CardWatch } from "../../src/agent/cards/watch";
import type { CardTask } from "../../src/core/agent/card-users";
import type { Device } from "../../src/core/model/device";
import { randomHex } from "../../src/os/dice";
import { accountOfProcess } from "../../src/os/machine";
import type { ScriptedProbe } from "./cards";
import { waitUntil } from "./wait";

export interface WatchSite {
  readonly data: string;
  readonly said: string[];
  /** Opens a watch over these probes. The fake clock must be running. */
  open(probes: readonly ScriptedProbe[], fakes?: readonly Device[], only?: readonly string[]): CardWatch;
  /** Adds a line to the kernel's log. */
  logs(line: string): void;
  /** Waits until the file with the known cards has this content. */
  written(what: (text: string) => boolean): Promise<void>;
  close(): void;
}

export function makeWatchSite(root: string): WatchSite {
  const data = mkdtempSync(join(root, "agent-"));
  const log_path = join(data, "kmsg");
  const said: string[] = [];
  const opened: CardWatch[] = [];
  writeFileSync(log_path, "");
  jest.useFakeTimers();
  return {
    data,
    said,
    open(probes, fakes = [], only = []) {
      const watch = openWatch({
        data,
        fakes,
        only,
        homes: [],
        log_path,
        find: () => probes,
        clock: Date.now,
        user: accountOfProcess().name,
        say: (line) => void said.push(line),
      });
      opened.push(watch);
      return watch;
    },
    logs: (line) => appendFileSync(log_path, `${line}\n`),
    async written(what) {
      jest.useRealTimers();
      await waitUntil("all to be written", () => what(readFileSync(join(data, "devices.json"), "utf8")));
      jest.useFakeTimers();
    },
    close() {
      for (const watch of opened) watch.close();
      jest.useRealTimers();
    },
  };
}

/**
 * Makes a directory for watches. Files are written in the background, so it is removed only when nothing more can be
 * written.
 */
export function makeWatchRoot(): { readonly root: string; remove(): void } {
  const root = mkdtempSync(join(tmpdir(), "orch-watch-"));
  return { root, remove: () => rmSync(root, { recursive: true }) };
}

/** Lets time pass, and everything go on that waits for a promise. */
export async function pass(ms: number): Promise<void> {
  for (let left = ms; ; left -= 50) {
    jest.advanceTimersByTime(Math.min(50, Math.max(0, left)));
    for (let turn = 0; turn < 20; turn++) await Promise.resolve();
    if (left <= 0) return;
  }
}

export const taskOn = (id: string, bytes: number | null = null, over: Partial<CardTask> = {}): CardTask => {
  const uid = randomHex(16);
  return { uid, name: "12", user: null, pid: null, started_ms: Date.now(), devices: [{ id, bytes }], ...over };
};

/**
 * Returns, after a turn of the agent's loop with these tasks, why nothing is started on each card; null where it is.
 */
export const blocked = (watch: CardWatch, tasks: readonly CardTask[] = []): Record<string, string | null> =>
  Object.fromEntries(watch.gate(() => tasks).map((device) => [device.id, device.blocked]));

export const states = (watch: CardWatch): string[] => watch.devices().map(({ id, state }) => `${id} ${state}`);
