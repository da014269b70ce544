// What this agent has no record of and yet answers for: what it was told to stop, and what outlived its record. Each
// end is told when it has come, and again until the server has it on disk.

import type { Orphan } from "../../core/model/rows-node";
import { endWithoutRecord, withoutRecord } from "../../core/agent/report";
import type { Seen, TaskReport } from "../../core/model/record";
import type { Ms } from "../../core/units";
import type { Driver } from "../drivers/driver";
import type { TaskStore } from "../tasks/store";

const BEGUN = { none: "no", beginning: "alive", alive: "alive", ended: "over", vanished: "over" } as const;

/** Whether a process of a task is or was here. */
export const begunOf = (seen: ReadonlyMap<string, Seen>, uid: string): "no" | "alive" | "over" =>
  BEGUN[seen.get(uid)?.process.is ?? "none"];

export interface Unrecorded {
  /** What could not be read and is not over, as far as this agent has seen. */
  unknown(): readonly Orphan[];
  /** What lives on of a uid is being stopped; its end is the uid's. */
  stop(stray: { readonly uid: string; readonly of: string; readonly why: string }): void;
  /** The ends that have come since it was asked last. */
  ends(now_ms: Ms): readonly TaskReport[];
  /** Ends that the server does not have on disk yet. */
  told(): readonly TaskReport[];
  /** The server has the end of this uid on disk. */
  acknowledged(uid: string): void;
  /** What another timeline has on disk this one may not have. */
  newTimeline(): void;
}

export interface UnrecordedOptions {
  readonly store: TaskStore;
  readonly driver: Driver;
  /** What the driver found without a record. */
  readonly orphans: readonly Orphan[];
  /** A record came back from the server since, and speaks for itself. */
  readonly hasRecord: (uid: string) => boolean;
}

export function createUnrecorded({ store, driver, orphans, hasRecord }: UnrecordedOptions): Unrecorded {
  const strays = new Map<string, { readonly of: string; readonly why: string }>();
  const over = new Set<string>();
  const heard = new Set<string>();
  const last = new Map<string, TaskReport>();
  const unknown = (): readonly Orphan[] => orphans.filter(({ uid }) => !hasRecord(uid) && !over.has(uid));
  // What was over when this agent came, and nobody saw how, is left to people.
  const before = driver.seen();
  const isTold = new Set(
    orphans
      .map(({ uid }) => uid)
      .filter((uid) => begunOf(before, uid) === "alive" || before.get(uid)?.process.is === "ended"),
  );

  function endOf(uid: string, now_ms: Ms): TaskReport {
    const process = driver.seen().get(uid)?.process;
    return process?.is === "ended"
      ? endWithoutRecord(uid, process, now_ms, store.tail(uid))
      : withoutRecord(uid, "", "over");
  }

  return {
    unknown,
    stop({ uid, of, why }) {
      strays.set(uid, { of, why });
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
    },
    newTimeline: () => heard.clear(),
  };
}
