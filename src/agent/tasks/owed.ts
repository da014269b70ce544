// What the disk owes: records and claims that the agent has decided on and could not write to its data directory. They
// are kept in memory and in the run directory, which lies in memory too, so that they outlive this agent process. A
// reboot loses them; no task of before a reboot is started after it.

import { join } from "node:path";
import { MIB } from "../../core/units";
import type { TaskRecord } from "../../core/model/record";
import { replaceFileNow } from "../../os/files/durable";
import { exists, removeFile } from "../../os/files/files";
import { fieldsOf, parsedJson } from "../../os/files/json";
import { readTaskFile } from "../../os/files/task-files";
import { wordsOf } from "../../os/files/disk";
import { clocksNow } from "./moments";
import { keptRecord, parseRecord } from "./records";

export interface OwedRecord {
  readonly record: TaskRecord;
  readonly why: string;
  /** Whether the disk may still carry out the write that it did not answer. */
  readonly late: boolean;
}

export interface Owed {
  readonly records: ReadonlyMap<string, OwedRecord>;
  readonly claims: ReadonlySet<string>;
  put(owed: OwedRecord): void;
  claim(uid: string): void;
  /** Notes that the disk has the newest record of a task. */
  written(uid: string): void;
  claimed(uid: string): void;
  /** Forgets a task whose end the server has. */
  drop(uid: string): void;
}

const FILE = "owed";
const MOST_BYTES = 64 * MIB;

/** Removes the list in a run directory, which is of an agent that had this data directory before. */
export const forgetOwed = (run: string): void => removeFile(join(run, FILE));

/** Opens the list in a run directory, with what an earlier agent process left. */
export function openOwed(run: string, say: (line: string) => void): Owed {
  const path = join(run, FILE);
  const records = new Map<string, OwedRecord>();
  const claims = new Set<string>();
  const read = readTaskFile(run, FILE, MOST_BYTES);
  for (const line of read.is === "there" ? read.text.split("\n") : []) {
    const { record, claim } = fieldsOf(parsedJson(line));
    if (typeof claim === "string") claims.add(claim);
    const uid = fieldsOf(fieldsOf(record)["assignment"])["uid"];
    const parsed = typeof uid === "string" ? parseRecord(record, uid) : null;
    if (parsed?.is !== "there" || typeof uid !== "string") continue;
    records.set(uid, { record: parsed.record, why: "its disk did not take it before", late: true });
  }

  const save = (): void => {
    try {
      if (records.size + claims.size === 0) return exists(path) ? removeFile(path) : undefined;
      const lines = [
        ...[...records.values()].map(({ record }) => ({ record: keptRecord(record, clocksNow()) })),
        ...[...claims].map((claim) => ({ claim })),
      ];
      replaceFileNow(path, lines.map((line) => `${JSON.stringify(line)}\n`).join(""), "whole");
    } catch (error) {
      say(`what could not be written to the disk is kept in memory only: ${wordsOf(error)}`);
    }
  };

  return {
    records,
    claims,
    put(owed) {
      const { uid } = owed.record.assignment;
      if (records.get(uid)?.record === owed.record) return;
      records.set(uid, owed);
      save();
    },
    claim(uid) {
      if (claims.has(uid)) return;
      claims.add(uid);
      save();
    },
    written(uid) {
      if (records.delete(uid)) save();
    },
    claimed(uid) {
      if (claims.delete(uid)) save();
    },
    drop(uid) {
      const had = records.delete(uid);
      if (claims.delete(uid) || had) save();
    },
  };
}
