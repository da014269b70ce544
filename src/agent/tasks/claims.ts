// The claims of attempts that never execute: stopped before they began, or refused. A claim is made once, whoever makes
// it.

import { join } from "node:path";
import { createSlowly, makeDirSlowly, refillSlowly, removeSlowly, type Disk } from "../../os/files/disk";
import { exists, LeftEmpty } from "../../os/files/files";
import { isTaskFile } from "../../os/files/task-files";
import { clocksNow } from "./moments";
import type { StartTrouble } from "../../core/model/end";
import type { EndOfClaim } from "../../core/model/record";
import type { Owed } from "./owed";
import { badPath } from "./records";
import {
  claimText,
  exitLine,
  FILES,
  parseAttempt,
  isClaimEmpty,
  readAttempt,
  startFailed,
  STOPPED_CLAIM,
  stoppedClaim,
  type Attempt,
} from "./taskdir";

/**
 * `now`: the attempt is claimed now and never executes. `before`: it was claimed before and has a record. `unrecorded`:
 * it was claimed before and has no record.
 */
export type StopClaim = "now" | "before" | "unrecorded";

export interface Claims {
  /** Returns the content of an attempt's claim, or null if the attempt is not claimed. */
  attempt(uid: string): Attempt | null;
  /** Returns whether a directory of the task, living or ended, has a claim. */
  wasClaimed(uid: string): boolean;
  /**
   * Claims an attempt so that it never executes. An attempt that was claimed before stays as it is. A claim that the
   * disk does not take is noted where only agents see it; with `write` that is an error, since a keeper may be about to
   * claim the attempt. The claim keeps the `end` for an agent that comes before it is written down.
   */
  claimStopped(uid: string, must?: "owe" | "write", end?: EndOfClaim): Promise<StopClaim>;
  /** Claims an attempt that cannot begin here. The attempt is over at once, for this reason. */
  claimRefused(uid: string, why: string, cause: StartTrouble): Promise<void>;
}

export interface ClaimsOptions {
  readonly tasks: string;
  readonly ended: string;
  readonly disk: Disk;
  readonly owed: Owed | null;
  /** Returns whether the agent's book has a record of the task. */
  readonly hasRecord: (uid: string) => boolean;
}

const EMPTY = "its disk took a claim without its text";

export function createClaims({ tasks, ended, disk, owed, hasRecord }: ClaimsOptions): Claims {
  const isOwed = (uid: string): boolean => owed?.claims.has(uid) === true;
  return {
    attempt(uid) {
      const found = attemptIn(join(tasks, uid), isOwed(uid));
      const over = join(ended, uid);
      // A task whose directory could not be moved back, or was there before, was claimed, whatever is left of it.
      return found ?? (exists(over) ? (readAttempt(over) ?? parseAttempt("")) : null);
    },
    wasClaimed: (uid) => isOwed(uid) || isTaskFile(join(tasks, uid), FILES.claim) || exists(join(ended, uid)),
    async claimStopped(uid, must = "owe", end) {
      if (exists(join(ended, uid))) return "before";
      const answer = await disk.answer(() => claimStopped(tasks, uid, hasRecord(uid), end ?? null));
      if (answer.is === "done" && answer.value !== "empty") return answer.value;
      // A file without its text keeps every keeper from claiming the attempt.
      const isMade = answer.is === "done";
      if (owed === null || (must === "write" && !isMade)) throw new Error(isMade ? EMPTY : answer.why);
      owed.claim(uid);
      return "now";
    },
    async claimRefused(uid, why, cause) {
      const answer = await disk.answer(() => claimRefused(join(tasks, uid), why, cause));
      if (answer.is !== "done") throw new Error(answer.why);
      if (answer.value !== "empty") return;
      if (owed === null) throw new Error(EMPTY);
      owed.claim(uid);
    },
  };
}

/** The claim is made, and nobody else can make it; but the disk did not take its text, nor its removal. */
type EmptyClaim = "empty";

/** Makes a claim file. */
async function create(dir: string, text: string): Promise<"created" | "exists" | EmptyClaim> {
  try {
    return await createSlowly(join(dir, FILES.claim), text);
  } catch (error) {
    if (error instanceof LeftEmpty) return "empty";
    throw error;
  }
}

async function claimStopped(
  tasks: string,
  uid: string,
  hasRecord: boolean,
  end: EndOfClaim | null = null,
): Promise<StopClaim | EmptyClaim> {
  const dir = join(tasks, uid);
  await makeDirSlowly(dir);
  const claimed = await create(dir, stoppedClaim(end));
  const recorded = hasRecord || isTaskFile(dir, FILES.record);
  // No other order will follow for a record that could not be read.
  if (!recorded) await removeSlowly(badPath(tasks, uid));
  if (claimed === "empty") return "empty";
  return claimed === "created" ? "now" : recorded ? "before" : "unrecorded";
}

/** Makes a claim that the disk owes, also where its empty file is there and could not be removed again. */
export async function claimOwed(tasks: string, uid: string): Promise<void> {
  await claimStopped(tasks, uid, true);
  const dir = join(tasks, uid);
  if (isClaimEmpty(dir)) await refillSlowly(join(dir, FILES.claim), STOPPED_CLAIM);
}

/** Claims an attempt that cannot begin here, for this reason. */
async function claimRefused(dir: string, why: string, cause: StartTrouble): Promise<"created" | "exists" | EmptyClaim> {
  const now = clocksNow();
  const exit = {
    exit_code: null,
    signal: null,
    started_ms: now.boot_ms,
    ended_ms: now.boot_ms,
    peak_memory_bytes: null,
    oom: false,
    left: 0,
    ...startFailed(why, cause),
  };
  return create(dir, claimText(now, []) + exitLine(exit, now));
}

/**
 * Returns the content of a task's claim; null if there is none. A claim that could not be removed again when the disk
 * did not take its text says nothing, and the owed one does.
 */
function attemptIn(dir: string, owed: boolean): Attempt | null {
  const found = readAttempt(dir);
  return owed && (found === null || found.claimed === "unknown") ? parseAttempt(STOPPED_CLAIM) : found;
}
