// An order that an agent cannot read is rejected by itself: the orders beside it count, and the connection stays.

import { expect, test } from "bun:test";
import { inventoryPages } from "../../../src/agent/link/pages";
import type { ServerLink } from "../../../src/agent/link/link";
import { rejectUnread } from "../../../src/agent/link/unread";
import type { TaskReport } from "../../../src/core/model/record";
import type { Orphan } from "../../../src/core/model/rows-node";
import { toAgent } from "../../../src/wire/agent";
import { messageFrom } from "../../../src/wire/fit";
import { assignmentFor } from "../../support/tasks";

const STAMP = { cluster_id: "c", timeline: "t", epoch: 1, session: 1, revision: 1, signature: "" };

/** What an agent reports after these orders, and what it says. It knows the tasks in `known`. */
function told(orders: readonly unknown[], known: readonly string[] = []) {
  const read = messageFrom(toAgent, JSON.stringify({ type: "changes", stamp: STAMP, n: 1, changes: orders }));
  if (read.is === "unreadable") throw new Error(read.why);
  const waiting = new Map<string, TaskReport>();
  const said: string[] = [];
  const link = {
    phase: "greeted",
    reports: { waiting, flushing: false },
    options: { say: (line: string) => void said.push(line), loop: { knows: (uid: string) => known.includes(uid) } },
  } as unknown as ServerLink;
  rejectUnread(link, read.misfits);
  const kept = read.value.type === "changes" ? read.value.changes : [];
  return { kept, rejected: [...waiting.values()], said };
}

const good = assignmentFor("true");
const other = { ...assignmentFor("true"), uid: "b".repeat(32) };

test.each<[string, object]>([
  ["with a time of another kind", { verb: "assign", task: { ...other, time_limit_ms: "soon" } }],
  ["with a name without end", { verb: "assign", task: { ...other, name: "n".repeat(5_000) } }],
  ["that only a newer agent knows", { verb: "hibernate", uid: other.uid }],
])("an order %s is rejected by name", (_what, order) => {
  const { kept, rejected, said } = told([{ verb: "assign", task: good }, order]);
  expect(kept.map((verb) => ("task" in verb ? verb.task.uid : verb.uid))).toEqual([good.uid]);
  expect(rejected).toMatchObject([{ uid: other.uid, reported: { state: "rejected" } }]);
  expect(said).toHaveLength(1);
});

test("nothing of an order is changed so that it can be read", () => {
  const script = `echo ${"x".repeat(100_000)}`;
  const long = { ...good, command: { kind: "shell", shell: "/bin/sh", script } };
  expect(told([{ verb: "assign", task: long }]).kept).toMatchObject([{ task: { command: { script } } }]);
  expect(told([{ verb: "assign", task: { ...good, workdir: 7 } }]).kept).toEqual([]);
});

test("a stop, and what is about a task that is here, is no rejection", () => {
  expect(told([{ verb: "stop", uid: other.uid, attempt: "one" }]).rejected).toEqual([]);
  expect(told([{ verb: "assign", task: { ...other, name: 7 } }], [other.uid]).rejected).toEqual([]);
});

test("only the last page of an inventory says that it is the last, and none is too long", () => {
  const orphan: Orphan = { uid: "u", name: "n", pid: null, held: null };
  const pages = inventoryPages(
    [],
    Array.from({ length: 450 }, () => orphan),
  );
  expect(pages.map(({ unreadable, last }) => [unreadable.length, last])).toEqual([
    [200, false],
    [200, false],
    [50, true],
  ]);
  expect(inventoryPages([], [])).toEqual([{ type: "inventory", entries: [], unreadable: [], last: true }]);
});
