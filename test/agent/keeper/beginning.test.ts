// An agent that comes back while a keeper is in the middle of a start: the claim is there, the process is not yet.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { claimText, FILES } from "../../../src/agent/tasks/taskdir";
import { step } from "../../../src/core/agent/step";
import { listenLines, type LinePeer } from "../../../src/os/files/lines";
import { bootId } from "../../../src/os/proc";
import { assignmentFor, makeSite, recordFor, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

let site: Site;
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => expect(await site.close()).toEqual([]));

/** A keeper that has taken an order and waits for its disk; `said` is what the claim holds so far. */
async function halfBegun(said: string) {
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  const dir = join(site.data, "tasks", uid);
  for (const one of [dir, join(site.data, "keepers")]) mkdirSync(one, { recursive: true, mode: 0o700 });
  writeFileSync(join(dir, FILES.claim), said);
  let peer: LinePeer | null = null;
  const server = listenLines(join(site.data, "keepers", "1.sock"), (one) => {
    peer = one;
    one.send({ is: "here", version: "1", uids: [uid] });
    return { message: () => undefined, closed: () => undefined };
  });
  const tasks = await site.open();
  await tasks.store.write(record);
  await tasks.load();
  const actions = () =>
    step({
      records: new Map([[uid, record]]),
      seen: tasks.driver.seen(),
      busy: new Set(),
      signalled: new Map(),
      reserved: new Set(),
      boot_id: bootId(),
      now_ms: 1,
      begun_ms: 0,
      capacity: { cpu_milli: 1_000, memory_bytes: 1e12, disk_bytes: 0, countables: {} },
      devices: [],
      unreadable: [],
      blocked: new Map(),
      fetching: new Map(),
      blames: new Map(),
      heard_ms: null,
    }).actions;
  return { uid, tasks, actions, tell: (message: unknown) => peer?.send(message), stop: () => server.stop() };
}

for (const [what, said] of [
  ["created its claim", ""],
  ["written its claim", claimText(clocksNow(), [])],
] as const) {
  test(`a keeper that has only ${what} is waited for: its task has neither ended nor vanished`, async () => {
    const { uid, tasks, actions, tell, stop } = await halfBegun(said);
    expect(actions()).toEqual([]);
    tell({ is: "started", uid, pid: process.pid, start: "0", started_ms: 5 });
    await waitUntil("the driver to hear of the start", () => tasks.driver.seen().get(uid)?.process.is === "alive");
    stop();
  });
}

test("a keeper that gives such a start up says so to every agent, and what the claim says counts", async () => {
  const { uid, tasks, tell, stop } = await halfBegun(claimText(clocksNow(), []));
  tell({ is: "refused", uid, why: "the disk is gone", dropped: true });
  await waitUntil("the task to vanish", () => tasks.driver.seen().get(uid)?.process.is === "vanished");
  stop();
});

test("a keeper that is gone in the middle of a start leaves a task that has vanished", async () => {
  const { uid, tasks, stop } = await halfBegun("");
  stop();
  await waitUntil("the task to vanish", () => tasks.driver.seen().get(uid)?.process.is === "vanished");
});
