// An agent is killed right before and right after each call with which its store changes what is on disk, or its disk
// refuses that call: what was told as written is there, nothing else is, and the next agent writes on.

import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { openTaskStore } from "../../../src/agent/tasks/store";
import { bookOf } from "../../support/book";
import { scratchDir } from "../../support/scratch";
import { noTampering, tamper, type TamperedCall, type Tampering } from "../../support/tampered";
import { assignmentFor, recordFor } from "../../support/tasks";
import { waitUntil } from "../../support/wait";
import { A, B, BATCH, C, D, journalOf, STORE_WRITER } from "./store-writer";

/** The steps of a writer, and what the store has after each: which tasks, and whether they have ended. */
const STEPS = [
  { step: "read", has: {} },
  { step: "write", has: { [A]: "lives" } },
  { step: "end", has: { [A]: "ended" } },
  { step: "acknowledge", has: {} },
  { step: "write some", has: { [B]: "lives", [C]: "lives", [D]: "lives" } },
] as const;
type Step = (typeof STEPS)[number]["step"];

/** The calls that change what is on disk, in their order. The book is written aside when it is begun anew. */
const CALLS: readonly { readonly step: Step; readonly call: TamperedCall; readonly of?: (data: string) => string }[] = [
  { step: "read", call: "fchmod" },
  { step: "read", call: "fdatasync" },
  { step: "read", call: "rename" },
  { step: "read", call: "fsync" },
  { step: "write", call: "mkdir" },
  { step: "write", call: "write", of: bookOf },
  { step: "write", call: "fdatasync" },
  { step: "end", call: "write", of: bookOf },
  { step: "acknowledge", call: "write", of: (data) => join(data, "tasks", A, "record.json") },
  { step: "acknowledge", call: "rename" },
  { step: "acknowledge", call: "write", of: bookOf },
  { step: "write some", call: "write", of: bookOf },
  { step: "write some", call: "fdatasync" },
];

const lacks = noTampering();
const BEFORE = recordFor(assignmentFor("true"));
const AFTER = recordFor(assignmentFor("true"));

/** Returns which tasks a store has, and whether they have ended. It writes one more, if it shall. */
async function found(data: string, more?: typeof AFTER): Promise<Record<string, string>> {
  const said: string[] = [];
  const store = openTaskStore(data, (line) => void said.push(line));
  const { records, unreadable } = await store.read();
  if (more !== undefined) await store.write(more);
  store.close();
  expect([said, [...unreadable]]).toEqual([[], []]);
  return Object.fromEntries([...records].map(([uid, { end }]) => [uid, end === null ? "lives" : "ended"]));
}

interface Writer {
  readonly pid: number;
  readonly exited: Promise<number>;
  /** Takes a step. Returns what became of it; null if the writer died. */
  take(step: Step | "begin a batch" | "end a batch"): Promise<string | null>;
  end(): void;
}

function openWriter(data: string): Writer {
  const argv = [process.execPath, STORE_WRITER, data];
  const child = Bun.spawn(argv, { stdin: "pipe", stdout: "pipe", stderr: "ignore" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  return {
    pid: child.pid,
    exited: child.exited,
    async take(step) {
      await child.stdin.write(`${step}\n`);
      await child.stdin.flush();
      let said = "";
      while (!said.endsWith("\n")) {
        const { done, value } = await reader.read();
        if (done) return null;
        said += decoder.decode(value);
      }
      return said.trim();
    },
    end: () => void child.stdin.end(),
  };
}

/** Has a writer take all steps up to one, which is tampered with. */
async function tampered(data: string, { step, call, of }: (typeof CALLS)[number], what: Tampering) {
  const writer = openWriter(data);
  const at = STEPS.findIndex((one) => one.step === step);
  for (const one of STEPS.slice(0, at)) expect(await writer.take(one.step)).toBe(`${one.step}: done`);
  const { end } = await tamper(writer.pid, of === undefined ? [] : [of(data)], call, 1, what);
  const said = await writer.take(step);
  await end();
  return { writer, said, before: STEPS[at - 1]?.has ?? {}, after: STEPS[at]?.has ?? {}, rest: STEPS.slice(at + 1) };
}

async function dataWithOne(): Promise<string> {
  const data = scratchDir("store");
  expect(await found(data, BEFORE)).toEqual({});
  await waitUntil("the rest of its first start", async () => Bun.file(join(data, "retention.json")).exists());
  return data;
}

const uidOf = ({ assignment }: typeof BEFORE): string => assignment.uid;

describe.skipIf(lacks !== null)(`a store${lacks === null ? "" : ` (skipped: ${lacks})`}`, () => {
  for (const when of ["before", "after"] as const)
    test.each(CALLS)(`has what was told if its agent is killed right ${when} $call of step $step`, async (one) => {
      const data = await dataWithOne();
      const { writer, said, before, after } = await tampered(data, one, { is: "killed", when });
      expect(said).toBe(null);
      await writer.exited;
      const has: Readonly<Record<string, string>> = await found(data, AFTER);
      const may: Readonly<Record<string, string>>[] = [before, after];
      const wrong = [A, B, C, D].filter((uid) => !may.some((each) => each[uid] === has[uid]));
      expect([wrong, has[uidOf(BEFORE)]]).toEqual([[], "lives"]);
      expect(await found(data)).toEqual({ ...has, [uidOf(AFTER)]: "lives" });
    });

  test("writes the end of a batch when the disk has its journal, and no earlier", async () => {
    const data = await dataWithOne();
    const writer = openWriter(data);
    expect(await writer.take("read")).toBe("read: done");
    expect(await writer.take("begin a batch")).toBe("begin a batch: done");
    const { end } = await tamper(writer.pid, [journalOf(data)], "fdatasync", 1, { is: "killed", when: "before" });
    expect(await writer.take("end a batch")).toBe(null);
    await end();
    await writer.exited;
    expect(await found(data)).toEqual({ [uidOf(BEFORE)]: "lives", [BATCH]: "lives" });
  });

  for (const error of ["ENOSPC", "EIO"] as const)
    test.each(CALLS)(`has what was told if its disk refuses $call of step $step with ${error}`, async (one) => {
      const data = await dataWithOne();
      const { writer, rest } = await tampered(data, one, { is: "failed", error, more: 0 });
      // Its books are read once.
      const again = one.step === "read" ? [] : [one.step];
      for (const step of [...again, ...rest.map((each) => each.step)])
        expect(await writer.take(step)).toBe(`${step}: done`);
      writer.end();
      await writer.exited;
      const lives = [uidOf(BEFORE), B, C, D].map((uid) => [uid, "lives"]);
      expect(await found(data)).toEqual(Object.fromEntries(lives));
    });
});
