// Records are written although somebody has removed their directory, and such a task never executes again. One whose
// first version was cut off was never told as taken, so its task comes again.

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRecordWriter, readRecord } from "../../../src/agent/tasks/records";
import { readAttempt } from "../../../src/agent/tasks/taskdir";
import { endWithoutResult } from "../../../src/core/agent/ending";
import { createDisk } from "../../../src/os/files/disk";
import { assignmentFor, recordFor } from "../../support/tasks";

test("a record whose directory was removed is written again, with a claim unless it has ended", async () => {
  const tasks = mkdtempSync(join(tmpdir(), "orch-records-"));
  const writer = createRecordWriter(tasks, createDisk());
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  const dir = join(tasks, uid);
  await writer.write(record);
  expect(readAttempt(dir)).toBeNull();
  rmSync(dir, { recursive: true });
  await writer.write(record);
  expect(readRecord(tasks, uid).is).toBe("there");
  expect(readAttempt(dir)?.claimed).toBe("unknown");
  rmSync(dir, { recursive: true });
  await writer.write({ ...record, end: endWithoutResult("stopped", null, "why", 1) });
  expect([readRecord(tasks, uid).is, readAttempt(dir)]).toEqual(["there", null]);
  rmSync(tasks, { recursive: true });
});

test.each(["", '{"assignment":{"uid":"cut o'])(
  "a record whose first version was cut off at %j is none, and is written",
  async (text) => {
    const tasks = mkdtempSync(join(tmpdir(), "orch-records-"));
    const record = recordFor(assignmentFor("true"));
    const { uid } = record.assignment;
    mkdirSync(join(tasks, uid));
    writeFileSync(join(tasks, uid, "record.json"), text);
    expect(readRecord(tasks, uid)).toEqual({ is: "missing" });
    await createRecordWriter(tasks, createDisk()).write(record);
    expect(readRecord(tasks, uid)).toMatchObject({ is: "there", record: { assignment: { uid } } });
    // A task that was claimed had a whole record, so this one was damaged.
    writeFileSync(join(tasks, uid, "record.json"), text);
    writeFileSync(join(tasks, uid, "claim"), "");
    expect(readRecord(tasks, uid).is).toBe("bad");
    rmSync(tasks, { recursive: true });
  },
);
