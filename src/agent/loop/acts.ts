// Carries out what was decided, one action a task at a time. What fails is said, and decided again a little later.

import type { Action, TaskRecord } from "../../core/model/record";
import type { Ms } from "../../core/units";
import { pause } from "../../os/clock";
import { messageOf } from "../../os/errors";
import type { Driver } from "../drivers/driver";
import type { TaskStore } from "../tasks/store";
import type { TaskReports } from "./reports";

/** How long a killed task is left alone before it is killed again. */
const KILL_AGAIN_MS = 900;

/** What could not be done, as on a full disk, is not tried again at once. */
const AGAIN_MS = 1_000;

export interface ActsOptions {
  readonly store: TaskStore;
  readonly driver: Driver;
  /** The agent's records, which an end changes once it is written down. */
  readonly records: Map<string, TaskRecord>;
  readonly reports: TaskReports;
  readonly say: (line: string) => void;
  /** An action is over, whatever came of it. */
  readonly done: () => void;
}

export interface Acts {
  /** Tasks that something is being done about. */
  readonly busy: ReadonlySet<string>;
  /** Tasks that were asked to end. */
  readonly signalled: ReadonlySet<string>;
  /** Begins an action; until it is over, nothing more is to be decided about its task. */
  begin(action: Action, now_ms: Ms): void;
  drop(uid: string): void;
}

export function createActs(options: ActsOptions): Acts {
  const { driver, records, say, done } = options;
  const busy = new Set<string>();
  const signalled = new Set<string>();
  const killed = new Map<string, Ms>();

  /** A kill that was sent a moment ago is not sent again: what it kills may take a while to go, or never go. */
  function isTooSoon(action: Action, now_ms: Ms): boolean {
    if (action.do !== "kill") return false;
    const sent_ms = killed.get(action.uid);
    if (sent_ms !== undefined && now_ms - sent_ms < KILL_AGAIN_MS) return true;
    killed.set(action.uid, now_ms);
    return false;
  }

  async function perform(action: Action): Promise<void> {
    switch (action.do) {
      case "start": {
        const record = records.get(action.uid);
        if (record !== undefined) await driver.start(record);
        return;
      }
      case "claim":
        return claimStopped(options, action.uid);
      case "signal":
        signalled.add(action.uid);
        return driver.signal(action.uid, action.signal);
      case "kill":
        return driver.kill(action.uid);
      case "end":
        return writeEnd(options, busy, action);
    }
  }

  return {
    busy,
    signalled,
    begin(action, now_ms) {
      if (isTooSoon(action, now_ms)) return;
      busy.add(action.uid);
      perform(action)
        .catch((error: unknown) => {
          say(`task ${action.uid}: ${action.do}: ${messageOf(error)}`);
          return pause(AGAIN_MS);
        })
        .finally(() => {
          busy.delete(action.uid);
          done();
        });
    },
    drop(uid) {
      signalled.delete(uid);
      killed.delete(uid);
    },
  };
}

/** Claims an attempt so that it never executes, and ends what lives of it without a record. */
export async function claimStopped(
  { store, driver }: Pick<ActsOptions, "store" | "driver">,
  uid: string,
): Promise<void> {
  const claimed = await store.claimStopped(uid);
  if (claimed === "now") driver.look(uid);
  // What lives has no record that the loop could follow: this is the order that ends it.
  if (claimed !== "before") driver.end(uid);
}

/**
 * The successor is written first: a crash between the two finds it again, since its uid follows from this one's. It
 * waits until this end is durable, so that nobody hears of it before the end that made it.
 */
async function writeEnd(
  { store, records, reports }: ActsOptions,
  busy: Set<string>,
  { uid, end, next }: Extract<Action, { do: "end" }>,
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
    const ended = { ...record, end };
    await store.write(ended);
    records.set(uid, ended);
    reports.caughtUp(record.assignment);
  } finally {
    if (next !== null) busy.delete(next.assignment.uid);
  }
}
