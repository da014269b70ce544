// Keeps the tasks of an agent step by step, as it is told on its standard input, and prints what became of each step.

import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { ELEMENTS } from "../../../src/agent/tasks/element-journal";
import { openTaskStore } from "../../../src/agent/tasks/store";
import type { BatchOrder } from "../../../src/core/model/array";
import { endWithoutResult } from "../../../src/core/agent/ending";
import { assignmentFor, recordFor } from "../../support/tasks";

/** The path of this program. Its argument is the data directory. */
export const STORE_WRITER = import.meta.path;

const uidOf = (letter: string): string => letter.repeat(32);
export const [A, B, C, D, BATCH] = [uidOf("a"), uidOf("b"), uidOf("c"), uidOf("d"), uidOf("e")];

/** The path of the journal of that batch. */
export const journalOf = (data: string): string => join(data, "tasks", BATCH, ELEMENTS);
const recordOf = (uid: string) => recordFor(assignmentFor("true", { uid }));
const batch: BatchOrder = { parts: [[0, 0]], round: 1, places: 1, first: 0, step: 1, begins_for_ms: 4_000 };
const ofBatch = recordFor(assignmentFor("true", { uid: BATCH, batch }));

async function take(data: string): Promise<void> {
  const store = openTaskStore(data, console.error);
  const steps: Record<string, () => Promise<unknown>> = {
    read: () => store.read(),
    write: () => store.write(recordOf(A)),
    end: () => store.write({ ...recordOf(A), end: endWithoutResult("stopped", null, "why", 1) }),
    acknowledge: () => store.acknowledge(A),
    "begin a batch": () => store.write(ofBatch).then(() => appendFileSync(journalOf(data), "a line\n")),
    "end a batch": () => store.write({ ...ofBatch, end: endWithoutResult("unknown", null, "why", 1) }),
    "write some": () => Promise.all([B, C, D].map(async (uid) => store.write(recordOf(uid)))),
  };
  for await (const step of console) {
    const said = await (steps[step]?.() ?? Promise.reject(new Error("no step"))).then(() => "done", String);
    process.stdout.write(`${step}: ${said}\n`);
  }
  store.close();
}

if (import.meta.main) await take(process.argv[2] ?? "");
