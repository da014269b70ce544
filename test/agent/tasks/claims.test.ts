// Claims that a disk does not take: what was told as never begun stays so, whatever the disk kept of the claim.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { claimOwed } from "../../../src/agent/tasks/claims";
import { dirOfTask } from "../../../src/agent/tasks/taskdir";
import { readLog } from "../../../src/agent/tasks/logs";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { openOwed } from "../../../src/agent/tasks/owed";
import { openTaskStore, type TaskFiles } from "../../../src/agent/tasks/store";
import { step } from "../../../src/core/agent/step";
import { assignmentFor, makeSite, recordFor } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const silent = (): void => undefined;
const isRoot = process.getuid?.() === 0;
const run = (...argv: readonly string[]): void => expect(Bun.spawnSync([...argv]).exitCode).toBe(0);

let dir = "";
const stores: TaskFiles[] = [];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-claims-"));
  for (const name of ["run", "data"]) mkdirSync(join(dir, name));
  if (isRoot) run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", join(dir, "data"));
});
afterEach(async () => {
  for (const store of stores.splice(0)) store.close();
  // What a store has begun to write may hold a file for a moment longer.
  const unmounts = (): boolean => Bun.spawnSync(["umount", join(dir, "data")]).exitCode === 0;
  if (isRoot) await waitUntil("the disk to be left", unmounts);
  rmSync(dir, { recursive: true });
});

function open(): TaskFiles {
  const store = openTaskStore(join(dir, "data"), silent, join(dir, "run"));
  stores.push(store);
  return store;
}

const taskDir = (uid: string): string => join(dir, "data", "tasks", uid);

async function written(store: TaskFiles): Promise<string> {
  const record = recordFor(assignmentFor("true"));
  await store.write(record);
  return record.assignment.uid;
}

/** Fills the disk, so that names can still be made, and no text. */
function fill(): string {
  const ballast = join(dir, "data", "ballast");
  expect(() => writeFileSync(ballast, Buffer.alloc(512 * 1024))).toThrow("ENOSPC");
  return ballast;
}

describe.if(isRoot)(`on a full disk (root only; this is ${isRoot ? "root" : "not root"})`, () => {
  test("an attempt with an owed claim was stopped, also for the next agent", async () => {
    const store = open();
    const uid = await written(store);
    expect(store.attempt(uid)).toBeNull();
    const ballast = fill();
    expect(await store.claimStopped(uid)).toBe("now");
    expect(existsSync(join(taskDir(uid), "claim"))).toBe(false);
    expect(store.attempt(uid)).toMatchObject({ claimed: "stop" });
    store.close();
    const next = open();
    expect(next.attempt(uid)).toMatchObject({ claimed: "stop" });
    expect(next.wasClaimed(uid)).toBe(true);
    rmSync(ballast);
    await waitUntil("the claim to be written", () => existsSync(join(taskDir(uid), "claim")));
    await waitUntil("nothing to be owed", () => openOwed(join(dir, "run"), silent).claims.size === 0);
    expect(next.attempt(uid)).toMatchObject({ claimed: "stop" });
  });

  test("a claim that must be made is an error where it was not", async () => {
    const store = open();
    const uid = await written(store);
    fill();
    expect(await store.claimStopped(uid, "write").then(() => "made", String)).toContain("disk is full");
    expect(store.wasClaimed(uid)).toBe(false);
  });

  for (const must of ["owe", "write"] as const) {
    test(`an empty claim that cannot be removed gets its text when there is room (${must})`, async () => {
      const store = open();
      const uid = await written(store);
      const ballast = fill();
      // Names can be added to such a directory, and none removed.
      run("chattr", "+a", taskDir(uid));
      try {
        expect(await store.claimStopped(uid, must)).toBe("now");
        expect(readFileSync(join(taskDir(uid), "claim"), "utf8")).toBe("");
        expect(store.attempt(uid)).toMatchObject({ claimed: "stop" });
        rmSync(ballast);
        await waitUntil("nothing to be owed", () => openOwed(join(dir, "run"), silent).claims.size === 0);
        expect(readFileSync(join(taskDir(uid), "claim"), "utf8")).toBe("stopped\n");
        expect(store.attempt(uid)).toMatchObject({ claimed: "stop" });
      } finally {
        run("chattr", "-a", taskDir(uid));
      }
    });
  }

  test("an attempt that is refused, and whose claim stays empty, has not begun", async () => {
    const store = open();
    const uid = await written(store);
    fill();
    run("chattr", "+a", taskDir(uid));
    try {
      await store.claimRefused(uid, "no account", "no_account");
      expect(store.attempt(uid)).toMatchObject({ claimed: "stop" });
    } finally {
      run("chattr", "-a", taskDir(uid));
    }
  });

  test("ended tasks that cannot be moved back are told with their output", async () => {
    const store = open();
    const uid = await written(store);
    for (const name of ["stdout", "stderr"]) writeFileSync(join(taskDir(uid), name), `last words on ${name}\n`);
    await store.claimStopped(uid);
    await store.acknowledge(uid);
    const ended = join(dir, "data", "ended");
    run("chattr", "+i", ended);
    try {
      expect((await store.kept()).map(({ assignment }) => assignment.uid)).toEqual([uid]);
      expect(existsSync(join(ended, uid))).toBe(true);
      expect(store.attempt(uid)).toMatchObject({ claimed: "stop" });
      expect(store.tail(uid)).toEqual({ stdout: "last words on stdout\n", stderr: "last words on stderr\n" });
      const query = { uid, name: "stdout", offset: 0, follow: false, since_age_ms: null } as const;
      const { signal } = new AbortController();
      const asked = {
        dirOf: (one: string) => dirOfTask(join(dir, "data"), one),
        clocks: clocksNow,
        living: () => false,
        signal,
      };
      const parts = await Array.fromAsync(readLog(query, asked));
      expect(Buffer.concat(parts).toString()).toBe("last words on stdout\n");
    } finally {
      run("chattr", "-i", ended);
    }
  });
});

test("a claim that cannot be read keeps its text, whatever is owed", async () => {
  const uid = "a".repeat(32);
  mkdirSync(taskDir(uid), { recursive: true });
  // A claim beyond the bound of its reader stands for one on a disk that fails.
  const text = `started b 1 1\npid 1 2 3 4\n${"x".repeat(2 ** 20)}\n`;
  if (isRoot) run("mount", "-o", "remount,size=4m", join(dir, "data"));
  writeFileSync(join(taskDir(uid), "claim"), text);
  await claimOwed(join(dir, "data", "tasks"), uid);
  expect(readFileSync(join(taskDir(uid), "claim"), "utf8")).toBe(text);
});

test("a record that can never be written keeps no other from the disk", async () => {
  const store = open();
  const [stuck, free] = [recordFor(assignmentFor("true")), recordFor(assignmentFor("true"))];
  const claimed = "e".repeat(32);
  const uids = [stuck.assignment.uid, free.assignment.uid, claimed];
  // A file in the place of a task's directory takes neither record nor claim.
  for (const uid of uids) writeFileSync(taskDir(uid), "");
  await store.write(stuck);
  await store.write(free);
  await store.claimStopped(claimed);
  expect([...store.owed().keys()]).toEqual([stuck.assignment.uid, free.assignment.uid]);
  for (const uid of uids.slice(1)) rmSync(taskDir(uid));
  await waitUntil("the other record to be written", () => !store.owed().has(free.assignment.uid));
  await waitUntil("the claim to be written", () => existsSync(join(taskDir(claimed), "claim")));
  expect([...store.owed().keys()]).toEqual([stuck.assignment.uid]);
});

test("a claim keeps the end that its agent has decided on, for an agent that comes before it is written", async () => {
  const site = await makeSite();
  const before = await site.open();
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  await before.store.write(record);
  const reason = "no room on the node: cpu is still held by 12";
  await before.store.claimStopped(uid, "owe", { state: "rejected", cause: "no_room", reason });
  before.close();
  const after = await site.open();
  await after.load();
  const seen = after.driver.seen();
  expect(seen.get(uid)?.process).toEqual({ is: "none", told: { state: "rejected", cause: "no_room", reason } });
  const { actions } = step({
    records: new Map([[uid, record]]),
    seen,
    busy: new Set(),
    signalled: new Map(),
    reserved: new Set(),
    boot_id: record.boot_id,
    now_ms: 1,
    begun_ms: 0,
    capacity: { cpu_milli: 1_000, memory_bytes: 1e12, disk_bytes: 0, countables: {} },
    devices: [],
    unreadable: [],
    blocked: new Map(),
    fetching: new Map(),
    blames: new Map(),
    heard_ms: null,
  });
  expect(actions).toMatchObject([{ do: "end", end: { state: "rejected", cause: "no_room", reason } }]);
  after.close();
  expect(await site.close()).toEqual([]);
});
