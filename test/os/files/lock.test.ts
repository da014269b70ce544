// The note of who holds a lock is for people: whatever is in it, a lock that is taken is told as taken.

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { noteHolder, takeLock } from "../../../src/os/files/lock";

test("a note that is no note names nobody", () => {
  const dir = mkdtempSync(join(tmpdir(), "orch-lock-"));
  const file = join(dir, "lock");
  const held = takeLock(file);
  try {
    noteHolder(file, 5);
    expect(takeLock(file)).toMatchObject({ is: "held", holder: { pid: process.pid, since_ms: 5 } });
    for (const text of ["null", "5", "[]", "{", "{}"]) {
      writeFileSync(`${file}.json`, text);
      expect(takeLock(file)).toEqual({ is: "held", holder: null });
    }
  } finally {
    if (held.is === "taken") held.release();
    rmSync(dir, { recursive: true });
  }
});
