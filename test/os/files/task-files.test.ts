// What a task may have put in the place of a file neither holds nor misleads whoever opens it, and no line that was cut
// off becomes a part of the next.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { closeSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { clocksNow } from "../../../src/agent/tasks/moments";
import { keptRecord, readRecord } from "../../../src/agent/tasks/records";
import { claimText, exitLine, parseAttempt, pidLine, startFailed } from "../../../src/agent/tasks/taskdir";
import { leadsTo } from "../../../src/os/files/near";
import {
  extentOfTaskFile,
  appendLines,
  appendTaskLines,
  isTaskFile,
  openOutput,
  openTaskFile,
  partOf,
  readTaskFile,
  wholeLines,
} from "../../../src/os/files/task-files";
import { assignmentFor, recordFor } from "../../support/tasks";
import { STILL } from "../../support/clocks";

let dir = "";
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-files-"));
  mkdirSync(join(dir, "other"));
  writeFileSync(join(dir, "other", "secret"), "secret\n");
});
afterAll(() => rmSync(dir, { recursive: true }));

const made: Readonly<Record<string, (path: string) => unknown>> = {
  pipe: (path) => Bun.spawnSync(["mkfifo", path]),
  link: (path) => symlinkSync(join(dir, "other", "secret"), path),
  "link to nothing": (path) => symlinkSync(join(dir, "nothing"), path),
  directory: (path) => mkdirSync(path),
  device: (path) => Bun.spawnSync(["mknod", path, "c", "1", "5"]),
};

describe.each(Object.keys(made))("a %s in the place of a file", (kind) => {
  const name = `a ${kind}`;
  beforeAll(() => made[kind]?.(join(dir, name)));

  test("is not opened, whatever for, and holds nobody", () => {
    for (const purpose of ["read", "append", "change"] as const) {
      expect(() => openTaskFile(dir, name, purpose)).toThrow();
    }
    expect(() => openOutput(dir, name)).toThrow();
    expect(() => appendTaskLines(dir, name, "a line\n")).toThrow();
  });

  test("reads as nothing, and is there", () => {
    expect(readTaskFile(dir, name, 1_000).is).toBe("failed");
    expect(partOf(dir, name, "last", 100)).toHaveLength(0);
    expect(extentOfTaskFile(dir, name)).toEqual({ size: 0, disk_bytes: 0 });
    expect(isTaskFile(dir, name)).toBe(true);
    expect(readFileSync(join(dir, "other", "secret"), "utf8")).toBe("secret\n");
  });
});

test("a directory that has become a link is not entered, and counts as one that has the file", () => {
  symlinkSync(join(dir, "other"), join(dir, "linked"));
  expect(readTaskFile(join(dir, "linked"), "secret", 100)).toMatchObject({ is: "failed" });
  expect(isTaskFile(join(dir, "linked"), "secret")).toBe(true);
  expect(readTaskFile(join(dir, "gone"), "secret", 100)).toEqual({ is: "missing" });
});

test("a file that is too long is not read", () => {
  Bun.spawnSync(["truncate", "-s", "1T", join(dir, "long")]);
  expect(readTaskFile(dir, "long", 1_000)).toMatchObject({
    is: "failed",
    why: expect.stringContaining("at most 1000"),
  });
  expect(partOf(dir, "long", "first", 10)).toHaveLength(10);
});

test("a path leads far if a directory or a link of it does", () => {
  symlinkSync("/mnt/far/deep", join(dir, "near"));
  symlinkSync("near/..", join(dir, "nearer"));
  const far = ["/mnt/far"];
  const leads = [join(dir, "near"), join(dir, "nearer", "x"), "/mnt/far", "/mnt/x/../far/y"].map((one) =>
    leadsTo(one, far),
  );
  expect(leads).toEqual([true, true, true, true]);
  expect(["/mnt/farther", dir, "/", "/mnt/far/.."].map((one) => leadsTo(one, far))).toEqual([
    false,
    false,
    false,
    true,
  ]);
});

describe("a line that was cut off at any byte", () => {
  const fill = (name: string, text: string, more: string): string => {
    writeFileSync(join(dir, name), text);
    const fd = openTaskFile(dir, name, "append");
    appendLines(fd, more);
    closeSync(fd);
    return readFileSync(join(dir, name), "utf8");
  };

  test("does not become a part of a claim's next line", () => {
    const first = claimText(STILL, ["/sys/fs/cgroup/orch/x"]);
    const pid = pidLine({ pid: 1_234, start: "56789", started_ms: 1_700_000 }, STILL);
    const exit = {
      exit_code: 3,
      signal: null,
      started_ms: 1,
      ended_ms: 2,
      peak_memory_bytes: null,
      oom: false,
      left: 0,
    };
    const told = exitLine({ ...exit, reason: null }, STILL);
    for (let cut = 0; cut <= pid.length; cut++) {
      const attempt = parseAttempt(fill("claim", first + pid.slice(0, cut), told), STILL);
      expect(attempt.exit).toMatchObject({ exit_code: 3 });
      expect(attempt.process).toEqual(
        cut === pid.length ? { pid: 1_234, start: "56789", started_ms: 1_700_000 } : null,
      );
      expect(attempt).toMatchObject({ claimed: "start", group: ["/sys/fs/cgroup/orch/x"] });
    }
    // An exit that was cut off, and is written again when there is room.
    for (let cut = 0; cut < told.length; cut++) {
      const again = exitLine({ ...exit, exit_code: 4, ...startFailed("x", "node_unable") }, STILL);
      expect(parseAttempt(fill("claim", first + pid + told.slice(0, cut), again), STILL).exit).toMatchObject({
        exit_code: 4,
      });
    }
  });

  test("leaves a record its last whole version", () => {
    const assignment = assignmentFor("true");
    const { uid } = assignment;
    mkdirSync(join(dir, uid));
    const version = (accepted_ms: number): string =>
      `${JSON.stringify(keptRecord({ ...recordFor(assignment), accepted_ms }, clocksNow()))}\n`;
    const acceptedIn = (): unknown => {
      const read = readRecord(dir, uid);
      return read.is === "there" ? read.record.accepted_ms : read;
    };
    const name = join(uid, "record.json");
    for (let cut = 0; cut < version(2).length; cut += 7) {
      writeFileSync(join(dir, name), version(1) + version(2).slice(0, cut));
      expect(acceptedIn()).toBe(1);
      // The mark of a torn line may be all that fitted.
      writeFileSync(join(dir, name), `${version(1)}${version(2).slice(0, cut)}!\n`);
      expect(acceptedIn()).toBe(1);
      fill(name, version(1) + version(2).slice(0, cut), version(3));
      expect(acceptedIn()).toBe(3);
    }
  });

  test("is no line", () => expect(wholeLines("a\nb!\n\nc\nd")).toEqual(["a", "c"]));
});
