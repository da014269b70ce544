// The kernel's list of mounts is read only when the kernel says that it has changed.

import { expect, test } from "bun:test";
import { closeSync, openSync } from "node:fs";
import { hasTold } from "../../../src/os/libc";
import { scratchDir } from "../../support/scratch";
import { waitUntil } from "../../support/wait";

test.if(process.platform === "linux" && process.getuid?.() === 0)(
  "a mount and its end are told to who looks later, and only once",
  async () => {
    const dir = scratchDir("orch-near-");
    const fd = openSync("/proc/self/mountinfo", "r");
    // Others may mount something of their own meanwhile.
    const quiet = (): Promise<boolean> => waitUntil("the list to be quiet", () => !hasTold(fd));
    const isDone = (...argv: string[]): boolean => Bun.spawnSync(argv).success;
    await quiet();
    expect([isDone("mount", "-t", "tmpfs", "none", dir), hasTold(fd)]).toEqual([true, true]);
    await quiet();
    expect([isDone("umount", dir), hasTold(fd)]).toEqual([true, true]);
    await quiet();
    closeSync(fd);
  },
);
