// Records as earlier releases wrote them, a file a task: one whose first version was cut off was never told as taken,
// so its task comes again.

import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRecord } from "../../../src/agent/tasks/records";
import { assignmentFor, recordFor } from "../../support/tasks";

test.each(["", '{"assignment":{"uid":"cut o'])("a record whose first version was cut off at %j is none", (text) => {
  const tasks = mkdtempSync(join(tmpdir(), "orch-records-"));
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  mkdirSync(join(tasks, uid));
  writeFileSync(join(tasks, uid, "record.json"), text);
  expect(readRecord(tasks, uid)).toEqual({ is: "missing" });
  // A task that was claimed had a whole record, so this one was damaged.
  writeFileSync(join(tasks, uid, "record.json"), text);
  writeFileSync(join(tasks, uid, "claim"), "");
  expect(readRecord(tasks, uid).is).toBe("bad");
  rmSync(tasks, { recursive: true });
});
