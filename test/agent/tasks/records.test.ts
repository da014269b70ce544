// Records are written although somebody has removed their directory, and such a task never executes again.

import { expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
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
