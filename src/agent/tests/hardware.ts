// Tests processor, memory and disk: a child process measures, and the results are judged here. Hardware that computes
// or stores wrong values is unfit. Slow hardware is compared with its past and its twins by the server.

import { join } from "node:path";
import { formatBytes } from "../../core/format";
import { MIB } from "../../core/units";
import type { DiskTrial } from "../../os/files/disk-trial";
import { roomIn } from "../../os/facts";
import { makePrivateDir } from "../../os/files/files";
import type { Finding, Workbench } from "./part";
import type { CpuTrial, MemoryTrial, SelfQuestion } from "./self-test";

const TIMEOUT_MS = { cpu: 20_000, memory: 20_000, disk: 30_000 } as const;
const MOST_MEMORY = 64 * MIB;

/** Which part of the machine's memory, and of the disk's free space, a test uses. */
const SHARE = { memory: 1 / 64, disk: 1 / 4 } as const;
const CORES_NAMED = 8;

const finding = (name: string, part: Partial<Finding>): Finding => ({
  name,
  required: true,
  verdict: "passed",
  detail: "",
  value: null,
  unit: null,
  ...part,
});

const failed = (name: string, detail: string): Finding => finding(name, { verdict: "failed", detail });

const megabytes = (bytes_s: number): Pick<Finding, "value" | "unit"> => ({
  value: Math.round(bytes_s / 1e5) / 10,
  unit: "MB/s",
});

type Trial<T> = { readonly is: "made"; readonly trial: T } | { readonly is: "failed"; readonly why: string };

async function ask<T>({ child }: Workbench, question: SelfQuestion, timeout_ms: number): Promise<Trial<T>> {
  const answer = await child.ask(question, timeout_ms);
  return answer.is === "answered" ? { is: "made", trial: answer.value as T } : answer;
}

export async function testCpu(bench: Workbench): Promise<Finding[]> {
  const asked = await ask<CpuTrial>(bench, { test: "cpu" }, TIMEOUT_MS.cpu);
  return [
    asked.is === "failed" ? failed("cpu", `the processor was not tested: ${asked.why}`) : cpuFinding(asked.trial),
  ];
}

export function cpuFinding({ cores, wrong, runs_s }: CpuTrial): Finding {
  if (wrong.length === 0) {
    const detail = cores === 1 ? "computes right" : `all ${cores} cores compute the same, and right`;
    return finding("cpu", { detail, value: runs_s, unit: "runs/s" });
  }
  const named = wrong.slice(0, CORES_NAMED).join(", ");
  const more = wrong.length > CORES_NAMED ? ` and ${wrong.length - CORES_NAMED} more` : "";
  const [core, compute] = wrong.length === 1 ? ["core", "computes"] : ["cores", "compute"];
  return failed("cpu", `${core} ${named}${more} of ${cores} ${compute} wrong results`);
}

export async function testMemory(bench: Workbench): Promise<Finding[]> {
  const all = bench.machine().facts.memory_bytes ?? MOST_MEMORY / SHARE.memory;
  const bytes = Math.min(MOST_MEMORY, Math.floor((all * SHARE.memory) / MIB) * MIB);
  const asked = await ask<MemoryTrial>(bench, { test: "memory", bytes: Math.max(MIB, bytes) }, TIMEOUT_MS.memory);
  return [
    asked.is === "failed" ? failed("memory", `the memory was not tested: ${asked.why}`) : memoryFinding(asked.trial),
  ];
}

export const memoryFinding = ({ bytes, wrong, copied_bytes_s }: MemoryTrial): Finding =>
  wrong === null
    ? finding("memory", { detail: `${formatBytes(bytes)} kept what was written`, ...megabytes(copied_bytes_s) })
    : failed("memory", `memory does not keep what is written to it: ${wrong}`);

export async function testDisk(bench: Workbench): Promise<Finding[]> {
  const dir = join(bench.data, "tests");
  makePrivateDir(dir);
  const room_bytes = Math.floor((await roomIn(dir)) * SHARE.disk);
  const asked = await ask<DiskTrial>(bench, { test: "disk", dir, room_bytes }, TIMEOUT_MS.disk);
  return asked.is === "failed" ? [failed("disk_write", `disk writes fail: ${asked.why}`)] : diskFindings(asked.trial);
}

/** Returns the findings of a disk trial. What was measured before a failure counts too. */
export function diskFindings({ write_bytes_s, read_bytes_s, sync_ms, cached, failed: wrong }: DiskTrial): Finding[] {
  const found: Finding[] = [];
  if (write_bytes_s !== null) {
    found.push(finding("disk_write", { detail: "written and synced", ...megabytes(write_bytes_s) }));
  }
  if (read_bytes_s !== null) {
    const detail = cached ? "as it was written; perhaps from memory" : "as it was written";
    found.push(finding("disk_read", { detail, ...(cached ? {} : megabytes(read_bytes_s)) }));
  }
  if (sync_ms !== null) {
    const detail = "to sync a little that was written";
    found.push(finding("disk_sync", { required: false, detail, value: Math.round(sync_ms * 100) / 100, unit: "ms" }));
  }
  if (wrong === null) return found;
  const what = wrong.at === "read" ? "disk reads fail" : wrong.at === "write" ? "disk writes fail" : "disk syncs fail";
  return [...found, failed(`disk_${wrong.at}`, `${what}: ${wrong.why}`)];
}
