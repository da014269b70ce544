// What the disk did not take outlives the agent's process: the next one goes on with it, and not with what is on disk.

import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openOwed } from "../../../src/agent/tasks/owed";
import { openTaskStore } from "../../../src/agent/tasks/store";
import { assignmentFor, recordFor } from "../../support/tasks";

const silent = (): void => undefined;
let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "orch-owed-"));
  mkdirSync(join(dir, "run"));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a record that the disk does not take is owed, also to the next agent", async () => {
  const [data, run] = [join(dir, "data"), join(dir, "run")];
  const record = recordFor(assignmentFor("true"));
  const { uid } = record.assignment;
  const store = openTaskStore(data, silent, run);
  // A file in the place of the task's directory takes no record.
  writeFileSync(join(data, "tasks", uid), "");
  await store.write(record);
  expect([...store.owed().keys()]).toEqual([uid]);
  expect(store.trouble()).not.toBeNull();
  store.close();

  const next = openTaskStore(data, silent, run);
  expect((await next.read()).records.get(uid)).toEqual(record);
  rmSync(join(data, "tasks", uid));
  await next.write({ ...record, go: true });
  expect(next.owed().size).toBe(0);
  next.close();
  expect(openOwed(run, silent).records.size).toBe(0);
});

test("without a run directory a failed write is an error of its caller", async () => {
  const store = openTaskStore(join(dir, "data"), silent);
  const record = recordFor(assignmentFor("true"));
  writeFileSync(join(dir, "data", "tasks", record.assignment.uid), "");
  expect(await store.write(record).then(() => "written", String)).not.toBe("written");
  store.close();
});
