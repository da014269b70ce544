// The keepers of a data directory, as an agent finds them at its start.

import { beforeEach, expect, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { Keepers } from "../../../src/agent/drivers/keepers";
import { ownEnd } from "../../../src/core/agent/ending";
import type { TaskRecord } from "../../../src/core/model/record";
import { alive, assignmentFor, begin, ended, makeSite, recordFor, type OpenTasks } from "../../support/tasks";
import { scratchDir } from "../../support/scratch";
import { waitUntil } from "../../support/wait";

let data: string;
beforeEach(() => {
  data = scratchDir("keepers");
});

test("what a dead keeper left, and what cannot be removed like a socket, is no reason not to start", async () => {
  mkdirSync(join(data, "keepers", "7.sock", "in"), { recursive: true });
  chmodSync(join(data, "keepers"), 0o500);
  const nothing = (): void => undefined;
  const told = { say: nothing, told: nothing, gone: nothing, unclear: nothing, known: nothing };
  const keepers = new Keepers({ data, version: "0", command: [], ...told });
  await keepers.find();
  expect(keepers.count()).toBe(0);
  keepers.close();
  chmodSync(join(data, "keepers"), 0o700);
});

test("a keeper that cannot be started is the node's reason, whatever the start throws", async () => {
  const nothing = (): void => undefined;
  const told = { say: nothing, told: nothing, gone: nothing, unclear: nothing, known: nothing };
  const keepers = new Keepers({ data, version: "0", command: ["/nowhere/at/all"], ...told });
  const refused = await keepers.start({ uid: "u" } as never);
  expect(refused).toMatchObject({ is: "refused", why: expect.stringContaining("no keeper can be started") });
  expect(keepers.trouble()).toContain("no keeper can be started");
  keepers.close();
});

/** A keeper in this process, which keeps what it is asked to and never begins it. It breaks the connection then. */
function slowKeeper(): { greetings: () => number; stop: () => void } {
  mkdirSync(join(data, "keepers"), { recursive: true });
  const uids: string[] = [];
  let greetings = 0;
  const server = Bun.listen({
    unix: join(data, "keepers", `${process.pid}.sock`),
    socket: {
      open(socket) {
        greetings++;
        socket.write(`${JSON.stringify({ is: "here", version: "0", uids, pings: true })}\n`);
      },
      data(socket, chunk) {
        const [line = "{}"] = new TextDecoder().decode(chunk).split("\n");
        const message = JSON.parse(line) as { do?: string; order?: { uid: string } };
        if (message.do !== "start") return;
        uids.push(message.order?.uid ?? "");
        socket.terminate();
      },
    },
  });
  return { greetings: () => greetings, stop: () => server.stop(true) };
}

test("an order that a keeper still has when it is connected to again may be carried out", async () => {
  const nothing = (): void => undefined;
  const told = { say: nothing, told: nothing, gone: nothing, unclear: nothing, known: nothing };
  const keeper = slowKeeper();
  const keepers = new Keepers({ data, version: "0", command: [], ...told });
  await keepers.find();
  expect(keepers.isOrdered("u")).toBe(false);
  expect(await keepers.start({ uid: "u" } as never)).toEqual({ is: "begun" });
  expect(keeper.greetings()).toBe(2);
  expect(keepers.isOrdered("u")).toBe(true);
  keepers.close();
  keeper.stop();
});

test("a keeper that ends before it has answered is noticed at once", async () => {
  const nothing = (): void => undefined;
  const told = { say: nothing, told: nothing, gone: nothing, unclear: nothing, known: nothing };
  const keepers = new Keepers({ data, version: "0", command: ["/bin/sh", "-c", "exit 3"], ...told });
  const refused = await keepers.start({ uid: "u" } as never);
  expect(refused).toMatchObject({ is: "refused", why: expect.stringContaining("the keeper ended with code 3") });
  keepers.close();
}, 10_000);

test.if(process.platform === "linux")(
  "a keeper that is short of descriptors knows what it did not begin",
  async () => {
    const site = await makeSite();
    const tasks = await site.open();
    const stays = await begin(tasks, assignmentFor("exec sleep 60"));
    await alive(tasks, stays);
    const [keeper = ""] = readdirSync(join(site.data, "keepers")).map((name) => basename(name, ".sock"));
    const taken = (): ReadonlySet<number> => new Set(readdirSync(`/proc/${keeper}/fd`).map(Number));
    /** The limit with which so many descriptors are left. */
    const leaving = (spare: number): number => {
      const numbers = taken();
      let [most, left] = [0, spare];
      while (left > 0) if (!numbers.has(most++)) left--;
      return most;
    };
    const limit = (most: number): void =>
      expect(Bun.spawnSync(["prlimit", `--nofile=${most}:`, "--pid", keeper]).exitCode).toBe(0);
    const before = taken().size;
    const seen: string[] = [];
    for (const spare of [1, 2, 3, 4, 5]) {
      const record = recordFor(assignmentFor("exit 3"));
      await tasks.store.write(record);
      limit(leaving(spare));
      seen.push(await endIn(tasks, record, () => limit(4_096)));
    }
    expect(claimedIn(seen)).toEqual(NODES_OR_OWN);
    await waitUntil("the claims to be closed", () => taken().size === before);
    await tasks.driver.kill(stays);
    await ended(tasks, stays);
    expect(await site.close()).toEqual([]);
  },
  60_000,
);

test.if(process.getuid?.() === 0)(
  "a disk that takes no more files is the node's trouble, and no failure of the task that finds it so (root: a mount)",
  async () => {
    const site = await makeSite();
    mkdirSync(site.data);
    const disk = (...argv: string[]): void => expect(Bun.spawnSync([...argv, site.data]).exitCode).toBe(0);
    disk("mount", "-t", "tmpfs", "-o", "nr_inodes=200", "tmpfs");
    try {
      const tasks = await site.open();
      // The keeper is there before the disk is full.
      await ended(tasks, await begin(tasks, assignmentFor("true")));
      const seen: string[] = [];
      for (const spare of [0, 1, 2, 3, 4, 5, 6]) {
        const record = recordFor(assignmentFor("exit 3"));
        await tasks.store.write(record);
        const release = fillNames(join(site.data, "filled"), spare);
        seen.push(await endIn(tasks, record, release));
      }
      expect(claimedIn(seen)).toEqual(NODES_OR_OWN);
      tasks.close();
    } finally {
      // What still runs for it ends with the site.
      disk("umount", "--lazy");
      expect(await site.close()).toEqual([]);
    }
  },
  60_000,
);

/** What a task ends as that begins while something is short: the node's trouble, or its own exit code. */
const NODES_OR_OWN = new Set(["rejected: node_unable", "failed: 3"]);
const claimedIn = (seen: readonly string[]): ReadonlySet<string> =>
  new Set(seen.filter((one) => one !== "not claimed"));

/**
 * Starts a task, and then ends what is short. Returns how the task ended as its agent would tell it: a task that was
 * not claimed may begin later.
 */
async function endIn(tasks: OpenTasks, record: TaskRecord, enough: () => void): Promise<string> {
  const { uid } = record.assignment;
  const failed = await tasks.driver.start(record).then(
    () => false,
    () => true,
  );
  enough();
  if (failed) {
    expect(tasks.driver.seen().get(uid)?.claimed).toBe(false);
    return "not claimed";
  }
  const { state, cause, exit_code } = ownEnd(await ended(tasks, uid));
  return `${state}: ${cause ?? exit_code}`;
}

/** Makes files until a disk takes no more, and leaves room for so many. Returns what removes them. */
function fillNames(dir: string, spare: number): () => void {
  mkdirSync(dir);
  let made = 0;
  try {
    for (;;) writeFileSync(join(dir, String(made++)), "");
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
  }
  for (let n = 0; n < spare; n++) rmSync(join(dir, String(n)));
  return () => rmSync(dir, { recursive: true });
}
