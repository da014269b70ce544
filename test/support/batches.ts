// Batches for tests of the keeper: orders of elements, a keeper of their own, and what their journal says.

import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isOfBatch, parseFromKeeper, type ElementsOrder, type FromKeeper } from "../../src/agent/keeper/messages";
import type { OrderOfBatch, TaskOrder } from "../../src/agent/keeper/messages";
import { ELEMENTS, elementsOf, nothingRead, takeLines, type ElementsRead } from "../../src/agent/tasks/element-journal";
import { textIn } from "../../src/agent/tasks/checked";
import { sizeOf, type ElementResult } from "../../src/core/model/array";
import type { TaskExit } from "../../src/core/model/end";
import { connectLines, type LinePeer } from "../../src/os/files/lines";
import { wholeLines } from "../../src/os/files/task-files";
import { own } from "../../src/os/process/own";
import { KEEPER_COMMAND } from "./fixtures/keeper";
import { orderOf } from "./orders";
import type { Site } from "./tasks";
import { waitUntil } from "./wait";

/** Makes the order of a batch whose elements run a shell script. `batch` and `over` replace any other field. */
export function batchOf(
  script: string,
  batch: Partial<ElementsOrder> = {},
  over: Partial<TaskOrder> = {},
): OrderOfBatch {
  const order = orderOf(script, {
    batch: {
      parts: [[0, 9]],
      round: 1,
      places: 2,
      first: 0,
      step: 1,
      begins_for_ms: 60_000,
      time_limit_ms: null,
      ...batch,
    },
    ...over,
  });
  if (!isOfBatch(order)) throw new Error("no batch");
  return order;
}

/** Returns the texts of the whole lines of a batch's journal. */
export const journalLines = (dir: string): string[] =>
  existsSync(join(dir, ELEMENTS))
    ? wholeLines(readFileSync(join(dir, ELEMENTS), "utf8")).map((line) => textIn(line) ?? `damaged: ${line}`)
    : [];

export function readBatch(dir: string, { batch }: OrderOfBatch): ElementsRead {
  const read = nothingRead(batch);
  const text = existsSync(join(dir, ELEMENTS)) ? readFileSync(join(dir, ELEMENTS), "utf8") : "";
  takeLines(read, elementsOf(batch), wholeLines(text));
  return read;
}

/** Returns results without how long they took, in the order of their elements. */
export const endsOf = (results: readonly ElementResult[]): unknown[] =>
  results
    .map(([index, end, , why]) => (why === undefined ? [index, end] : [index, end, why]))
    .toSorted((a, b) => Number(a[0]) - Number(b[0]));

/** Returns how many elements ran at once at most, by the journal's lines. */
export function mostAtOnce(lines: readonly string[]): number {
  let [running, most] = [0, 0];
  for (const line of lines) {
    if (line.startsWith("began ")) running += 1;
    else if (line.startsWith("ended ") || line.startsWith("back ")) running -= 1;
    most = Math.max(most, running);
  }
  return most;
}

export interface OwnKeeper {
  readonly pid: number;
  readonly heard: FromKeeper[];
  readonly exited: Promise<number>;
  /** Makes the directory of a batch and orders it. Returns the directory. */
  start(order: OrderOfBatch): string;
  tell(message: unknown): void;
  /** Waits for the end of a batch. */
  end(order: OrderOfBatch): Promise<TaskExit>;
  /** Leaves the keeper, which ends when it has no batch. */
  close(): void;
}

const dirsIn = (data: string): string => join(data, "keepers");

/** What the keepers of a site say of themselves. */
export const saidIn = (data: string) => Bun.file(join(data, "said"));

/** Starts a keeper of a site, and connects to it. */
export async function openKeeper({ data }: Site, command: readonly string[] = KEEPER_COMMAND): Promise<OwnKeeper> {
  mkdirSync(dirsIn(data), { recursive: true, mode: 0o700 });
  const before = new Set(readdirSync(dirsIn(data)));
  const child = own(Bun.spawn([...command, data], { stdio: ["ignore", "ignore", saidIn(data)] }));
  const heard: FromKeeper[] = [];
  const connected = await waitUntil("a keeper to listen", async (): Promise<{ peer: LinePeer } | null> => {
    const socket = readdirSync(dirsIn(data)).find((name) => name.endsWith(".sock") && !before.has(name));
    const made = await connectLines(join(dirsIn(data), socket ?? ""), () => ({
      message: (line) => {
        const told = parseFromKeeper(line);
        if (told.is === "told") heard.push(told.message);
      },
      closed: () => undefined,
    }));
    return made.is === "connected" ? made : null;
  });
  const tell = (message: unknown): void => connected.peer.send(message);
  return {
    pid: child.pid,
    heard,
    exited: child.exited,
    tell,
    close: () => connected.peer.close(),
    start: (order) => {
      const dir = join(data, "tasks", order.uid);
      mkdirSync(dir, { recursive: true, mode: 0o700 });
      tell({ do: "start", order });
      return dir;
    },
    end: async ({ uid }) =>
      waitUntil(
        `batch ${uid} to end`,
        () => heard.flatMap((one) => (one.is === "ended" && one.uid === uid ? [one.exit] : []))[0],
        30_000,
      ),
  };
}

/** Waits until so many elements of a batch run. */
export const running = async (dir: string, order: OrderOfBatch, count: number): Promise<void> => {
  await waitUntil(
    `${count} of ${sizeOf(order.batch.parts)} elements to run`,
    () => readBatch(dir, order).running.size === count,
  );
};
