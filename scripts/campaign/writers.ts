// Four people who change things while everything dies: jobs, cancels, a service's replicas, apps that come and go. Each
// writes down what it asked for and what was acknowledged.

import type { Client } from "../../src/wire/client";
import { ApiError, UnreachableError } from "../../src/wire/client";
import type { Dice } from "../../test/support/random";

export const LANES = 4;
const LONGEST_JOB_MS = 2_000;
/** Cancelled jobs would run this long. */
const LONG_JOB_S = 300;

export interface AskedJob {
  readonly name: string;
  readonly lines: number;
  readonly code: number;
  /** The run's number, once the server has acknowledged it. */
  run: number | null;
  /** Whether a cancel of it was asked for, and acknowledged. */
  cancel: "no" | "asked" | "acknowledged";
}

/** What may be the truth of one thing: the last acknowledged value, or any that was asked for since. */
export interface Wanted<T> {
  possible: T[];
}

export interface Book {
  readonly jobs: Map<string, AskedJob>;
  /** The wanted replicas of `keep.web`. */
  readonly replicas: Wanted<number>;
  /** Whether the app of each lane exists. */
  readonly apps: readonly Wanted<boolean>[];
  acknowledged: number;
  stop: boolean;
}

export const newBook = (): Book => ({
  jobs: new Map(),
  replicas: { possible: [3] },
  apps: Array.from({ length: LANES }, () => ({ possible: [false] })),
  acknowledged: 0,
  stop: false,
});

/**
 * The script of a job: it notes its beginning and its end in a file that never freezes, prints numbered lines, and ends
 * with a code of its own.
 */
function script({ name, lines, code }: AskedJob, notes: string, sleep_ms: number): string {
  return [
    `echo "begin ${name} $ORCH_TASK" >> ${notes}`,
    `i=0; while [ $i -lt ${lines} ]; do i=$((i + 1)); echo "line $i of ${name}"; done`,
    `sleep ${(sleep_ms / 1000).toFixed(2)}`,
    `echo "end ${name} ${code}" >> ${notes}`,
    `exit ${code}`,
  ].join("\n");
}

/** Returns whether the request was acknowledged. Null: the server said no, which settles it as well. */
async function acknowledged(book: Book, ask: () => Promise<unknown>): Promise<boolean | null> {
  try {
    await ask();
    book.acknowledged++;
    return true;
  } catch (error) {
    // Nobody answered: the change may have been made, or not.
    if (error instanceof UnreachableError) return false;
    if (error instanceof ApiError) return null;
    throw error;
  }
}

async function want<T>(book: Book, wanted: Wanted<T>, value: T, ask: () => Promise<unknown>): Promise<void> {
  const before = wanted.possible;
  wanted.possible = [...new Set([...before, value])];
  const answer = await acknowledged(book, ask);
  if (answer === true) wanted.possible = [value];
  if (answer === null) wanted.possible = before;
}

async function submit(client: Client, book: Book, dice: Dice, notes: string, name: string): Promise<void> {
  const long = dice.chance(0.1);
  const asked: AskedJob = { name, lines: 1 + dice.below(40), code: dice.below(7), run: null, cancel: "no" };
  book.jobs.set(name, asked);
  const sleep_ms = long ? LONG_JOB_S * 1000 : dice.below(LONGEST_JOB_MS);
  const job = { command: ["sh", "-c", script(asked, notes, sleep_ms)], resources: { cpu: "10m", memory: "8MiB" } };
  await acknowledged(book, async () => {
    asked.run = (await client.run({ name, project: null, job, wait_for_nodes: false })).run;
  });
  if (!long) return;
  asked.cancel = "asked";
  const { run } = asked;
  if (run === null) return;
  if ((await acknowledged(book, async () => client.cancel(run))) === true) asked.cancel = "acknowledged";
}

const APP = (lane: number): string =>
  `app: lane${lane}\nservices:\n  s: { run: exec sleep 1000, resources: { cpu: 10m, memory: 8MiB } }\n`;

async function changeApp(client: Client, book: Book, lane: number): Promise<void> {
  const wanted = book.apps[lane];
  if (wanted === undefined) return;
  const there = wanted.possible.at(-1) === true;
  const name = `lane${lane}`;
  await want(book, wanted, !there, async () => {
    if (there) return client.removeApp("default", name);
    const at = { text: APP(lane), file: "lane.yaml", revision: null };
    return client.apply("default", name, at);
  });
}

/** Changes things until the book says stop. */
export async function writer(client: Client, book: Book, dice: Dice, lane: number, notes: string): Promise<void> {
  for (let n = 0; !book.stop; n++) {
    const roll = dice.below(20);
    if (roll === 0) await changeApp(client, book, lane);
    else if (roll === 1 && lane === 0) {
      const replicas = 2 + dice.below(4);
      await want(book, book.replicas, replicas, async () => client.scale("default", "keep", "web", replicas));
    } else await submit(client, book, dice, notes, `job-${lane}-${n}`);
    await new Promise((resolve) => setTimeout(resolve, dice.below(150)));
  }
}
