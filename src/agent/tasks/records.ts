// Records on disk. They are in the agent's book; earlier releases wrote a file per task, with one line per version, of
// which the last whole one counts, and so it is kept with an ended task. All content is checked when read. A file that
// cannot be read is set aside under another name and never stops the agent.

import { join } from "node:path";
import { END_CAUSES, type EndCause, type RecordEnd } from "../../core/model/end";
import type { TaskRecord } from "../../core/model/record";
import { wordsOf } from "../../os/files/disk";
import { exists, renameTo } from "../../os/files/files";
import { readTaskFile, wholeLines } from "../../os/files/task-files";
import { MIB, type BootMs, type WallMs } from "../../core/units";
import { fieldsOf, parsedJson, type JsonObject } from "../../os/files/json";
import { assignment } from "../../wire/nouns";
import { clocksNow, recalled, wallOf, type Clocks } from "./moments";
import { FILES, numberOrNull, textOrNull } from "./taskdir";

type ParsedRecord =
  { readonly is: "there"; readonly record: TaskRecord } | { readonly is: "bad"; readonly why: string };

/** The record of a task. A bad record was set aside; the directory stays, with its claim. */
export type RecordRead = ParsedRecord | { readonly is: "missing" };

/** All versions of one record. A record is written anew at each change of what was decided, not of what was seen. */
const MOST_BYTES = 64 * MIB;

const bad = (why: string): ParsedRecord => ({ is: "bad", why });

/** Reads the record in a task's directory. A bad record is renamed to `UID.bad` beside the directory. */
export function readRecord(tasks: string, uid: string): RecordRead {
  const dir = join(tasks, uid);
  const path = join(dir, FILES.record);
  const read = readTaskFile(dir, FILES.record, MOST_BYTES);
  if (read.is === "missing") return { is: "missing" };
  // The agent was killed while it wrote the first version, so no server was told that it has the task. It comes again.
  if (read.is === "there" && wholeLines(read.text).length === 0 && !exists(join(dir, FILES.claim))) {
    return { is: "missing" };
  }
  const parsed = read.is === "there" ? lastRecord(read.text, uid) : bad(read.why);
  if (parsed.is !== "bad") return parsed;
  try {
    renameTo(path, badPath(tasks, uid));
    return parsed;
  } catch (error) {
    // On a disk that takes nothing it stays where it is, and counts as set aside all the same.
    return bad(`${parsed.why}; it could not be moved: ${wordsOf(error)}`);
  }
}

/** Returns the user of the task whose record is in a directory, or null if none can be read. Nothing is set aside. */
export function userOf(dir: string): string | null {
  const read = readTaskFile(dir, FILES.record, MOST_BYTES);
  const record = fieldsOf(read.is === "there" ? parsedJson(wholeLines(read.text).at(-1) ?? "") : null);
  const { user } = fieldsOf(fieldsOf(record["assignment"])["identity"]);
  return typeof user === "string" ? user : null;
}

export const badPath = (tasks: string, uid: string): string => join(tasks, `${uid}.bad`);

/**
 * Returns the newest record. A version whose writing was cut off has no end of line, so the version before it counts.
 */
function lastRecord(text: string, uid: string): ParsedRecord {
  const value = parsedJson(wholeLines(text).at(-1) ?? "");
  return value === undefined ? bad("not JSON") : parseRecord(value, uid);
}

/**
 * Returns a record as it is kept. Its moments are wall times, as earlier releases read them; `clock` says by how much
 * they are ahead of the boot clock of which boot, so that this release reads the moments of the boot clock.
 */
export function keptRecord(record: TaskRecord, now: Clocks): JsonObject {
  const { stop, verdict, end, limit_ms } = record;
  const wall = (at_ms: BootMs): WallMs => wallOf(at_ms, now);
  return {
    ...record,
    accepted_ms: wall(record.accepted_ms),
    not_before_ms: record.not_before_ms === 0 ? 0 : wall(record.not_before_ms),
    stop: stop === null ? null : { ...stop, at_ms: wall(stop.at_ms) },
    ...(limit_ms === undefined ? {} : { limit_ms: wall(limit_ms) }),
    verdict: verdict === null ? null : { ...verdict, at_ms: wall(verdict.at_ms) },
    end:
      end === null
        ? null
        : {
            ...end,
            started_ms: end.started_ms === null ? null : wall(end.started_ms),
            finished_ms: wall(end.finished_ms),
          },
    clock: { boot_id: now.boot_id, ahead_ms: now.wall_ms - now.boot_ms },
  };
}

/** Returns a record with its moments on the clock of this boot. */
function inThisBoot(record: TaskRecord, clock: unknown, now: Clocks): TaskRecord {
  const { stop, verdict, end, limit_ms } = record;
  const { boot_id, ahead_ms } = fieldsOf(clock);
  const at = (wall_ms: number): BootMs =>
    recalled(
      typeof boot_id === "string" && typeof ahead_ms === "number"
        ? { wall_ms, boot_ms: wall_ms - ahead_ms, boot_id }
        : // An earlier release says in which boot the task was accepted, and nothing else happened before that.
          { wall_ms: Math.min(wall_ms, now.wall_ms), boot_ms: null, boot_id: record.boot_id },
      now,
    );
  return {
    ...record,
    accepted_ms: at(record.accepted_ms),
    not_before_ms: record.not_before_ms === 0 ? 0 : at(record.not_before_ms),
    stop: stop === null ? null : { ...stop, at_ms: at(stop.at_ms) },
    ...(limit_ms === undefined ? {} : { limit_ms: at(limit_ms) }),
    verdict: verdict === null ? null : { ...verdict, at_ms: at(verdict.at_ms) },
    end:
      end === null
        ? null
        : {
            ...end,
            started_ms: end.started_ms === null ? null : at(end.started_ms),
            finished_ms: at(end.finished_ms),
          },
  };
}

/** Returns the record, or what is wrong with it. */
export function parseRecord(value: unknown, uid: string, now: Clocks = clocksNow()): ParsedRecord {
  if (typeof value !== "object" || value === null) return bad("not an object");
  const record = value as Record<string, unknown>;
  const task = assignment.safeParse(record["assignment"]);
  if (!task.success)
    return bad(task.error.issues.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; "));
  if (task.data.uid !== uid) return bad(`it is of task ${task.data.uid}`);
  const { boot_id, accepted_ms, go, not_before_ms, stop, verdict = null, limit_ms } = record;
  const end = endIn(record["end"]);
  if (
    typeof boot_id !== "string" ||
    typeof accepted_ms !== "number" ||
    typeof go !== "boolean" ||
    typeof not_before_ms !== "number"
  )
    return bad("fields are missing");
  if (!isStop(stop) || end === undefined || !isVerdict(verdict)) return bad("its stop or end is not understood");
  const assigned = task.data;
  const limited = typeof limit_ms === "number" ? { limit_ms } : {};
  const kept = { assignment: assigned, boot_id, accepted_ms, go, not_before_ms, stop, ...limited, verdict, end };
  return { is: "there", record: inThisBoot(kept, record["clock"], now) };
}

function isStop(value: unknown): value is TaskRecord["stop"] {
  if (value === null) return true;
  const stop = value as Record<string, unknown> | undefined;
  return (
    typeof stop === "object" &&
    typeof stop["signal"] === "string" &&
    typeof stop["grace_ms"] === "number" &&
    typeof stop["why"] === "string" &&
    typeof stop["at_ms"] === "number" &&
    (stop["unbegun"] === undefined || stop["unbegun"] === true)
  );
}

/** Returns whether a value is a verdict. Records of earlier releases have none, which reads as null. */
function isVerdict(value: unknown): value is TaskRecord["verdict"] {
  if (value === null) return true;
  const verdict = value as Record<string, unknown>;
  return typeof value === "object" && typeof verdict["why"] === "string" && typeof verdict["at_ms"] === "number";
}

const ENDS: readonly RecordEnd["state"][] = ["succeeded", "failed", "stopped", "rejected", "unknown", "gone"];

/**
 * Returns the end in a record. Another release may have written fewer or more fields. Undefined: the end is not
 * understood.
 */
function endIn(value: unknown): RecordEnd | null | undefined {
  if (value === null) return null;
  if (typeof value !== "object") return undefined;
  const end = value as Record<string, unknown>;
  const { finished_ms, cause } = end;
  const state = ENDS.find((one) => one === end["state"]);
  if (state === undefined || typeof finished_ms !== "number") return undefined;
  return {
    state,
    started_ms: numberOrNull(end["started_ms"]),
    finished_ms,
    exit_code: numberOrNull(end["exit_code"]),
    signal: textOrNull(end["signal"]),
    ...(typeof cause === "string" && Object.hasOwn(END_CAUSES, cause) ? { cause: cause as EndCause } : {}),
    reason: textOrNull(end["reason"]),
    peak_memory_bytes: numberOrNull(end["peak_memory_bytes"]),
    next_uid: textOrNull(end["next_uid"]),
  };
}
