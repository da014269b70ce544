// The newest server this agent has heard, in memory and on disk: what keeps it from ever believing an older one.

import { join } from "node:path";
import type { Fence } from "../../core/agent/fence";
import { messageOf } from "../../os/errors";
import { replaceFile } from "../../os/files/durable";
import { readJson } from "../../os/files/files";

export interface FenceFile {
  get(): Fence | null;
  /** `durable`: rejects when the disk does not know this server yet and cannot take it. */
  set(fence: Fence, durable: boolean): Promise<void>;
}

/** Opens the file in a data directory. One that cannot be read vouches for nothing. */
export function openFence(data: string, say: (line: string) => void): FenceFile {
  const path = join(data, "fence.json");
  const read = readJson(path);
  return keepFence({
    found: read.is === "there" ? fenceOf(read.value) : null,
    write: (fence) => replaceFile(path, `${JSON.stringify(fence)}\n`),
    say,
  });
}

export interface FenceDisk {
  /** What the disk had when the agent started. */
  readonly found: Fence | null;
  /** Resolves when it is durable. */
  readonly write: (fence: Fence) => Promise<void>;
  readonly say: (line: string) => void;
}

/** The fence over any disk. */
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
      // What the disk has of the same server is only behind, and so vouches for less: a full disk is no reason to
      // leave the server, and with it the leases of what runs here.
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
      // One after the other: a slow write of what an older session still noted must not come after a newer server's.
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
  a.since === b.since;

function fenceOf(value: unknown): Fence | null {
  const fence = value as Fence | null;
  return typeof fence === "object" &&
    fence !== null &&
    typeof fence.cluster_id === "string" &&
    typeof fence.timeline === "string" &&
    Number.isInteger(fence.epoch) &&
    Number.isInteger(fence.revision) &&
    Number.isInteger(fence.since)
    ? fence
    : null;
}
