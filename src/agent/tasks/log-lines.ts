// Lines of a log: where the last ones begin, and each behind its time.

import type { WallMs } from "../../core/units";
import { breathe } from "../../os/clock";
import { readAt, sizeOf } from "../../os/files/files";
import { timeText } from "../../wire/log-times";

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 10;

/**
 * Returns the place in an open file at which its last `count` lines begin. It is read from its end, and no further than
 * to `floor`. A last line without an end counts as a line.
 */
export async function startOfLast(fd: number, count: number, floor: number): Promise<number> {
  const end = sizeOf(fd);
  if (count === 0) return end;
  let left = count;
  for (let at = end; at > floor; await breathe()) {
    const from = Math.max(floor, at - CHUNK_BYTES);
    const bytes = readAt(fd, from, at - from);
    // The newline at the very end ends the last line and begins none.
    const isLast = at === end && bytes.at(-1) === NEWLINE;
    let newline = isLast ? bytes.length - 1 : bytes.length;
    while (newline > 0 && (newline = bytes.lastIndexOf(NEWLINE, newline - 1)) >= 0) {
      if (--left === 0) return from + newline + 1;
    }
    at = from;
  }
  return floor;
}

/** Puts a time before each line of a stream that comes in parts. `at` is the offset of the part's first byte. */
export type Stamper = (bytes: Uint8Array, at: number, timeOf: (offset: number) => WallMs) => Uint8Array;

export function createStamper(): Stamper {
  let isBegun = false;
  return (bytes, at, timeOf) => {
    const parts: Uint8Array[] = [];
    for (let from = 0; from < bytes.length;) {
      if (!isBegun) parts.push(Buffer.from(timeText(timeOf(at + from))));
      const newline = bytes.indexOf(NEWLINE, from);
      const until = newline < 0 ? bytes.length : newline + 1;
      parts.push(bytes.subarray(from, until));
      isBegun = newline < 0;
      from = until;
    }
    return Buffer.concat(parts);
  };
}
