// What a batch withstands: elements that leave processes, that cannot begin, and that take all memory; the death of its
// keeper, a full disk, and a machine without control groups.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readAttempt } from "../../../src/agent/tasks/taskdir";
import { killGroup, removeGroup } from "../../../src/os/cgroup/group";
import {
  batchOf,
  endsOf,
  journalLines,
  openKeeper,
  readBatch,
  running,
  saidIn,
  type OwnKeeper,
} from "../../support/batches";
import { bareKeeperCommand } from "../../support/fixtures/keeper";
import { isAlive } from "../../support/processes";
import { scratchDir } from "../../support/scratch";
import { makeSite, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const isRoot = process.getuid?.() === 0;
const bare = bareKeeperCommand();

let site: Site;
let scratch: string;
const keepers: OwnKeeper[] = [];
beforeEach(async () => {
  site = await makeSite();
  scratch = scratchDir("elements");
});
afterEach(async () => {
  for (const keeper of keepers.splice(0)) keeper.close();
  expect(await site.close()).toEqual([]);
});

async function open(command?: readonly string[]): Promise<OwnKeeper> {
  const keeper = await openKeeper(site, command);
  keepers.push(keeper);
  return keeper;
}

const untilOpen = (): string => `until [ -e ${scratch}/gate ]; do sleep 0.02; done`;
const openGate = (): void => writeFileSync(join(scratch, "gate"), "");
const all = (end: unknown, ...indices: readonly number[]): unknown[] => indices.map((index) => [index, end]);
/** Returns what the elements of a batch have noted in a file, a line each. */
const noted = (name: string): string[] =>
  existsSync(join(scratch, name))
    ? readFileSync(join(scratch, name), "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];

describe.each([
  ["its control groups", null] as const,
  ...(bare === null ? [] : [["no control groups", bare] as const]),
])("a keeper with %s", (_, command) => {
  test("kills what an element leaves before the next one begins in its place", async () => {
    const keeper = await open(command ?? undefined);
    // The first one lives all the time, and must not be taken for what the others have left.
    const script = `if [ $ORCH_SLOT = 0 ]; then ${untilOpen()}; exit 7; fi
        for pid in $(cat ${scratch}/pids); do
          case $(cut -d' ' -f3 /proc/$pid/stat 2>/dev/null) in ''|Z|X) ;; *) exit 1 ;; esac
        done
        sleep 60 & echo $! >>${scratch}/pids
        setsid sh -c 'echo $$ >>${scratch}/pids; exec sleep 60' &
        until [ $(wc -l <${scratch}/pids) -ge $(( $ORCH_SLOT * 2 )) ]; do sleep 0.01; done`;
    writeFileSync(join(scratch, "pids"), "");
    const order = batchOf(script, { parts: [[0, 4]], places: 2 });
    const dir = keeper.start(order);
    await waitUntil("four results", () => readBatch(dir, order).results.length === 4);
    expect(readBatch(dir, order).running.size).toBe(1);
    openGate();
    await keeper.end(order);
    expect(endsOf(readBatch(dir, order).results)).toEqual([[0, 7], ...all(0, 1, 2, 3, 4)]);
    const pids = noted("pids").map(Number);
    expect(pids).toHaveLength(8);
    expect(pids.filter(isAlive)).toEqual([]);
  }, 30_000);
});

test("a keeper that is killed leaves a journal that says what runs, and nothing of it runs again", async () => {
  const keeper = await open();
  const script = `echo $ORCH_SLOT >>${scratch}/ran; [ $ORCH_SLOT -lt 30 ] || { ${untilOpen()}; }`;
  const order = batchOf(script, { parts: [[0, 99]], places: 4 });
  const dir = keeper.start(order);
  await running(dir, order, 4);
  await waitUntil("all four to say so", () => noted("ran").length === 34);
  process.kill(keeper.pid, "SIGKILL");
  await keeper.exited;
  const read = readBatch(dir, order);
  expect(read.results).toHaveLength(30);
  expect([...read.running.keys()]).toEqual([30, 31, 32, 33]);
  expect(noted("ran").toSorted((a, b) => Number(a) - Number(b))).toEqual(Array.from({ length: 34 }, (_, i) => `${i}`));
  // Its heirs find it as they find a task: by its claim, which keeps another keeper from it.
  const attempt = readAttempt(dir);
  expect(attempt).toMatchObject({ claimed: "start", process: null, exit: null });
  const next = await open();
  next.tell({ do: "start", order });
  await waitUntil("the refusal", () => next.heard.some((one) => one.is === "refused" && one.uid === order.uid));
  openGate();
  await waitUntil("what runs to end", () => killGroup(attempt?.group ?? []) === 0);
  await waitUntil("its groups to go", () => removeGroup(attempt?.group ?? []));
  expect(noted("ran")).toHaveLength(34);
  rmSync(dir, { recursive: true });
}, 30_000);

const NO_COMMAND = "could not start: the command orch-no-such-command is in no directory of PATH";

describe("an element that cannot begin", () => {
  test("for its command ends so, and so does each other one", async () => {
    const keeper = await open();
    const order = batchOf("", { parts: [[0, 2]] }, { argv: ["orch-no-such-command"] });
    const dir = keeper.start(order);
    expect(await keeper.end(order)).toMatchObject({ exit_code: 0 });
    expect(endsOf(readBatch(dir, order).results)).toEqual([0, 1, 2].map((index) => [index, 127, NO_COMMAND]));
    // Also behind a wrapper, which would notice it only once it runs.
    const limited = batchOf("", { parts: [[0, 1]] }, { argv: ["/no/such"], process_limits: { nofile: 100 } });
    const there = keeper.start(limited);
    await keeper.end(limited);
    const said = "could not start: the command /no/such is not there or not executable";
    expect(endsOf(readBatch(there, limited).results)).toEqual([0, 1].map((index) => [index, 127, said]));
  });

  test("for its directory goes back with the whole batch", async () => {
    const keeper = await open();
    const order = batchOf("true", {}, { workdir: "/no/such/place" });
    const dir = keeper.start(order);
    expect(await keeper.end(order)).toMatchObject({ exit_code: null, cause: "no_directory" });
    expect(existsSync(join(dir, "elements"))).toBe(false);
  });

  test.if(isRoot)("for its directory goes back, also where only its account can tell", async () => {
    const keeper = await open();
    const account = { name: "nobody", uid: 65_534, gid: 65_534 };
    const order = batchOf("id -u; echo $ORCH_SLOT", { parts: [[0, 1]] }, { account });
    const dir = keeper.start(order);
    await keeper.end(order);
    expect(endsOf(readBatch(dir, order).results)).toEqual(all(0, 0, 1));
    expect(readFileSync(join(dir, "1", "stdout"), "utf8")).toBe("65534\n1\n");
    const closed = batchOf(`echo >>${scratch}/ran`, {}, { account, workdir: "/root" });
    const there = keeper.start(closed);
    expect(await keeper.end(closed)).toMatchObject({ exit_code: null, cause: "no_directory" });
    expect(readBatch(there, closed)).toMatchObject({ results: [], running: new Map() });
    expect(readBatch(there, closed).only).toBeLessThan(10);
    const missing = batchOf("", { parts: [[0, 1]] }, { account, argv: ["orch-no-such-command"] });
    const here = keeper.start(missing);
    await keeper.end(missing);
    expect(endsOf(readBatch(here, missing).results)).toEqual([0, 1].map((index) => [index, 127, NO_COMMAND]));
    expect(noted("ran")).toEqual([]);
  });
});

const limits = { cpu_milli: 100, memory_bytes: 20_000_000, pids: 100 };
test.if(isRoot && bare !== null)("an element whose memory is used up says so, and the next one does not", async () => {
  const keeper = await open();
  const script = `[ $ORCH_SLOT != 1 ] || head -c 200000000 /dev/zero | tail -c 100000000 >/dev/null; exit 4`;
  const order = batchOf(script, { parts: [[0, 2]], places: 1 }, { limits });
  const dir = keeper.start(order);
  await keeper.end(order);
  expect(endsOf(readBatch(dir, order).results)).toEqual([
    [0, 4],
    [1, 4, "out of memory"],
    [2, 4],
  ]);
});

describe(`a full disk${isRoot ? "" : " (skipped: not root)"}`, () => {
  test.if(isRoot)("lets nothing begin that it cannot note, and delays ends until it has room", async () => {
    const tasks = join(site.data, "tasks");
    mkdirSync(tasks, { recursive: true, mode: 0o700 });
    Bun.spawnSync(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", tasks]);
    const keeper = await open();
    const script = `echo $ORCH_SLOT >>${scratch}/ran; [ $ORCH_SLOT != 3 ] || head -c 1m /dev/zero >${tasks}/ballast`;
    const order = batchOf(script, { parts: [[0, 299]], places: 2 });
    const dir = keeper.start(order);
    await waitUntil("the journal to be full", async () => (await saidIn(site.data).text()).includes("takes no line"));
    rmSync(join(tasks, "ballast"));
    const exit = await keeper.end(order);
    const read = readBatch(dir, order);
    expect(exit).toMatchObject({ exit_code: 0 });
    // Every element that ran has its result, and none ran twice.
    expect(noted("ran").toSorted()).toEqual(read.results.map(([index]) => `${index}`).toSorted());
    expect(new Set(noted("ran")).size).toBe(noted("ran").length);
    expect(journalLines(dir).filter((line) => line.startsWith("damaged"))).toEqual([]);
    expect(readdirSync(dir)).toContain("claim");
  });
});
