// What lies in the directory of a task: a frozen format, readable by older and newer agents and keepers, since a task
// may outlive both. docs/decisions/keeper.md says who writes what.

import { join } from "node:path";
import { readText, writeShort } from "../os/files";

/** The directories of an agent's data. */
export const places = (data: string) => ({
  tasks: join(data, "tasks"),
  /** Ended tasks whose end the server has on disk; kept for a while, never loaded at start. */
  ended: join(data, "ended"),
  keepers: join(data, "keepers"),
});

/** The names in a task's directory. */
export const FILES = {
  record: "record.json",
  claim: "claim",
  pid: "pid",
  exit: "exit",
  stdout: "stdout",
  stderr: "stderr",
  marks: "marks",
  notes: "notes",
} as const;

export const isUid = (name: string): boolean => /^[0-9a-f]{32}$/.test(name);

/** Who claimed an attempt: one that begins executes once, one that was stopped before never does. */
export type Claim =
  | {
      readonly by: "start";
      readonly boot_id: string;
      readonly at_ms: number;
      /** The control group that its processes are in, or will be. */
      readonly group: readonly string[];
    }
  | { readonly by: "stop" }
  /** Created and not written: its keeper died in between. It counts. */
  | { readonly by: "unknown" };

export const STOPPED_CLAIM = "stopped\n";

export function claimText(boot_id: string, at_ms: number, group: readonly string[]): string {
  return [`started ${boot_id} ${at_ms}`, ...group, ""].join("\n");
}

export function readClaim(dir: string): Claim | null {
  const read = readText(join(dir, FILES.claim));
  if (read.is === "missing") return null;
  if (read.is === "failed" || !read.text.endsWith("\n")) return { by: "unknown" };
  const [head = "", ...group] = read.text.trimEnd().split("\n");
  if (head === STOPPED_CLAIM.trim()) return { by: "stop" };
  const [word, boot_id, at] = head.split(" ");
  if (word !== "started" || boot_id === undefined) return { by: "unknown" };
  return { by: "start", boot_id, at_ms: Number(at), group };
}

export interface TaskPid {
  readonly pid: number;
  readonly start: string;
  readonly boot_id: string;
  readonly started_ms: number;
}

export function writePid(dir: string, { pid, start, boot_id, started_ms }: TaskPid): void {
  writeShort(join(dir, FILES.pid), `${pid} ${start} ${boot_id} ${started_ms}\n`);
}

export function readPid(dir: string): TaskPid | null {
  const read = readText(join(dir, FILES.pid));
  if (read.is !== "there" || !read.text.endsWith("\n")) return null;
  const [pid, start, boot_id, started] = read.text.trim().split(" ");
  if (start === undefined || boot_id === undefined || !Number.isInteger(Number(pid))) return null;
  return { pid: Number(pid), start, boot_id, started_ms: Number(started) };
}

export interface TaskExit {
  readonly exit_code: number | null;
  /** Without SIG. */
  readonly signal: string | null;
  readonly started_ms: number;
  readonly ended_ms: number;
  readonly peak_memory_bytes: number | null;
  readonly oom: boolean;
  /** Processes that outlived the main one and were killed. */
  readonly left: number;
  /** What the keeper knows beyond the code; `null`: the code says it all. */
  readonly reason: string | null;
}

export function writeExit(dir: string, exit: TaskExit): void {
  writeShort(join(dir, FILES.exit), `${JSON.stringify(exit)}\n`);
}

const numberOrNull = (value: unknown): number | null => (typeof value === "number" ? value : null);
const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

/** Only a whole line counts; fields of a newer keeper are ignored, fields of an older one may be missing. */
export function readExit(dir: string): TaskExit | null {
  const read = readText(join(dir, FILES.exit));
  if (read.is !== "there" || !read.text.endsWith("\n")) return null;
  return parseExit(read.text);
}

export function parseExit(text: string): TaskExit | null {
  let value: Record<string, unknown>;
  try {
    value = (JSON.parse(text) ?? {}) as Record<string, unknown>;
  } catch (error) {
    if (error instanceof SyntaxError) return null;
    throw error;
  }
  const { started_ms, ended_ms } = value;
  if (typeof started_ms !== "number" || typeof ended_ms !== "number") return null;
  return {
    exit_code: numberOrNull(value["exit_code"]),
    signal: textOrNull(value["signal"]),
    started_ms,
    ended_ms,
    peak_memory_bytes: numberOrNull(value["peak_memory_bytes"]),
    oom: value["oom"] === true,
    left: numberOrNull(value["left"]) ?? 0,
    reason: textOrNull(value["reason"]),
  };
}
