// Writes what the disk owes, again and again, one at a time, until the disk takes it.

import { answerOf, type Disk } from "../../os/files/disk";
import type { Book } from "./book";
import type { Owed } from "./owed";
import type { RecordWriter } from "./record-writer";

export interface RewritingOptions {
  readonly disk: Disk;
  readonly writer: RecordWriter;
  readonly owed: Owed | null;
  readonly book: Pick<Book, "trouble" | "begin">;
  readonly claim: (uid: string) => Promise<void>;
  readonly moveEnded: (uid: string) => Promise<void>;
}

export interface Rewriting {
  /** Notes that the server has the end of a task, whose files have yet to be moved away. */
  readonly acknowledged: (uid: string) => void;
  readonly stop: () => void;
}

/** How often what the disk owes is written again. */
const OWED_AGAIN_MS = 2_000;

export function keepWriting({ disk, writer, owed, book, claim, moveEnded }: RewritingOptions): Rewriting {
  const acknowledged = new Set<string>();
  let running = false;
  /** Writes what is owed of one task. A disk that fails again is shown as the node's trouble already. */
  const writeRecord = async (to: Owed, uid: string): Promise<void> => {
    const record = to.records.get(uid)?.record;
    if (record === undefined) return;
    await writer.write(record);
    if (to.records.get(uid)?.record !== record) return;
    if (acknowledged.has(uid)) await moveEnded(uid);
    acknowledged.delete(uid);
    to.written(uid);
  };
  const writeClaim = async (to: Owed, uid: string): Promise<void> => {
    await disk.run(() => claim(uid));
    to.claimed(uid);
  };
  const round = async (to: Owed): Promise<void> => {
    // With nothing to write, nobody else would find out that the disk takes it again.
    if (book.trouble() !== null) await book.begin([]);
    const all = [
      ...[...to.records.keys()].map((uid) => () => writeRecord(to, uid)),
      ...[...to.claims].map((uid) => () => writeClaim(to, uid)),
    ];
    // One that fails, as one whose file was damaged, keeps no other from being written. One that hangs does.
    for (const write of all) if ((await answerOf(write())).is === "late") return;
  };
  const isNothingOwed = ({ records, claims }: Owed): boolean =>
    records.size + claims.size === 0 && book.trouble() === null;
  const timer = setInterval(() => {
    if (running || disk.hangs() || owed === null || isNothingOwed(owed)) return;
    running = true;
    const over = (): void => {
      running = false;
    };
    round(owed).then(over).catch(over);
  }, OWED_AGAIN_MS);
  return {
    acknowledged(uid) {
      acknowledged.add(uid);
    },
    stop: () => clearInterval(timer),
  };
}
