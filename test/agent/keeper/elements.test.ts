// The keeper runs the elements of a batch by itself: each once, so many at once, each with its end and its output.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { FILES, readAttempt } from "../../../src/agent/tasks/taskdir";
import {
  batchOf,
  endsOf,
  journalLines,
  mostAtOnce,
  openKeeper,
  readBatch,
  running,
  type OwnKeeper,
} from "../../support/batches";
import { scratchDir } from "../../support/scratch";
import { makeSite, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

let site: Site;
let keeper: OwnKeeper;
let scratch: string;
beforeEach(async () => {
  site = await makeSite();
  keeper = await openKeeper(site);
  scratch = scratchDir("elements");
});
afterEach(async () => {
  keeper.close();
  expect(await site.close()).toEqual([]);
});

/** A script that waits for a file. */
const untilOpen = (): string => `until [ -e ${scratch}/gate ]; do sleep 0.02; done`;
const openGate = (): void => writeFileSync(join(scratch, "gate"), "");
const textIn = (...path: readonly string[]): string => readFileSync(join(...path), "utf8");

describe("the elements of a batch", () => {
  test("end each as it does, with what it wrote under its number", async () => {
    const script = `echo "$ORCH_SLOT.$ORCH_ATTEMPT"; case $ORCH_SLOT in
      10) exit 0;; 15) echo no >&2; exit 3;; 20) kill -9 $$;; 25) kill -SEGV $$;; 35) kill -40 $$;; esac`;
    const order = batchOf(script, {
      parts: [
        [0, 3],
        [5, 5],
      ],
      first: 10,
      step: 5,
    });
    const dir = keeper.start(order);
    expect(await keeper.end(order)).toMatchObject({ exit_code: 0, signal: null, reason: null, left: 0 });
    const read = readBatch(dir, order);
    expect(endsOf(read.results)).toEqual([
      [0, 0],
      [1, 3],
      [2, "KILL"],
      [3, "SEGV"],
      [5, "RTMIN+6"],
    ]);
    expect(read).toMatchObject({ only: null, running: new Map() });
    for (const number of [10, 15, 20, 25, 35]) expect(textIn(dir, `${number}`, "stdout")).toBe(`${number}.1\n`);
    expect(textIn(dir, "15", "stderr")).toBe("no\n");
    expect(readAttempt(dir)).toMatchObject({ claimed: "start", process: null, exit: { exit_code: 0 } });
  });

  test("leave no directory if they wrote nothing", async () => {
    const order = batchOf("[ $ORCH_SLOT != 4 ] || echo four");
    const dir = keeper.start(order);
    await keeper.end(order);
    expect(readBatch(dir, order).results).toHaveLength(10);
    expect(readdirSync(dir).toSorted()).toEqual(["4", "claim", "elements"]);
  });

  test("have the round in the name of their directory from the second on", async () => {
    const order = batchOf("echo $ORCH_ATTEMPT", { parts: [[7, 7]], round: 3 });
    const dir = keeper.start(order);
    await keeper.end(order);
    expect(textIn(dir, "7.3", "stdout")).toBe("3\n");
  });

  test("are as many at once as there are places, in the order of their parts, each only when it may", async () => {
    const order = batchOf(untilOpen(), {
      parts: [
        [5, 6],
        [0, 3],
      ],
      places: 3,
    });
    const dir = keeper.start(order);
    await running(dir, order, 3);
    openGate();
    await keeper.end(order);
    const lines = journalLines(dir);
    expect(mostAtOnce(lines)).toBe(3);
    expect(lines.filter((line) => line.startsWith("began ")).map((line) => line.split(" ")[1])).toEqual([
      "0",
      "1",
      "2",
      "3",
      "4",
      "5",
    ]);
    expect(endsOf(readBatch(dir, order).results)).toEqual([0, 1, 2, 3, 5, 6].map((index) => [index, 0]));
  });

  test("begin only once the journal says that they may", async () => {
    const order = batchOf("true", { parts: [[0, 299]], places: 4 });
    const dir = keeper.start(order);
    await keeper.end(order);
    let [may, began, extended] = [0, 0, 0];
    for (const line of journalLines(dir)) {
      if (line.startsWith("may ")) [may, extended] = [Number(line.split(" ")[1]), extended + 1];
      else if (line.startsWith("began ")) began += 1;
      expect(began).toBeLessThanOrEqual(may);
    }
    expect(began).toBe(300);
    expect(extended).toBeGreaterThan(2);
  });

  test("read the whole of the task's input each", async () => {
    const order = batchOf("cat", { parts: [[0, 3]] }, { stdin_bytes: 6 });
    const dir = join(site.data, "tasks", order.uid);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileSync(join(dir, FILES.stdin), "input\n");
    keeper.start(order);
    await keeper.end(order);
    for (const number of [0, 1, 2, 3]) expect(textIn(dir, `${number}`, "stdout")).toBe("input\n");
  });

  test("have their output marked and capped while they run", async () => {
    const script = `head -c 3000000 /dev/zero; ${untilOpen()}; echo end`;
    const order = batchOf(script, { parts: [[3, 3]] });
    const dir = keeper.start(order);
    await waitUntil("a mark", () => textIn(dir, "place.0", "marks").includes("from stdout"));
    openGate();
    await keeper.end(order);
    expect(textIn(dir, "3", "stdout")).toEndWith("end\n");
    expect(existsSync(join(dir, "place.0"))).toBe(false);
  });
});

describe("an agent", () => {
  test("hears how many ended, and of places only that are idle for a while", async () => {
    const order = batchOf(`[ $ORCH_SLOT != 0 ] || { ${untilOpen()}; }`, { parts: [[0, 5]], places: 3 });
    const dir = keeper.start(order);
    await waitUntil("two places to be given up", () =>
      keeper.heard.some((one) => one.is === "elements" && one.open === 1 && one.ended === 5),
    );
    expect(readBatch(dir, order).open).toBe(1);
    openGate();
    await keeper.end(order);
    const told = keeper.heard.filter(({ is }) => is === "elements" || is === "started" || is === "ended");
    expect(told[0]).toMatchObject({ is: "started", uid: order.uid, pid: 0, start: "" });
    expect(told.slice(-2)).toMatchObject([{ is: "elements", ended: 6, open: 1 }, { is: "ended" }]);
  });

  test("hears of no place of a batch whose elements all end", async () => {
    const order = batchOf("true", { parts: [[0, 20]] });
    const dir = keeper.start(order);
    await keeper.end(order);
    expect(journalLines(dir).filter((line) => line.startsWith("open "))).toEqual([]);
  });

  test("halts a batch: what runs goes on, and nothing more begins", async () => {
    const order = batchOf(untilOpen());
    const dir = keeper.start(order);
    await running(dir, order, 2);
    keeper.tell({ do: "halt", uid: order.uid });
    await waitUntil("the halt to be noted", () => readBatch(dir, order).only);
    openGate();
    expect(await keeper.end(order)).toMatchObject({ exit_code: 0, reason: null });
    expect(readBatch(dir, order).results.map(([, end, , why]) => [end, why])).toEqual([
      ["stopped", "exit code 0"],
      ["stopped", "exit code 0"],
    ]);
  });

  test("halts a batch that is about to begin", async () => {
    const order = batchOf("true");
    const dir = keeper.start(order);
    keeper.tell({ do: "halt", uid: order.uid });
    expect(await keeper.end(order)).toMatchObject({ exit_code: 0 });
    expect(readBatch(dir, order)).toMatchObject({ only: 0, results: [] });
  });

  test("that comes later hears how far the batch is", async () => {
    const order = batchOf(untilOpen(), { parts: [[0, 1]] });
    const dir = keeper.start(order);
    await running(dir, order, 2);
    const tasks = await site.open();
    await waitUntil("the keeper to say it", () => keeper.heard.some(({ is }) => is === "elements"));
    tasks.close();
    openGate();
    await keeper.end(order);
  });
});

describe("time", () => {
  test("is over for what has not begun, and not for what runs", async () => {
    const order = batchOf(untilOpen(), { begins_for_ms: 100 });
    const dir = keeper.start(order);
    await waitUntil("the time to be over", () => readBatch(dir, order).only);
    expect(readBatch(dir, order)).toMatchObject({ only: 2, results: [] });
    openGate();
    await keeper.end(order);
    expect(endsOf(readBatch(dir, order).results)).toEqual([
      [0, 0],
      [1, 0],
    ]);
  });

  test("ends an element that has used up its own, by force if it must, and leaves its place whole", async () => {
    const script = `case $ORCH_SLOT in
      0) exec sleep 60;;
      1) trap '' TERM; while :; do sleep 0.1; done;;
      2) trap 'exit 0' TERM; while :; do sleep 0.1; done;;
      3) true | cat; exit 5;; esac`;
    const order = batchOf(script, { parts: [[0, 3]], places: 1, time_limit_ms: 500 });
    const dir = keeper.start(order);
    expect(await keeper.end(order)).toMatchObject({ exit_code: 0 });
    const late = "time limit reached";
    expect(endsOf(readBatch(dir, order).results)).toEqual([
      [0, "TERM", late],
      [1, "KILL", late],
      [2, "TERM", late],
      [3, 5],
    ]);
  });
});
