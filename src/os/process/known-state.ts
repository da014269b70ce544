// The state that a process hands on to everything that it starts: umask, priorities, processors, limits. A process that
// takes the known state starts tasks the same way, whoever started it and from which shell, unit or script.

import { setPriority } from "node:os";
import { messageOf } from "../errors";
import { limitOf, setLimit, setThread, type Rlimit } from "../libc";
import { kernelText } from "../proc";

/** A limit without an end, as the kernel writes it. */
const UNLIMITED = 0xffff_ffff_ffff_ffffn;
const KIB = 1024n;
const MIB = KIB * KIB;

/** The numbers of the kernel's limits of a process. */
const RLIMIT = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
} as const;

/** The limits that a workload may ask for by name. */
export const NAMED_LIMITS = ["nofile", "memlock", "core", "stack"] as const;
export type NamedLimit = (typeof NAMED_LIMITS)[number];
export const isNamedLimit = (name: string): name is NamedLimit => NAMED_LIMITS.some((one) => one === name);

const endless: Rlimit = { soft: UNLIMITED, hard: UNLIMITED };

/**
 * Returns the limits of a task that asks for none. `nofile`, `memlock`, `core` and `stack` are ours; the others are
 * those that the kernel gives to its first process.
 */
function defaultLimits(): Readonly<Record<keyof typeof RLIMIT, Rlimit>> {
  // The kernel allows its first process half as many processes as the machine can have threads.
  const threads = BigInt(kernelText("/proc/sys/kernel/threads-max") ?? "0") / 2n;
  const processes = threads > 0n ? { soft: threads, hard: threads } : endless;
  return {
    cpu: endless,
    fsize: endless,
    data: endless,
    stack: { soft: 8n * MIB, hard: UNLIMITED },
    core: { soft: 0n, hard: UNLIMITED },
    rss: endless,
    nproc: processes,
    // Bun raises its own soft limit to the hard one, which is too high for programs that loop over all descriptors.
    nofile: { soft: 65_536n, hard: 1_048_576n },
    memlock: endless,
    as: endless,
    locks: endless,
    sigpending: processes,
    msgqueue: { soft: 819_200n, hard: 819_200n },
    nice: { soft: 0n, hard: 0n },
    rtprio: { soft: 0n, hard: 0n },
    rttime: endless,
  };
}

/** Gives this process the default limits. A hard limit that may not be raised stays, and caps the soft one. */
function takeLimits(): string[] {
  return Object.entries(defaultLimits()).flatMap(([name, wanted]) => {
    const number = RLIMIT[name as keyof typeof RLIMIT];
    if (setLimit(number, wanted) === null) return [];
    const now = limitOf(number);
    if (now === null) return [];
    const hard = wanted.hard < now.hard ? wanted.hard : now.hard;
    const why = setLimit(number, { soft: wanted.soft < hard ? wanted.soft : hard, hard });
    return why === null ? [] : [`${name}: ${why}`];
  });
}

/**
 * Returns why a task cannot be given a limit here, or null. `wanted` is in the kernel's unit; null is no limit. Only a
 * process that may raise hard limits gives more than it has itself.
 */
export function limitProblem(name: NamedLimit, wanted: number | null): string | null {
  const own = limitOf(RLIMIT[name])?.hard;
  if (own === undefined || mayRaiseLimits()) return null;
  const common = defaultLimits()[name].hard;
  const most = own < common ? own : common;
  if (wanted === null ? most === UNLIMITED : BigInt(wanted) <= most) return null;
  return `its agent may not give more than ${most} for the limit ${name}`;
}

const CAP_SYS_RESOURCE = 24n;

function mayRaiseLimits(): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(kernelText("/proc/self/status") ?? "")?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> CAP_SYS_RESOURCE) & 1n) === 1n;
}

const UMASK = 0o022;

/**
 * Takes the known state for this process and for all that it starts. Returns what could not be changed, such as a lower
 * priority that an account without privileges may not raise again.
 */
export function takeKnownState(): string[] {
  process.umask(UMASK);
  if (process.platform !== "linux") return [];
  return [...takeLimits(), ...takePriority(), ...setThread()];
}

function takePriority(): string[] {
  try {
    setPriority(0);
    return [];
  } catch (error) {
    return [`nice: ${messageOf(error)}`];
  }
}

/** Has a loaded machine run this process before others. Without the privilege to do so nothing changes. */
export function raisePriority(): void {
  try {
    setPriority(-15);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
  }
}
