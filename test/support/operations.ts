// Counts what the parts of a cluster ask of the kernel, from outside (strace): syncs, files, messages, processes. The
// counts do not depend on how fast the machine is.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Cluster } from "./cluster";
import { processesOf } from "./processes";
import { waitUntil } from "./wait";

export const PARTS = ["server", "agent", "keeper"] as const;
export type Part = (typeof PARTS)[number];

export interface Operations {
  /** Calls that wait for the disk. */
  readonly syncs: number;
  /** Files and directories that are made, renamed or removed. */
  readonly files: number;
  /** Messages that are sent. */
  readonly messages: number;
  /** The bytes of these. */
  readonly message_bytes: number;
  /** Processes that are begun. */
  readonly processes: number;
  /** Processes that are moved between control groups, each of which waits for the whole machine. */
  readonly moves: number;
}

const SYNCS = ["fsync", "fdatasync", "sync_file_range", "syncfs", "msync"];
const NAMES = ["mkdir", "mkdirat", "rmdir", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat"];
const OPENS = ["open", "openat"];
const SENDS = ["sendto", "sendmsg"];
const SPAWNS = ["fork", "vfork"];
const TRACED = [...SYNCS, ...NAMES, ...OPENS, ...SENDS, ...SPAWNS, "execve"];

/** Counts what the parts of a cluster with one agent ask for during `work`. Its keeper must be there. */
export async function counted(
  cluster: Cluster,
  agent: string,
  work: () => Promise<void>,
): Promise<Record<Part, Operations>> {
  const tracers = PARTS.map((part) => traced(cluster, part, pidOf(cluster, agent, part)));
  for (const { child } of tracers) await attached(child.stderr);
  await work();
  for (const { child } of tracers) child.kill("SIGINT");
  await Promise.all(tracers.map(async ({ child }) => child.exited));
  const [server, agents, keeper] = tracers.map(({ out }) => operationsIn(readFileSync(out, "utf8")));
  if (server === undefined || agents === undefined || keeper === undefined) throw new Error("a part was not traced");
  return { server, agent: agents, keeper };
}

function pidOf(cluster: Cluster, agent: string, part: Part): number {
  if (part === "server") return cluster.server?.pid ?? 0;
  if (part === "agent") return cluster.agent(agent).pid;
  return processesOf(cluster.dataOf(agent)).find(({ command }) => / keeper /.test(command))?.pid ?? 0;
}

function traced(cluster: Cluster, part: Part, pid: number) {
  const out = join(cluster.dir, `${part}.strace`);
  const calls = TRACED.map((name) => `?${name}`).join(",");
  const argv = ["strace", "-f", "-y", "-s", "0", "-e", `trace=${calls}`, "-o", out, "-p", String(pid)];
  return { out, child: Bun.spawn(argv, { stderr: "pipe", stdout: "ignore", stdin: "ignore" }) };
}

async function attached(stderr: ReadableStream<Uint8Array>): Promise<void> {
  const reader = stderr.getReader();
  const decoder = new TextDecoder();
  let said = "";
  await waitUntil("strace to be attached", async () => {
    const { done, value } = await reader.read();
    said += decoder.decode(value);
    if (done) throw new Error(`strace has ended: ${said}`);
    return said.includes("attached");
  });
}

/**
 * Counts the calls of a trace. Each line is one call, or the part of one before or after others. What a process does
 * after `execve` is the job's doing.
 */
function operationsIn(trace: string): Operations {
  const counts = { syncs: 0, files: 0, messages: 0, message_bytes: 0, processes: 0, moves: 0 };
  const jobs = new Set<string>();
  for (const line of trace.split("\n")) {
    const [, pid = "", name = ""] = /^(\d+) +(?:<\.\.\. )?(\w+)/.exec(line) ?? [];
    if (name === "execve") jobs.add(pid);
    if (jobs.has(pid) || (line.endsWith("<unfinished ...>") && name !== "openat")) continue;
    const result = Number(/= (-?\d+)[^=]*$/.exec(line)?.[1] ?? "0");
    if (SYNCS.includes(name)) counts.syncs++;
    if (NAMES.includes(name) && result === 0) counts.files++;
    // The kernel's own files are there already, whatever a call asks for.
    if (OPENS.includes(name) && line.includes("O_CREAT") && !/"\/(?:sys|proc|dev)\/(?!self\/fd)/.test(line))
      counts.files++;
    if (OPENS.includes(name) && line.includes("O_WRONLY") && line.endsWith("/cgroup.procs>")) counts.moves++;
    if (SENDS.includes(name)) counts.messages++;
    if (SENDS.includes(name)) counts.message_bytes += Math.max(result, 0);
    if (SPAWNS.includes(name) && result > 0) counts.processes++;
  }
  return counts;
}
