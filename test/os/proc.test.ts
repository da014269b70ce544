// What is read of a process from outside of it never waits for that process.

import { expect, test } from "bun:test";
import { join } from "node:path";
import { beganWith } from "../../src/os/proc";
import { makeDisk, noDisk } from "../support/frozen";
import { scratchDir } from "../support/scratch";
import { processOf } from "../support/processes";
import { waitUntil } from "../support/wait";

const missing = noDisk();

test.skipIf(missing !== null)(
  `a process that waits for a disk is not asked for its environment ${missing ?? ""}`,
  async () => {
    const dir = scratchDir("proc");
    const at = join(dir, "disk");
    const disk = makeDisk(join(dir, "image"), at);
    disk.freeze();
    const child = Bun.spawn(["sh", "-c", `exec dd if=/dev/zero of=${at}/file bs=4096 count=1`], {
      env: { PATH: "/usr/bin:/bin", MARK: "1" },
      stdio: ["ignore", "ignore", "ignore"],
    });
    try {
      await waitUntil("it to wait for the disk", () => processOf(child.pid)?.state === "D");
      expect(beganWith(child.pid)).toEqual([]);
    } finally {
      disk.thaw();
      await child.exited;
      disk.remove();
    }
  },
);

test("any other process is", async () => {
  const child = Bun.spawn(["sleep", "60"], { env: { PATH: "/usr/bin:/bin", MARK: "1" } });
  await waitUntil("it to have its environment", () => beganWith(child.pid).includes("MARK=1"));
  child.kill();
  await child.exited;
});
