// The content of a task's directory: a frozen format that older and newer agents and keepers can read, since a task may
// outlive both. docs/decisions/15-one-keeper-a-node.md says who writes which file.

import { join } from "node:path";
import { cutText } from "../../core/cut";
import { HOUSE_LIMITS } from "../../core/limits";
import { END_CAUSES, EXIT_CAUSES, type EndCause, type StartTrouble, type TaskExit } from "../../core/model/end";
import type { EndOfClaim } from "../../core/model/record";
import { exists } from "../../os/files/files";
import { readTaskFile, wholeLines } from "../../os/files/task-files";
import { MIB, type BootMs } from "../../core/units";
import { fieldsOf, parsedJson, type JsonObject } from "../../os/files/json";
import { bootOfStart, clocksNow, recalled, wallOf, type Clocks } from "./moments";

/** The directories of an agent's data. */
export const places = (data: string) => ({
  tasks: join(data, "tasks"),
  /** Ended tasks whose end the server has on disk. They are kept for a while and never loaded at the start. */
  ended: join(data, "ended"),
  keepers: join(data, "keepers"),
});

/** Returns the directory of a task, living or ended, or null. */
export function dirOfTask(data: string, uid: string): string | null {
  const { tasks, ended } = places(data);
  return [join(tasks, uid), join(ended, uid)].find((dir) => exists(dir)) ?? null;
}

/** The names in a task's directory. */
export const FILES = {
  record: "record.json",
  claim: "claim",
  stdin: "stdin",
  stdout: "stdout",
  stderr: "stderr",
  marks: "marks",
  notes: "notes",
} as const;

export const isUid = (name: string): boolean => /^[0-9a-f]{32}$/.test(name);

/**
 * The content of an attempt's claim file. The file is created once and only grows, one line per fact: `started BOOT MS
 * BOOT_MS`, `group DIR`, `pid PID START MS BOOT_MS`, `code JSON`, `exit JSON`; or `stopped` and `told JSON`. MS is
 * wall time, and BOOT_MS the same moment on the boot clock, which keepers of earlier releases did not write. `code` is
 * the exit as far as it is known when the main process ends, which they did not write either; `exit` says how it was
 * once nothing of the task was left. The file's first bytes are synced before anything executes, so later lines need no
 * new block, and an exit is recorded also on a full disk.
 */
export interface Attempt {
  /** `unknown`: the file was created and not written, since its keeper died in between. It counts as a claim. */
  readonly claimed: "start" | "stop" | "unknown";
  readonly boot_id: string;
  readonly at_ms: BootMs;
  /** The control group in which the attempt's processes are, or will be. */
  readonly group: readonly string[];
  readonly process: TaskProcess | null;
  readonly exit: TaskExit | null;
  /** Why a task was claimed so that it never executes. Agents of earlier releases did not write it. */
  readonly told: EndOfClaim | null;
  /** The exit as it was known when the main process had ended, before what that has left was ended. */
  readonly code: TaskExit | null;
}

export interface TaskProcess {
  readonly pid: number;
  /** The start time in ticks since boot. With the pid and the boot it names one process. */
  readonly start: string;
  readonly started_ms: BootMs;
}

export const STOPPED_CLAIM = "stopped\n";

/** Returns the claim of a task that never executes, with the end that its agent has decided on; null if it has none. */
export const stoppedClaim = (end: EndOfClaim | null): string =>
  end === null
    ? STOPPED_CLAIM
    : `${STOPPED_CLAIM}told ${JSON.stringify({ state: end.state, cause: end.cause, reason: end.reason })}\n`;

export const claimText = ({ boot_id, wall_ms, boot_ms }: Clocks, group: readonly string[]): string =>
  [`started ${boot_id} ${wall_ms} ${boot_ms}`, ...group.map((dir) => `group ${dir}`), ""].join("\n");

export const pidLine = ({ pid, start, started_ms }: TaskProcess, now: Clocks): string =>
  `pid ${pid} ${start} ${wallOf(started_ms, now)} ${started_ms}\n`;

export const exitLine = (exit: TaskExit, now: Clocks): string => `exit ${JSON.stringify(keptExit(exit, now))}\n`;

export const codeLine = (exit: TaskExit, now: Clocks): string => `code ${JSON.stringify(keptExit(exit, now))}\n`;

/** Returns an exit as it is kept and told: `parseExit` reads it, and so do earlier releases. */
export const keptExit = (exit: TaskExit, now: Clocks): JsonObject => ({
  ...exit,
  started_ms: wallOf(exit.started_ms, now),
  ended_ms: wallOf(exit.ended_ms, now),
  started_boot_ms: exit.started_ms,
  ended_boot_ms: exit.ended_ms,
});

const UNKNOWN: Attempt = {
  claimed: "unknown",
  boot_id: "",
  at_ms: 0,
  group: [],
  process: null,
  told: null,
  exit: null,
  code: null,
};

/** Reads the claim in a task's directory, or returns null if there is none. Words of newer keepers are ignored. */
export function readAttempt(dir: string): Attempt | null {
  const read = readTaskFile(dir, FILES.claim, MIB);
  if (read.is === "missing") return null;
  return read.is === "failed" ? UNKNOWN : parseAttempt(read.text);
}

/** Returns whether the claim of a task is there without a whole line. One that cannot be read may have them all. */
export function isClaimEmpty(dir: string): boolean {
  const read = readTaskFile(dir, FILES.claim, MIB);
  return read.is === "there" && wholeLines(read.text).length === 0;
}

/** Parses the content of a claim. Only whole lines count. All of its moments are of the boot that it names. */
export function parseAttempt(text: string, now: Clocks = clocksNow()): Attempt {
  let attempt = UNKNOWN;
  const at = (wall: string, boot: string): BootMs =>
    recalled({ wall_ms: Number(wall), boot_ms: boot === "" ? null : Number(boot), boot_id: attempt.boot_id }, now);
  for (const line of wholeLines(text)) {
    const [word, first = "", second = "", third = "", fourth = ""] = line.split(" ");
    if (word === "stopped") attempt = { ...attempt, claimed: "stop" };
    else if (word === "started") {
      attempt = { ...attempt, claimed: "start", boot_id: first };
      attempt = { ...attempt, at_ms: at(second, third) };
    } else if (word === "group") attempt = { ...attempt, group: [...attempt.group, line.slice("group ".length)] };
    else if (word === "pid") {
      const began = fourth === "" ? String(bootOfStart(second) ?? "") : fourth;
      attempt = { ...attempt, process: { pid: Number(first), start: second, started_ms: at(third, began) } };
    } else if (word === "told") {
      attempt = { ...attempt, told: toldIn(parsedJson(line.slice("told ".length))) };
    } else if (word === "exit" || word === "code") {
      attempt = { ...attempt, [word]: parseExit(parsedJson(line.slice(word.length + 1)), attempt, now) };
    }
  }
  return attempt;
}

function toldIn(value: unknown): EndOfClaim | null {
  const { state, cause, reason } = fieldsOf(value);
  if (state !== "stopped" && state !== "rejected") return null;
  const known = typeof cause === "string" && Object.hasOwn(END_CAUSES, cause) ? { cause: cause as EndCause } : {};
  return { state, ...known, reason: textOrNull(reason) };
}

export const numberOrNull = (value: unknown): number | null => (typeof value === "number" ? value : null);
export const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

/**
 * Parses an exit that was kept in the boot `boot_id`. Fields of newer keepers are ignored, and fields of older ones may
 * be missing.
 */
export function parseExit(told: unknown, { boot_id }: Pick<Clocks, "boot_id">, now: Clocks): TaskExit | null {
  const value = fieldsOf(told);
  const [began, over] = [value["started_ms"], value["ended_ms"]];
  if (typeof began !== "number" || typeof over !== "number") return null;
  const boot = { started: numberOrNull(value["started_boot_ms"]), ended: numberOrNull(value["ended_boot_ms"]) };
  const ended_ms = recalled({ wall_ms: over, boot_ms: boot.ended, boot_id }, now);
  const ran_ms = boot.started === null || boot.ended === null ? over - began : boot.ended - boot.started;
  const started_ms = ended_ms - Math.max(0, ran_ms);
  return {
    exit_code: numberOrNull(value["exit_code"]),
    signal: textOrNull(value["signal"]),
    started_ms,
    ended_ms,
    peak_memory_bytes: numberOrNull(value["peak_memory_bytes"]),
    oom: value["oom"] === true,
    left: numberOrNull(value["left"]) ?? 0,
    ...causeIn(value),
    reason: textOrNull(value["reason"]),
  };
}

/** Why a start failed: for a trouble of the node, or, with `start_failed`, for one of the task itself. */
export type StartCause = StartTrouble | "start_failed";

/**
 * Returns the cause and reason in the exit of a command that could not be started. Agents of earlier releases know such
 * an exit by the first words of its reason.
 */
export const startFailed = (why: string, cause: StartCause): { cause: StartCause; reason: string } => ({
  cause,
  reason: cutText(`could not start: ${why}`, HOUSE_LIMITS.text_chars),
});

/**
 * Returns the cause in an exit. Keepers of earlier releases wrote a reason and no cause, and only two kinds of reasons.
 */
function causeIn({ cause, reason }: Record<string, unknown>): Pick<TaskExit, "cause"> {
  const known = EXIT_CAUSES.find((one) => one === cause);
  if (known !== undefined) return { cause: known };
  if (typeof reason !== "string") return {};
  return { cause: reason.startsWith("could not start: ") ? "start_failed" : "lease_expired" };
}
