// The fence: the newest server that this agent has heard, in memory and on disk. With it the agent never believes an
// older server.

import { join } from "node:path";
import type { Fence } from "../../core/agent/fence";
import type { Passed } from "../../core/model/record";
import { messageOf } from "../../os/errors";
import { createDisk } from "../../os/files/disk";
import { replaceFile } from "../../os/files/durable";
import { replaceFileNow } from "../../os/files/durable";
import { readJson, removeFile } from "../../os/files/files";
import { passed } from "../../wire/nouns";

export interface FenceFile {
  get(): Fence | null;
  /** With `durable`, rejects when the disk does not have this server yet and cannot store it. */
  set(fence: Fence, durable: boolean): Promise<void>;
}

/** Opens the fence's file in a data directory. A file that cannot be read counts as no fence. */
export function openFence(data: string, say: (line: string) => void, run: string | null = null): FenceFile {
  const path = join(data, "fence.json");
  const disk = createDisk(1);
  return keepFence({
    found: newer(readFence(path), run === null ? null : readFence(join(run, "fence.json"))),
    write: async (fence) => {
      const text = `${JSON.stringify(fence)}\n`;
      const answer = await disk.answer(async () => {
        await replaceFile(path, text);
        // The note of the last trouble is older now.
        if (run !== null) removeFile(join(run, "fence.json"));
      });
      if (answer.is === "done") return;
      // The run directory outlives this process, though not this boot, on which alone tasks of before are started.
      if (run === null) throw new Error(answer.why);
      replaceFileNow(join(run, "fence.json"), text, "whole");
      say(`the fence is kept in the run directory: ${answer.why}`);
    },
    say,
  });
}

/** Removes the fence in a run directory, which is of an agent that had this data directory before. */
export const forgetFence = (run: string): void => removeFile(join(run, "fence.json"));

function readFence(path: string): Fence | null {
  const read = readJson(path);
  return read.is === "there" ? fenceOf(read.value) : null;
}

/** The fence in the run directory was written when the disk did not take it. An epoch only rises within a timeline. */
const newer = (disk: Fence | null, run: Fence | null): Fence | null =>
  run !== null && (disk === null || disk.timeline !== run.timeline || run.epoch >= disk.epoch) ? run : disk;

export interface FenceDisk {
  /** The fence on disk when the agent started, or null. */
  readonly found: Fence | null;
  /** Resolves when the fence is durable. */
  readonly write: (fence: Fence) => Promise<void>;
  readonly say: (line: string) => void;
}

/** Makes the fence on top of any disk. */
export function keepFence({ found, write, say }: FenceDisk): FenceFile {
  let fence = found;
  let noted = found;
  let failing = false;
  let writing: Promise<void> = Promise.resolve();
  const over = (): void => undefined;

  async function note(next: Fence): Promise<void> {
    if (noted !== null && isSame(noted, next)) return;
    try {
      await write(next);
      noted = next;
      failing = false;
    } catch (error) {
      // The disk already has an older fence of the same server, which is safe to start from. So a full disk is no
      // reason to leave the server, and with it the leases of the tasks here.
      if (noted?.epoch !== next.epoch || noted.timeline !== next.timeline) throw error;
      if (!failing) say(`the fence could not be written: ${messageOf(error)}`);
      failing = true;
    }
  }

  return {
    get: () => fence,
    set: (newest, durable) => {
      fence = newest;
      if (!durable) return Promise.resolve();
      // Writes run one after another, so that a slow write of an older session cannot overwrite the fence of a newer
      // server.
      const done = writing.then(() => note(newest));
      writing = done.catch(over);
      return done;
    },
  };
}

const isSame = (a: Fence, b: Fence): boolean =>
  a.cluster_id === b.cluster_id &&
  a.timeline === b.timeline &&
  a.epoch === b.epoch &&
  a.session === b.session &&
  a.applied_n === b.applied_n &&
  a.revision === b.revision &&
  a.since === b.since &&
  a.passed?.signature === b.passed?.signature;

/** Returns the signed stamp in a fence; null if an agent wrote the fence that did not keep one yet. */
function passedIn(value: unknown): Passed | null {
  const read = passed.safeParse(value);
  return read.success ? read.data : null;
}

function fenceOf(value: unknown): Fence | null {
  const fence = value as Fence | null;
  return typeof fence === "object" &&
    fence !== null &&
    typeof fence.cluster_id === "string" &&
    typeof fence.timeline === "string" &&
    Number.isInteger(fence.epoch) &&
    Number.isInteger(fence.revision) &&
    Number.isInteger(fence.since)
    ? { ...fence, passed: passedIn(fence.passed) }
    : null;
}
