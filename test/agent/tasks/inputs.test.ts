// A task's standard input on its way to its directory: it counts only as a whole and by its hash, goes on where a
// connection broke, and is left when its task may not begin any more.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInputs, type FetchAnswer, type FetchPart, type TaskInputs } from "../../../src/agent/tasks/inputs";
import { openTaskStore, type TaskFiles } from "../../../src/agent/tasks/store";
import { places } from "../../../src/agent/tasks/taskdir";
import { step } from "../../../src/core/agent/step";
import { reportOf } from "../../../src/core/agent/report";
import type { Assignment, TaskRecord } from "../../../src/core/model/record";
import { bootMs } from "../../../src/os/clock";
import { bootId } from "../../../src/os/proc";
import { assignmentFor, begin, ended, makeSite, output, recordFor, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

let site: Site;
let store: TaskFiles;
let inputs: TaskInputs;
beforeEach(async () => {
  site = await makeSite();
  store = openTaskStore(site.data, (line) => void site.said.push(line));
});
afterEach(async () => {
  inputs.stop();
  store.close();
  expect(await site.close()).toEqual([]);
});

const CONTENT = Uint8Array.from({ length: 300_000 }, (_, n) => (n * 3 + (n >> 8)) % 256);
const REF = { sha256: new Bun.CryptoHasher("sha256").update(CONTENT).digest("hex"), bytes: CONTENT.length };
const PART = 100_000;
const partAt = (offset: number, of = CONTENT): FetchAnswer => ({ is: "part", bytes: of.slice(offset, offset + PART) });

const fileOf = (uid: string): string => join(places(site.data).tasks, uid, "stdin");

function inputsBy(ask: FetchPart): TaskInputs {
  inputs = createInputs({ files: store, ask, clock: bootMs, say: (line) => void site.said.push(line) });
  return inputs;
}

async function accepted(command = "cat"): Promise<Assignment> {
  const assignment = assignmentFor(command, { stdin: REF });
  await store.write(recordFor(assignment));
  return assignment;
}

const here = (): Promise<unknown> => waitUntil("the input to be here", () => inputs.fetching.size === 0);

test("it is fetched in order, also over broken connections, and has its name only as a whole", async () => {
  const asked: number[] = [];
  let task: Assignment | null = null;
  const answers: (FetchAnswer | null)[] = [null, { is: "unconnected" }, null, { is: "unfetched", why: "busy" }, null];
  inputsBy(async (uid, offset) => {
    asked.push(offset);
    expect(existsSync(fileOf(uid))).toBe(false);
    return answers.shift() ?? partAt(offset);
  });
  task = await accepted();
  inputs.want([task]);
  expect(inputs.fetching.get(task.uid)).toBe("fetches its standard input");
  await here();
  expect(asked).toEqual([0, PART, PART, 2 * PART, 2 * PART]);
  expect(readFileSync(fileOf(task.uid)).equals(CONTENT)).toBe(true);
  expect(statSync(fileOf(task.uid)).mode & 0o777).toBe(0o600);
});

test("another content than was said is refused, and fetched anew", async () => {
  const wrong = CONTENT.map((byte) => byte ^ 1);
  let times = 0;
  inputsBy(async (_uid, offset) => {
    if (offset === 0) times += 1;
    return partAt(offset, times === 1 ? wrong : CONTENT);
  });
  const task = await accepted();
  inputs.want([task]);
  const failing = await waitUntil("the wrong input to be seen", () => inputs.failing.get(task.uid) ?? null);
  expect(failing).toMatchObject({ at: "stdin", why: "the standard input that came is another one than was uploaded" });
  expect(existsSync(fileOf(task.uid))).toBe(false);
  await here();
  expect([times, inputs.failing.size]).toEqual([2, 0]);
});

test.each([
  ["too short", CONTENT.slice(0, 50)],
  ["too long", new Uint8Array(CONTENT.length + 5)],
])("a content that is %s is never taken", async (_, content) => {
  inputsBy(async (_uid, offset) => ({ is: "part", bytes: content.slice(offset, offset + PART) }));
  const task = await accepted();
  inputs.want([task]);
  await waitUntil("it to be refused", () => inputs.failing.has(task.uid));
  expect(existsSync(fileOf(task.uid))).toBe(false);
});

test("a disk that does not take it is why the task is turned away", async () => {
  inputsBy(async (_uid, offset) => partAt(offset));
  const task = await accepted();
  // A directory in the place of the parts is what no account can write.
  mkdirSync(`${fileOf(task.uid)}.part`);
  inputs.want([task]);
  const failing = await waitUntil("it to fail", () => inputs.failing.get(task.uid) ?? null);
  expect(failing.why).toStartWith("its standard input cannot be written: ");
  const record = recordFor(task);
  expect(stepOf(record, bootMs())).toBeNull();
  expect(stepOf(record, failing.since_ms + 20_000)).toMatchObject({ do: "claim", end: { state: "rejected" } });
  rmSync(`${fileOf(task.uid)}.part`, { recursive: true });
  await here();
  expect(inputs.failing.size).toBe(0);
});

test("an agent that starts again finds what is whole, and begins anew what is not", async () => {
  inputsBy(async (_uid, offset) => (offset === 0 ? partAt(0) : { is: "unconnected" }));
  const [whole, part] = [await accepted(), await accepted()];
  writeFileSync(fileOf(whole.uid), CONTENT);
  inputs.want([whole, part]);
  await waitUntil("a part to be written", () => existsSync(`${fileOf(part.uid)}.part`));
  inputs.stop();
  const asked: string[] = [];
  inputsBy(async (uid, offset) => {
    asked.push(uid);
    return partAt(offset);
  });
  inputs.want([whole, part]);
  await here();
  expect(asked).toEqual([part.uid, part.uid, part.uid]);
});

test("what is not wanted any more is left", async () => {
  const { promise, resolve } = Promise.withResolvers<FetchAnswer>();
  inputsBy(() => promise);
  const task = await accepted();
  inputs.want([task]);
  inputs.want([]);
  expect(inputs.fetching.size).toBe(0);
  resolve(partAt(0));
  await promise;
  expect(existsSync(`${fileOf(task.uid)}.part`)).toBe(false);
});

function stepOf(record: TaskRecord, now_ms: number): unknown {
  const { actions } = step({
    records: new Map([[record.assignment.uid, record]]),
    seen: new Map(),
    busy: new Set(),
    signalled: new Map(),
    reserved: new Set(),
    boot_id: bootId(),
    now_ms,
    capacity: { cpu_milli: 1e6, memory_bytes: 1e12, disk_bytes: 1e12, countables: {} },
    devices: [],
    unreadable: [],
    blocked: new Map(inputs.failing),
    fetching: inputs.fetching,
    blames: new Map(),
    heard_ms: null,
    begun_ms: 0,
  });
  return actions[0] ?? null;
}

test("a task without its input is preparing, and starts with it; a gang is prepared only then", async () => {
  const { promise, resolve } = Promise.withResolvers<FetchAnswer>();
  inputsBy(async (_uid, offset) => (offset === 0 ? promise : partAt(offset)));
  const task = await accepted();
  inputs.want([task]);
  const record = { ...recordFor(task), accepted_ms: bootMs() };
  const told = (go: boolean): unknown =>
    reportOf({ ...record, go }, undefined, {
      now_ms: bootMs(),
      reserved: new Set([task.uid]),
      lacking: new Map(),
      blocked: new Map(),
      fetching: inputs.fetching,
      records: new Map(),
      tail: () => null,
    }).reported;
  expect(stepOf(record, bootMs())).toBeNull();
  const preparing = { state: "preparing", prepared: false, reason: "fetches its standard input" };
  expect([told(true), told(false)]).toEqual([preparing, preparing]);
  resolve(partAt(0));
  await here();
  expect(stepOf(record, bootMs())).toEqual({ do: "start", uid: task.uid });
  expect(told(false)).toEqual({ ...preparing, prepared: true, reason: null });
});

test("the keeper opens it as descriptor 0, which the task reads and may open again", async () => {
  inputsBy(async (_uid, offset) => partAt(offset));
  const task = await accepted("sha256sum; sha256sum < /dev/stdin");
  inputs.want([task]);
  await here();
  const tasks = await site.open();
  await begin(tasks, task);
  expect(await ended(tasks, task.uid)).toMatchObject({ exit_code: 0 });
  expect(await output(site.data, task.uid)).toBe(`${REF.sha256}  -\n`.repeat(2));
  // It goes with the end of its task, whose output is what is kept.
  await store.acknowledge(task.uid);
  expect(existsSync(join(places(site.data).ended, task.uid, "stdout"))).toBe(true);
  expect(existsSync(join(places(site.data).ended, task.uid, "stdin"))).toBe(false);
});

test("a task never begins without the whole of it", async () => {
  inputsBy(() => Promise.resolve({ is: "unconnected" }));
  const task = await accepted("echo began; exec sleep 100");
  writeFileSync(fileOf(task.uid), CONTENT.slice(1));
  const tasks = await site.open();
  await begin(tasks, task);
  const end = await ended(tasks, task.uid);
  expect(end).toMatchObject({
    cause: "node_unable",
    reason: "could not start: its standard input is not whole there",
  });
});
