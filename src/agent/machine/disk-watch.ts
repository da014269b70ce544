// Whether the data directory takes what is written to it: tried now and then, and more often while it does not. A node
// whose disk is full, read-only or hanging says so and gets no tasks.

import { join } from "node:path";
import { MIB, SECOND_MS, type Bytes } from "../../core/units";
import { messageOf } from "../../os/errors";
import { roomIn } from "../../os/facts";
import { createDisk, DISK_FULL, DISK_HANGS, removeSlowly } from "../../os/files/disk";
import { replaceFile } from "../../os/files/durable";

/** How often the disk is tried while it works, and while it does not. */
const EVERY_MS = { well: 10 * SECOND_MS, ill: 2 * SECOND_MS } as const;
/** With less free space than this the disk counts as full. It is well again once it has half as much more. */
const LEAST_BYTES: Bytes = 4 * MIB;

export interface DiskWatch {
  /** Returns why the disk takes nothing now, or null. */
  trouble(): string | null;
  close(): void;
}

/** Watches the disk of a data directory. `changed` is called when the trouble begins, changes or ends. */
export async function watchDisk(data: string, changed: () => void): Promise<DiskWatch> {
  const disk = createDisk(1);
  let trouble: string | null = null;
  let timer: ReturnType<typeof setTimeout> | null = null;
  let closed = false;

  const look = async (): Promise<string | null> => {
    if (disk.hangs()) return DISK_HANGS;
    const answer = await disk.answer(() => tryIt(data, trouble === null ? 1 : 1.5));
    return answer.is === "done" ? answer.value : answer.why;
  };
  const take = (now: string | null): void => {
    const before = trouble;
    trouble = now;
    if (closed) return;
    if (before !== now) changed();
    timer = setTimeout(again, now === null ? EVERY_MS.well : EVERY_MS.ill);
  };
  const again = (): void => {
    look()
      .then(take)
      .catch((error: unknown) => take(messageOf(error)));
  };
  take(await look());
  return {
    trouble: () => trouble,
    close() {
      closed = true;
      if (timer !== null) clearTimeout(timer);
    },
  };
}

/** Returns why the disk has too little room, or null. Throws what the disk says of a write. */
async function tryIt(data: string, times: number): Promise<string | null> {
  const free = await roomIn(data);
  if (free < LEAST_BYTES * times) return DISK_FULL;
  const path = join(data, "disk-watch");
  await replaceFile(path, "x".repeat(1_024));
  await removeSlowly(path);
  return null;
}
