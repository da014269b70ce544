// The child process that an agent starts for measurements that would block it: every core, a piece of the memory, and
// the disk, each asked for by name. It ends with the agent, which kills it when it does not answer in time.

import { answerQuestions } from "../../os/process/answerer";
import { preciseMs } from "../../os/clock";
import { tryDisk, type DiskTrial } from "../../os/files/disk-trial";
import { pinTo } from "../../os/libc";
import { allowedCpus } from "../../os/proc";
import { crunch, DIGEST } from "./crunch";

export interface CpuTrial {
  readonly cores: number;
  /** The cores that computed another result. */
  readonly wrong: readonly number[];
  /** How often per second the median core runs `crunch`. */
  readonly runs_s: number;
}

export interface MemoryTrial {
  readonly bytes: number;
  /** The address at which memory did not keep what was written; null if none. */
  readonly wrong: string | null;
  readonly copied_bytes_s: number;
}

/** The questions that the child answers. */
export type SelfQuestion =
  | { readonly test: "cpu" }
  | { readonly test: "memory"; readonly bytes: number }
  | { readonly test: "disk"; readonly dir: string; readonly room_bytes: number };

/** Answers questions until the input ends. */
export const runSelfTest = (): Promise<void> => answerQuestions((question) => answerOf(question as SelfQuestion));

function answerOf(question: SelfQuestion): CpuTrial | MemoryTrial | DiskTrial {
  switch (question.test) {
    case "cpu":
      return tryCpus();
    case "memory":
      return tryMemory(question.bytes);
    case "disk":
      return tryDisk(question.dir, question.room_bytes);
  }
}

const WARM_UP = 10;
/** How many runs all cores make together, and the least of each core. */
const RUNS = { all: 120, least: 4 } as const;

/**
 * Lets every core that this process may use do the same work; the process stays on the last one. Where a process cannot
 * choose its core, one core does the work.
 */
function tryCpus(): CpuTrial {
  for (let n = 0; n < WARM_UP; n++) crunch();
  const allowed = allowedCpus();
  const pinned = allowed.filter((cpu) => pinTo(cpu) === null);
  const cores = pinned.length === 0 ? [0] : pinned;
  const rounds = Math.max(RUNS.least, Math.ceil(RUNS.all / cores.length));
  const wrong: number[] = [];
  const rates: number[] = [];
  for (const core of cores) {
    if (pinned.length > 0) pinTo(core);
    let best_ms = Number.POSITIVE_INFINITY;
    for (let n = 0; n < rounds; n++) {
      const begun_ms = preciseMs();
      const digest = crunch();
      best_ms = Math.min(best_ms, preciseMs() - begun_ms);
      if (digest !== DIGEST && !wrong.includes(core)) wrong.push(core);
    }
    rates.push(1_000 / best_ms);
  }
  const middle = rates.sort((a, b) => a - b)[Math.floor(rates.length / 2)] ?? 0;
  return { cores: cores.length, wrong, runs_s: Math.round(middle) };
}

const PATTERNS = [0x55555555, 0xaaaaaaaa];
const COPIES = 4;

/** Writes patterns, and each word's own address, over a buffer and reads them back. */
export function tryMemory(bytes: number): MemoryTrial {
  const words = new Uint32Array(Math.floor(bytes / 4));
  let wrong: string | null = null;
  for (const pattern of PATTERNS) {
    words.fill(pattern);
    wrong ??= firstWrong(words, () => pattern);
  }
  for (let i = 0; i < words.length; i++) words[i] = i ^ 0x5bd1e995;
  wrong ??= firstWrong(words, (i) => (i ^ 0x5bd1e995) >>> 0);
  return { bytes, wrong, copied_bytes_s: copyRate(words) };
}

function firstWrong(words: Uint32Array, expected: (i: number) => number): string | null {
  for (let i = 0; i < words.length; i++) {
    if (words[i] !== expected(i)) return `word ${i} is ${hex(words[i] ?? 0)} and should be ${hex(expected(i))}`;
  }
  return null;
}

const hex = (word: number): string => word.toString(16).padStart(8, "0");

function copyRate(words: Uint32Array): number {
  const half = Math.floor(words.length / 2);
  let best_ms = Number.POSITIVE_INFINITY;
  for (let n = 0; n < COPIES; n++) {
    const begun_ms = preciseMs();
    words.copyWithin(half, 0, half);
    best_ms = Math.min(best_ms, preciseMs() - begun_ms);
  }
  return (half * 4 * 1_000) / best_ms;
}
