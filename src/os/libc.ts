// The few system calls that Bun does not offer, through its foreign function interface. Each returns why it failed
// instead of throwing, so that orch goes on with less protection where the library is missing.

import { dlopen, ptr, read } from "bun:ffi";
import { closeSync, existsSync, writeSync } from "node:fs";
import { messageOf } from "./errors";

// Absolute paths only: a bare name would also be looked up in the current directory.
const CANDIDATES = [
  "/lib/x86_64-linux-gnu/libc.so.6",
  "/lib/aarch64-linux-gnu/libc.so.6",
  "/lib64/libc.so.6",
  "/usr/lib64/libc.so.6",
  "/usr/lib/libc.so.6",
  "/lib/libc.so.6",
  "/lib/ld-musl-x86_64.so.1",
  "/lib/ld-musl-aarch64.so.1",
];
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;
const PR_SET_NO_NEW_PRIVS = 38;
const FALLOC_KEEP_SIZE_PUNCH_HOLE = 3;
const CLOCK_BOOTTIME = 7;
/** MCL_CURRENT and MCL_ONFAULT. Without the second, the whole of JavaScript's reserved memory would be filled. */
const MCL_CURRENT_ONFAULT = 1 | 4;
const SYS_SCHED_SETAFFINITY = process.arch === "arm64" ? 122 : 203;
const SYS_SCHED_SETSCHEDULER = process.arch === "arm64" ? 119 : 144;
const SYS_IOPRIO_SET = process.arch === "arm64" ? 30 : 251;
const SYS_PERSONALITY = process.arch === "arm64" ? 92 : 135;
const SYS_KEYCTL = process.arch === "arm64" ? 219 : 250;
const KEYCTL_JOIN_SESSION_KEYRING = 1;
const IOPRIO_WHO_PROCESS = 1;
const SCHED_OTHER = 0;
const PR_SET_TIMERSLACK = 29;
const PR_SET_THP_DISABLE = 41;
/** The kernel's own default, in nanoseconds. */
const TIMER_SLACK = 50_000;
/** Bits for more processors than the kernel supports. The kernel leaves out those that the machine does not have. */
const MOST_CPUS = 8_192;
const SYS_FADVISE = process.arch === "arm64" ? 223 : 221;
const FADVISE_DONTNEED = 4;
const SYS_MADVISE = process.arch === "arm64" ? 233 : 28;
const MADVISE_DONTNEED = 4;
const SYS_BPF = process.arch === "arm64" ? 280 : 321;
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const PIDFD_SIGNAL_PROCESS_GROUP = 4;

const open = (path: string) =>
  dlopen(path, {
    prctl: { args: ["i32", "u64", "u64", "u64", "u64"], returns: "i32" },
    prlimit: { args: ["i32", "i32", "ptr", "ptr"], returns: "i32" },
    fallocate: { args: ["i32", "i32", "i64", "i64"], returns: "i32" },
    waitpid: { args: ["i32", "ptr", "i32"], returns: "i32" },
    mlockall: { args: ["i32"], returns: "i32" },
    clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
    poll: { args: ["ptr", "u64", "i32"], returns: "i32" },
    pipe: { args: ["ptr"], returns: "i32" },
    execve: { args: ["ptr", "ptr", "ptr"], returns: "i32" },
    syscall: { args: ["i64", "i64", "i64", "i64", "i64", "i64", "i64"], returns: "i64" },
    __errno_location: { args: [], returns: "ptr" },
  }).symbols;

type Calls = ReturnType<typeof open>;
type Libc = { readonly is: "there"; readonly c: Calls } | { readonly is: "absent"; readonly why: string };
let loaded: Libc | null = null;

function libc(): Libc {
  loaded ??= load();
  return loaded;
}

function load(): Libc {
  if (process.platform !== "linux") return { is: "absent", why: `not on ${process.platform}` };
  const path = CANDIDATES.find((candidate) => existsSync(candidate));
  if (path === undefined) return { is: "absent", why: "the C library is in none of its usual places" };
  try {
    return { is: "there", c: open(path) };
  } catch (error) {
    return { is: "absent", why: `${path}: ${messageOf(error)}` };
  }
}

function errnoOf(c: Calls): number {
  const at = c.__errno_location();
  return at === null ? 0 : read.i32(at, 0);
}

/** Keeps this thread, and what it executes from now on, from gaining privileges. Returns why it failed, or null. */
export function noNewPrivileges(): string | null {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  return lib.c.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) === 0 ? null : `prctl: error ${errnoOf(lib.c)}`;
}

/** A limit of a process. All bits set mean no limit. */
export interface Rlimit {
  readonly soft: bigint;
  readonly hard: bigint;
}

/** Returns a limit of this process by the kernel's number, or null where it cannot be read. */
export function limitOf(number: number): Rlimit | null {
  const lib = libc();
  if (lib.is === "absent") return null;
  const limits = new BigUint64Array(2);
  if (lib.c.prlimit(0, number, null, ptr(limits)) !== 0) return null;
  return { soft: limits[0] ?? 0n, hard: limits[1] ?? 0n };
}

/** Sets a limit of this process by the kernel's number. Returns why it failed, or null. */
export function setLimit(number: number, { soft, hard }: Rlimit): string | null {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  const limits = new BigUint64Array([soft, hard]);
  return lib.c.prlimit(0, number, ptr(limits), null) === 0 ? null : `prlimit: error ${errnoOf(lib.c)}`;
}

/**
 * Gives this thread what the kernel gives its first process: the usual scheduling policy and I/O priority, all
 * processors, random addresses, the default timer slack, and huge pages. Returns what failed, each as a text.
 */
export function setThread(): string[] {
  const lib = libc();
  if (lib.is === "absent") return [lib.why];
  const { c } = lib;
  const done = (name: string, code: number | bigint): string[] =>
    Number(code) >= 0 ? [] : [`${name}: error ${errnoOf(c)}`];
  const parameter = new Int32Array(1);
  const mask = new Uint8Array(MOST_CPUS / 8).fill(0xff);
  return [
    ...done("sched_setscheduler", c.syscall(SYS_SCHED_SETSCHEDULER, 0, SCHED_OTHER, ptr(parameter), 0, 0, 0)),
    ...done("ioprio_set", c.syscall(SYS_IOPRIO_SET, IOPRIO_WHO_PROCESS, 0, 0, 0, 0, 0)),
    ...done("sched_setaffinity", c.syscall(SYS_SCHED_SETAFFINITY, 0, mask.byteLength, ptr(mask), 0, 0, 0)),
    ...done("personality", c.syscall(SYS_PERSONALITY, 0, 0, 0, 0, 0, 0)),
    ...done("timer slack", c.prctl(PR_SET_TIMERSLACK, TIMER_SLACK, 0, 0, 0)),
    ...done("huge pages", c.prctl(PR_SET_THP_DISABLE, 0, 0, 0, 0)),
  ];
}

/** Gives this thread a new and empty session keyring. Returns whether the kernel has keyrings and did it. */
export function joinNewKeyring(): boolean {
  const lib = libc();
  if (lib.is === "absent") return false;
  return Number(lib.c.syscall(SYS_KEYCTL, KEYCTL_JOIN_SESSION_KEYRING, 0, 0, 0, 0, 0)) >= 0;
}

/** Has the system hand the orphans among this process's descendants to it. Returns why it failed, or null. */
export function adoptOrphans(): string | null {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  return lib.c.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) === 0 ? null : `prctl: error ${errnoOf(lib.c)}`;
}

/** Collects a dead child. Of a child that lives, or is none of this process's, nothing is taken. */
export function collect(pid: number): void {
  const lib = libc();
  if (lib.is === "there") lib.c.waitpid(pid, null, WNOHANG);
}

/**
 * Keeps the memory of this process that is in use, now or later, from being taken away by the system. Code that has run
 * once is not read from the disk again. Returns why it failed, or null.
 */
export function lockMemory(): string | null {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  return lib.c.mlockall(MCL_CURRENT_ONFAULT) === 0 ? null : `mlockall: error ${errnoOf(lib.c)}`;
}

/** Frees the disk space of a part of an open file. The file's size and offsets stay. Returns why it failed, or null. */
export function punchHole(fd: number, offset: number, length: number): HoleFailure | null {
  const lib = libc();
  if (lib.is === "absent") return { impossible: true, why: lib.why };
  if (lib.c.fallocate(fd, FALLOC_KEEP_SIZE_PUNCH_HOLE, offset, length) === 0) return null;
  const errno = errnoOf(lib.c);
  return { impossible: errno === ENOSYS || errno === EOPNOTSUPP, why: `fallocate: error ${errno}` };
}

/** Why no hole was punched. `impossible`: this file system has no holes; otherwise it may work later. */
export interface HoleFailure {
  readonly impossible: boolean;
  readonly why: string;
}

const ENOSYS = 38;
const EOPNOTSUPP = 95;

/** Returns the milliseconds since boot, sleep included, or null where the clock does not exist. */
export function bootTime(): number | null {
  const lib = libc();
  if (lib.is === "absent") return null;
  const time = new BigInt64Array(2);
  if (lib.c.clock_gettime(CLOCK_BOOTTIME, ptr(time)) !== 0) return null;
  return Number(time[0]) * 1000 + Math.floor(Number(time[1]) / 1e6);
}

/**
 * Makes the bpf(2) call. Returns its result, or why it failed. Addresses in `attributes` must point to memory that
 * stays allocated.
 */
export function bpf(command: number, attributes: Uint8Array): number | string {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  const given = Number(lib.c.syscall(SYS_BPF, command, ptr(attributes), attributes.length, 0, 0, 0));
  return given < 0 ? `bpf: error ${errnoOf(lib.c)}` : given;
}

/** Returns the address of some bytes, for structures that contain addresses. */
export const addressOf = (bytes: Uint8Array): bigint => BigInt(ptr(bytes));

/**
 * Returns a descriptor that stands for this process even after its pid was given to another one; null if there is no
 * such process.
 */
export function openPidfd(pid: number): number | null {
  const lib = libc();
  if (lib.is === "absent") return null;
  const fd = Number(lib.c.syscall(SYS_PIDFD_OPEN, pid, 0, 0, 0, 0, 0));
  return fd < 0 ? null : fd;
}

/**
 * Sends a signal through a descriptor of `openPidfd`, to the process or its whole group. Returns false if the kernel
 * cannot do that.
 */
export function signalPidfd(fd: number, signal: number, whole: "one" | "group"): boolean {
  const lib = libc();
  if (lib.is === "absent") return false;
  const flags = whole === "group" ? PIDFD_SIGNAL_PROCESS_GROUP : 0;
  return Number(lib.c.syscall(SYS_PIDFD_SEND_SIGNAL, fd, signal, 0, flags, 0, 0)) === 0;
}

const POLLPRI = 0x2;
const POLLERR = 0x8;

/**
 * Returns whether a file of /proc that tells of changes has told of one since this was asked last, or since it was
 * opened; true where that cannot be asked.
 */
export function hasTold(fd: number): boolean {
  const lib = libc();
  if (lib.is === "absent") return true;
  const asked = new Int32Array([fd, POLLPRI | POLLERR]);
  return lib.c.poll(ptr(asked), 1n, 0) !== 0;
}

/** Lets this thread run on one processor only. Returns why it failed, or null. */
export function pinTo(cpu: number): string | null {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  const mask = new BigUint64Array(Math.floor(cpu / 64) + 1);
  mask[Math.floor(cpu / 64)] = 1n << BigInt(cpu % 64);
  const done = Number(lib.c.syscall(SYS_SCHED_SETAFFINITY, 0, mask.byteLength, ptr(mask), 0, 0, 0)) === 0;
  return done ? null : `sched_setaffinity: error ${errnoOf(lib.c)}`;
}

/** Makes the system drop its cached pages of a synced file. Returns why it failed, or null. */
export function dropCached(fd: number): string | null {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  const code = Number(lib.c.syscall(SYS_FADVISE, fd, 0, 0, FADVISE_DONTNEED, 0, 0));
  return code === 0 ? null : `fadvise: error ${errnoOf(lib.c)}`;
}

/**
 * Takes pages out of this process's memory. They must be unchanged pages of a file: each is mapped again when it is
 * used, mostly from the system's cache. Returns why it failed, or null.
 */
export function unmapPages(begin: number, end: number): string | null {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  const code = Number(lib.c.syscall(SYS_MADVISE, begin, end - begin, MADVISE_DONTNEED, 0, 0, 0));
  return code === 0 ? null : `madvise: error ${errnoOf(lib.c)}`;
}

/**
 * Returns the reading end of a pipe that holds the text and that programs inherit; null if the system gives none. The
 * text must be shorter than a page.
 */
export function inheritedPipe(text: string): number | null {
  const lib = libc();
  if (lib.is === "absent") return null;
  const ends = new Int32Array(2);
  if (lib.c.pipe(ptr(ends)) !== 0) return null;
  const [reading = -1, writing = -1] = ends;
  writeSync(writing, text);
  closeSync(writing);
  return reading;
}

/** Executes a program in the place of this process. Returns why it failed; otherwise it does not return. */
export function replaceProcess(path: string, argv: readonly string[], env: readonly string[]): string {
  const lib = libc();
  if (lib.is === "absent") return lib.why;
  const kept: Buffer[] = [];
  const address = (text: string): bigint => {
    const bytes = Buffer.from(`${text}\0`);
    kept.push(bytes);
    return BigInt(ptr(bytes));
  };
  const list = (words: readonly string[]): BigUint64Array => new BigUint64Array([...words.map(address), 0n]);
  const [file, words, variables] = [Buffer.from(`${path}\0`), list(argv), list(env)];
  lib.c.execve(ptr(file), ptr(words), ptr(variables));
  return `execve of ${path}: error ${errnoOf(lib.c)} (${kept.length} words)`;
}
