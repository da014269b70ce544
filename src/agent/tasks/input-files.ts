// The standard input of a task as a file of its directory. It has its name only once all of it is there and has the
// hash that was said.

import { join } from "node:path";
import type { InputRef } from "../../core/model/workload";
import { removeSlowly, type Disk, type DiskAnswer } from "../../os/files/disk";
import { joinParts, sizeOfFile, writePart } from "../../os/files/parts";
import { FILES } from "./taskdir";

export interface InputFiles {
  hasInput(uid: string, ref: InputRef): Promise<boolean>;
  writeInput(uid: string, offset: number, part: Uint8Array): Promise<DiskAnswer<void>>;
  /** Gives the written parts their name. The answer is false, and they are gone, if they are not what was said. */
  keepInput(uid: string, ref: InputRef): Promise<DiskAnswer<boolean>>;
}

/** `dirOf` returns the directory of a task that is not acknowledged. */
export function createInputFiles(dirOf: (uid: string) => string, disk: Disk): InputFiles {
  const whole = (uid: string): string => join(dirOf(uid), FILES.stdin);
  const parts = (uid: string): string => `${whole(uid)}.part`;
  return {
    async hasInput(uid, ref) {
      const size = await disk.answer(() => sizeOfFile(whole(uid)));
      return size.is === "done" && size.value === ref.bytes;
    },
    writeInput: (uid, offset, part) => disk.answer(() => writePart(parts(uid), offset, part)),
    keepInput: (uid, ref) => disk.answer(() => joinParts(parts(uid), whole(uid), ref)),
  };
}

/** Removes the input of a task that is over: the server has it, and output is what is kept here. */
export async function removeInput(dir: string): Promise<void> {
  await removeSlowly(join(dir, FILES.stdin));
  await removeSlowly(join(dir, `${FILES.stdin}.part`));
}
