// Tests the file system of the data directory: whether records there survive, whether programs there may run, and
// whether there is room.

import { formatBytes } from "../../core/format";
import { GIB, MIB } from "../../core/units";
import { lookAtFileSystem, type FileSystem } from "../../os/files/filesystem";
import type { Bench, Finding } from "./part";

const ROOM = { failed: 64 * MIB, warned: GIB } as const;
const FILES = { failed: 100, warned: 10_000 } as const;

export async function testFilesystem({ data }: Bench): Promise<Finding[]> {
  const found = await lookAtFileSystem(data);
  const failures = failuresOf(found);
  const warnings = warningsOf(found);
  const verdict = failures.length > 0 ? "failed" : warnings.length > 0 ? "warned" : "passed";
  const detail = [...failures, ...warnings].join("; ");
  return [
    {
      name: "filesystem",
      required: true,
      verdict,
      detail: detail === "" ? `${found.type}, ${formatBytes(found.free_bytes)} free` : detail,
      value: null,
      unit: null,
    },
  ];
}

/** Returns what makes the file system unfit. */
export function failuresOf({ network, read_only, free_bytes, free_files }: FileSystem): string[] {
  return [
    network === null ? "" : `the data directory is on a network file system (${network})`,
    read_only ? "the data directory is read-only" : "",
    free_bytes < ROOM.failed ? `the data directory has ${formatBytes(free_bytes)} left` : "",
    free_files !== null && free_files < FILES.failed ? `the data directory has room for ${free_files} more files` : "",
  ].filter((one) => one !== "");
}

/** Returns what is likely to run short sooner or later. */
export function warningsOf({ no_exec, free_bytes, free_files }: FileSystem): string[] {
  return [
    no_exec ? "programs cannot be run from the data directory (noexec)" : "",
    free_bytes >= ROOM.failed && free_bytes < ROOM.warned
      ? `the data directory has ${formatBytes(free_bytes)} left`
      : "",
    free_files !== null && free_files >= FILES.failed && free_files < FILES.warned
      ? `the data directory has room for ${free_files} more files`
      : "",
  ].filter((one) => one !== "");
}
