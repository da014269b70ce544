// The exit code of a main process that has ended is never lost, also where what that has left cannot be killed, and its
// keeper or the machine ends before it is gone.

import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { tmpdir } from "node:os";
import { lookAtAttempt } from "../../../src/agent/drivers/look";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { claimText, codeLine, exitLine, parseAttempt } from "../../../src/agent/tasks/taskdir";
import { randomHex } from "../../../src/os/dice";
import { makeDisk, noDisk, type Disk } from "../../support/frozen";
import { alive, assignmentFor, begin, ended, makeSite, type Site } from "../../support/tasks";
import { waitUntil } from "../../support/wait";

const EXIT = {
  exit_code: 0,
  signal: null,
  started_ms: 1,
  ended_ms: 2,
  peak_memory_bytes: null,
  oom: false,
  left: 0,
  reason: null,
};

describe("a code without an exit", () => {
  const now = clocksNow();
  const seenOf = (text: string, kept = false) => lookAtAttempt(parseAttempt(text), kept, () => []).seen.process;
  for (const [when, boot_id] of [
    ["when nothing of the task lives", now.boot_id],
    ["after a restart of the machine", "another-boot"],
  ] as const) {
    const begun = claimText({ ...now, boot_id }, []);
    test(`is the end of the task ${when}`, () => {
      expect(seenOf(begun + codeLine(EXIT, now))).toMatchObject({ is: "ended", exit_code: 0 });
      expect(seenOf(begun)).toMatchObject({ is: "vanished" });
    });
    test(`counts no more once the exit is there, ${when}`, () => {
      const whole = begun + codeLine(EXIT, now) + exitLine({ ...EXIT, exit_code: 3, left: 2 }, now);
      expect(seenOf(whole)).toMatchObject({ is: "ended", exit_code: 3, left: 2 });
    });
  }
  test("is none while the keeper clears the task away", () => {
    expect(seenOf(claimText(now, []) + codeLine(EXIT, now), true)).toEqual({ is: "beginning" });
  });
});

let site: Site;
let disk: Disk | null = null;
let at = "";
beforeEach(async () => {
  site = await makeSite();
});
afterEach(async () => {
  disk?.thaw();
  expect(await site.close()).toEqual([]);
  disk?.remove();
  rmSync(at, { recursive: true, force: true });
  disk = null;
});

const why = noDisk();
describe(`a child that cannot be killed${why === null ? "" : ` (skipped: ${why})`}`, () => {
  test.if(why === null)(
    "costs no exit code, also if the keeper is killed while it waits",
    async () => {
      at = join(tmpdir(), `orch-stuck-${randomHex(4)}`);
      disk = makeDisk(`${at}.img`, at);
      disk.freeze();
      const tasks = await site.open();
      // A process that creates a file on a frozen disk hears no signal until that goes on.
      const stuck = `( : > ${at}/file ) & until grep -q ') D' /proc/$!/stat; do sleep 0.05; done`;
      const uid = await begin(tasks, assignmentFor(`${stuck}; exit 7`));
      await alive(tasks, uid);
      const claim = (): string => readFileSync(join(site.data, "tasks", uid, "claim"), "utf8");
      await waitUntil("the code in the claim", () => claim().includes("\ncode "));
      expect(parseAttempt(claim()).exit).toBeNull();
      process.kill(Number.parseInt(readdirSync(join(site.data, "keepers"))[0] ?? "", 10), "SIGKILL");
      await waitUntil("the driver to notice", () => site.said.some((line) => line.includes("a keeper is gone")));
      await alive(tasks, uid);
      disk.thaw();
      expect(await ended(tasks, uid)).toMatchObject({ exit_code: 7, signal: null, reason: null });
    },
    30_000,
  );
});
