// Keeps the tasks of an agent step by step, as it is told on its standard input, and prints what became of each step.

import { openTaskStore } from "../../../src/agent/tasks/store";
import { endWithoutResult } from "../../../src/core/agent/ending";
import { assignmentFor, recordFor } from "../../support/tasks";

/** The path of this program. Its argument is the data directory. */
export const STORE_WRITER = import.meta.path;

const uidOf = (letter: string): string => letter.repeat(32);
export const [A, B, C, D] = [uidOf("a"), uidOf("b"), uidOf("c"), uidOf("d")];
const recordOf = (uid: string) => recordFor(assignmentFor("true", { uid }));

async function take(data: string): Promise<void> {
  const store = openTaskStore(data, console.error);
  const steps: Record<string, () => Promise<unknown>> = {
    read: () => store.read(),
    write: () => store.write(recordOf(A)),
    end: () => store.write({ ...recordOf(A), end: endWithoutResult("stopped", null, "why", 1) }),
    acknowledge: () => store.acknowledge(A),
    "write some": () => Promise.all([B, C, D].map(async (uid) => store.write(recordOf(uid)))),
  };
  for await (const step of console) {
    const said = await (steps[step]?.() ?? Promise.reject(new Error("no step"))).then(() => "done", String);
    process.stdout.write(`${step}: ${said}\n`);
  }
  store.close();
}

if (import.meta.main) await take(process.argv[2] ?? "");
