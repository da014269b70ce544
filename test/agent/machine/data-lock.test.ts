// Two agents never hold one data directory, whether or not its disk can be written when either of them starts.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { lockData, type DataLocked } from "../../../src/agent/machine/data-lock";
import { noteAgent } from "../../../src/agent/machine/rundir";
import { takeLock } from "../../../src/os/files/lock";
import { bootId, statOf } from "../../../src/os/proc";
import { waitUntil } from "../../support/wait";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-data-lock-"));
  for (const name of ["data", "run"]) mkdirSync(join(dir, name));
});
afterEach(() => rmSync(dir, { recursive: true }));

const said: string[] = [];
const lock = (closed: boolean): DataLocked =>
  lockData(join(dir, "data"), join(dir, "run"), closed, (line) => said.push(line));

for (const [first, second] of [
  [true, true],
  [true, false],
  [false, true],
  [false, false],
] as const) {
  const name = (closed: boolean): string => (closed ? "read-only" : "writable");
  test(`one that started on a ${name(first)} disk keeps out one that starts on a ${name(second)} disk`, async () => {
    const one = lock(first);
    if (one.is === "held") throw new Error(one.who);
    await waitUntil("its notes", async () =>
      (
        await Promise.all(
          (first ? ["run"] : ["data", "run"]).map((at) => Bun.file(join(dir, at, "lock.json")).exists()),
        )
      ).every(Boolean),
    );
    expect(lock(second)).toEqual({
      is: "held",
      who: expect.stringContaining(`the agent of process ${process.pid} on `),
    });
    one.release();
    for (const at of ["run", "data"]) {
      const free = takeLock(join(dir, at, "lock"));
      expect(free.is).toBe("taken");
      if (free.is === "taken") free.release();
    }
    expect(said).toEqual([]);
  });
}

test("an agent that only its note shows keeps out another one, which leaves no lock behind", () => {
  const other = Bun.spawn(["sleep", "60"]);
  try {
    const note = { pid: other.pid, start: statOf(other.pid)?.start ?? "", boot_id: bootId(), data: "", share: false };
    noteAgent(join(dir, "run"), note);
    expect([lock(false), lock(true)]).toEqual(
      [1, 2].map(() => ({ is: "held", who: `the agent of process ${other.pid}` })),
    );
  } finally {
    other.kill("SIGKILL");
  }
});
