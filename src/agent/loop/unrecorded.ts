// The tasks that this agent answers for without a record: those that it was told to stop, and those that outlived their
// record. Each end is reported when it has come, and again until the server has it on disk.

import type { Orphan } from "../../core/model/rows-node";
import { endWithoutRecord, withoutRecord } from "../../core/agent/report";
import type { Seen, TaskReport } from "../../core/model/record";
import type { BootMs } from "../../core/units";
import type { Driver } from "../drivers/driver";
import type { TaskStore } from "../tasks/store";

const BEGUN = { none: "no", beginning: "alive", alive: "alive", ended: "over", vanished: "over" } as const;

/** Returns whether a process of a task is or was here. */
export const begunOf = (seen: ReadonlyMap<string, Seen>, uid: string): "no" | "alive" | "over" =>
  BEGUN[seen.get(uid)?.process.is ?? "none"];

export interface Unrecorded {
  /** Returns the tasks without a record that are not over, as far as this agent has seen. */
  unknown(): readonly Orphan[];
  /** Notes that the process of `uid` is being stopped. Its end is reported as the end of `of`. */
  stop(stray: { readonly uid: string; readonly of: string; readonly why: string }): void;
  /** Notes an end that has come, to tell it until the server has it on disk. */
  ended(report: TaskReport): void;
  /** Returns the ends that have come since the last call. */
  ends(now_ms: BootMs): readonly TaskReport[];
  /** Returns the ends that the server does not have on disk yet. */
  told(): readonly TaskReport[];
  /** Notes that the server has the end of this uid on disk. Returns whether the end was told from here. */
  acknowledged(uid: string): boolean;
  /** Forgets which ends the server has on disk, since another timeline may lack them. */
  newTimeline(): void;
}

export interface UnrecordedOptions {
  readonly store: TaskStore;
  readonly driver: Driver;
  /** The tasks that the driver found without a record. */
  readonly orphans: readonly Orphan[];
  /** The tasks that were stopped before they came. */
  readonly stopped: ReadonlySet<string>;
  /** Returns whether the server has sent the record of a task again. Such a task is reported by its record. */
  readonly hasRecord: (uid: string) => boolean;
}

export function createUnrecorded({ store, driver, orphans, stopped, hasRecord }: UnrecordedOptions): Unrecorded {
  const strays = new Map<string, { readonly of: string; readonly why: string }>();
  const over = new Set<string>();
  const heard = new Set<string>();
  const last = new Map<string, TaskReport>();
  for (const uid of stopped) last.set(uid, withoutRecord(uid, "it was stopped before it came", "no"));
  const unknown = (): readonly Orphan[] => orphans.filter(({ uid }) => !hasRecord(uid) && !over.has(uid));
  // A task without any sign that it began is left to people, since what cannot be read may say what became of it.
  const before = driver.seen();
  const isTold = new Set(orphans.map(({ uid }) => uid).filter((uid) => begunOf(before, uid) !== "no"));

  function endOf(uid: string, now_ms: BootMs): TaskReport {
    const process = driver.seen().get(uid)?.process;
    return process?.is === "ended"
      ? endWithoutRecord(uid, process, now_ms, store.tail(uid))
      : withoutRecord(uid, "", process?.is === "vanished" && process.rebooted ? "rebooted" : "over");
  }

  return {
    unknown,
    stop({ uid, of, why }) {
      strays.set(uid, { of, why });
    },
    ended(report) {
      last.set(report.uid, report);
    },
    ends(now_ms) {
      const seen = driver.seen();
      const isOver = (uid: string): boolean => begunOf(seen, uid) !== "alive";
      const ended: TaskReport[] = [];
      for (const [uid, { of, why }] of strays) {
        if (!isOver(uid)) continue;
        strays.delete(uid);
        over.add(uid);
        ended.push(withoutRecord(of, why, "over"));
      }
      for (const { uid } of unknown()) {
        if (!isTold.has(uid) || strays.has(uid) || !isOver(uid)) continue;
        over.add(uid);
        ended.push(endOf(uid, now_ms));
      }
      for (const report of ended) last.set(report.uid, report);
      return ended;
    },
    told: () => [...last.values()].filter(({ uid }) => !heard.has(uid)),
    acknowledged(uid) {
      if (last.has(uid)) heard.add(uid);
      return last.has(uid);
    },
    newTimeline: () => heard.clear(),
  };
}
