// Carries out decided actions, one at a time for each task. An action that fails is reported in the log, and decided
// again a little later.

import type { BlockedStart } from "../../core/agent/step";
import type { Action, Asked, EndOfClaim, TaskRecord } from "../../core/model/record";
import type { BootMs } from "../../core/units";
import { pause } from "../../os/clock";
import { messageOf } from "../../os/errors";
import type { Driver } from "../drivers/driver";
import type { StopClaim } from "../tasks/claims";
import type { TaskStore } from "../tasks/store";
import type { TaskReports } from "./reports";

/** How long after a kill the task gets no further kill. */
const KILL_AGAIN_MS = 900;

/** How long a task stays busy after an action that failed, as on a full disk, so that it is not tried again at once. */
const AGAIN_MS = 1_000;

export interface ActsOptions {
  readonly store: TaskStore;
  readonly driver: Driver;
  /** The agent's records. An end changes them once it is on disk. */
  readonly records: Map<string, TaskRecord>;
  readonly reports: TaskReports;
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
  /** Called when an action is over, whatever its outcome. */
  readonly done: () => void;
}

export interface Acts {
  /** Tasks with an action under way. */
  readonly busy: ReadonlySet<string>;
  /** The stop signals that were sent, by uid of the task. */
  readonly signalled: ReadonlyMap<string, Asked>;
  /** The starts that have failed and are tried again. Each has been failing since its first failure, not its begin. */
  readonly failing: ReadonlyMap<string, BlockedStart>;
  /** Begins an action. Until it is over, nothing more must be decided about its task. */
  begin(action: Action, now_ms: BootMs): void;
  /** Keeps every action about these tasks from beginning. Returns a function that lets them begin again. */
  hold(uids: readonly string[]): () => void;
  /** Resolves when no end is being written. */
  settled(): Promise<void>;
  drop(uid: string): void;
}

export function createActs(options: ActsOptions): Acts {
  const { driver, records, clock, say, done } = options;
  const busy = new Set<string>();
  const signalled = new Map<string, Asked>();
  const killed = new Map<string, BootMs>();
  const failing = new Map<string, BlockedStart>();
  const held = new Set<string>();
  const ending = new Set<Promise<void>>();

  async function perform(action: Action, now_ms: BootMs): Promise<void> {
    switch (action.do) {
      case "start": {
        const record = records.get(action.uid);
        if (record !== undefined) await driver.start(record);
        failing.delete(action.uid);
        return;
      }
      case "claim":
        return claimAndEnd(options, busy, action);
      case "signal":
        signalled.set(action.uid, { ...action.stop, at_ms: now_ms });
        return driver.signal(action.uid, action.signal);
      case "kill":
        return killAt(options, killed, action.uid, now_ms);
      case "end":
        return writeEnd(options, busy, action);
    }
  }

  return {
    busy,
    signalled,
    failing,
    begin(action, now_ms) {
      if (held.has(action.uid) || isTooSoon(killed, action, now_ms)) return;
      busy.add(action.uid);
      const performed = perform(action, now_ms);
      if (action.do === "end" || action.do === "claim") ending.add(performed);
      performed
        .finally(() => ending.delete(performed))
        .catch((error: unknown) => {
          say(`task ${action.uid}: ${action.do}: ${messageOf(error)}`);
          const since_ms = failing.get(action.uid)?.since_ms ?? clock();
          if (action.do === "start") failing.set(action.uid, { why: messageOf(error), since_ms, at: "start" });
          return pause(AGAIN_MS);
        })
        .finally(() => {
          busy.delete(action.uid);
          done();
        });
    },
    hold(uids) {
      for (const uid of uids) held.add(uid);
      return () => {
        for (const uid of uids) held.delete(uid);
        done();
      };
    },
    async settled() {
      await Promise.allSettled(ending);
    },
    drop(uid) {
      signalled.delete(uid);
      killed.delete(uid);
      failing.delete(uid);
    },
  };
}

/**
 * Returns whether a task was sent a kill a moment ago. The killed processes may take a while to end, or never end.
 */
function isTooSoon(killed: Map<string, BootMs>, action: Action, now_ms: BootMs): boolean {
  if (action.do !== "kill") return false;
  const sent_ms = killed.get(action.uid);
  return sent_ms !== undefined && now_ms - sent_ms < KILL_AGAIN_MS;
}

/** Kills a task, and notes when. That a task lives although its end was told is said once. */
function killAt(
  { driver, records, say }: ActsOptions,
  killed: Map<string, BootMs>,
  uid: string,
  now_ms: BootMs,
): Promise<void> {
  const hasEnded = (records.get(uid)?.end ?? null) !== null;
  if (hasEnded && !killed.has(uid)) say(`task ${uid}: it lives although its end was told, and is killed`);
  killed.set(uid, now_ms);
  return driver.kill(uid);
}

/** Claims an attempt so that it never executes, and ends its processes that live without a record. */
export async function claimStopped(
  { store, driver }: Pick<ActsOptions, "store" | "driver">,
  uid: string,
  must: "owe" | "write" = "owe",
  end?: EndOfClaim,
): Promise<StopClaim> {
  const claimed = await store.claimStopped(uid, must, end);
  driver.look(uid);
  // The loop cannot follow a task without a record, so this order alone ends it.
  if (claimed !== "before") driver.end(uid);
  return claimed;
}

/** Claims a task that is not claimed, and ends it so. What was claimed before is judged by what is seen of it now. */
async function claimAndEnd(
  options: ActsOptions,
  busy: Set<string>,
  { uid, end }: Extract<Action, { do: "claim" }>,
): Promise<void> {
  const claimed = await claimStopped(options, uid, options.driver.isOrdered(uid) ? "write" : "owe", end);
  if (claimed === "now") await writeEnd(options, busy, { uid, end, next: null });
}

/**
 * Writes down an end. The record of the successor is written first: after a crash between the two writes it is found
 * again, since its uid follows from this attempt's. It is not reported before this end is durable, so that the server
 * hears of no attempt before the end that it follows.
 */
async function writeEnd(
  { store, records, reports }: ActsOptions,
  busy: Set<string>,
  { uid, end, next }: Omit<Extract<Action, { do: "end" }>, "do">,
): Promise<void> {
  if (next !== null) {
    busy.add(next.assignment.uid);
    reports.ahead(next.assignment.uid);
  }
  try {
    if (next !== null && !records.has(next.assignment.uid)) {
      await store.write(next);
      records.set(next.assignment.uid, next);
    }
    const record = records.get(uid);
    if (record === undefined) return;
    // A disk that did not take this end is told by the store. The server hears of the end all the same.
    const ended = { ...record, end };
    await store.write(ended);
    records.set(uid, ended);
    reports.caughtUp(record.assignment);
  } finally {
    if (next !== null) busy.delete(next.assignment.uid);
  }
}
