// Where the output of one element of a batch is: in the directory of its place while it runs, and in one of its own
// from then on, if it has written anything.

import { join } from "node:path";
import { exists } from "../../os/files/files";
import { placeDir } from "./element-journal";
import { ElementReader, journalIn } from "./element-reader";
import type { TaskLogOptions } from "./logs";
import { readRecord } from "./records";
import { dirOfTask, places } from "./taskdir";

/** Returns the name of the directory of what an element has written. */
const dirNameOf = (number: number, round: number): string => (round === 1 ? String(number) : `${number}.${round}`);

/** Returns the reader of a batch whose end the server has, by the record that is kept with it; null if none is. */
export function keptReader(data: string, uid: string): ElementReader | null {
  const found = readRecord(places(data).ended, uid);
  const batch = found.is === "there" ? found.record.assignment.batch : undefined;
  return batch === undefined
    ? null
    : new ElementReader(
        batch,
        journalIn(() => dirOfTask(data, uid)),
      );
}

/**
 * Returns what the log of an element is read with. `reader` reads the journal of its batch; null: the batch is not
 * known here. `living` says whether the batch may still write.
 */
export function elementLog(
  number: number,
  reader: ElementReader | null,
  living: (uid: string) => boolean,
): Pick<TaskLogOptions, "outputIn" | "living"> {
  if (reader === null) throw new Error("nothing is known here of the batch of this element");
  let isOver = false;
  const now = (): ReturnType<ElementReader["stateOf"]> => {
    reader.look();
    return reader.stateOf(number);
  };
  if (now().is === "stranger") throw new Error(`its batch has no element ${number}`);
  return {
    outputIn(dir) {
      // What it was before: the directory may get its own name between two looks.
      const state = now();
      const own = join(dir, dirNameOf(number, reader.round));
      if (exists(own)) return own;
      return state.is === "running" ? join(dir, placeDir(state.place)) : null;
    },
    living(uid) {
      // It is looked once more after its end, since its directory gets its name at about that moment.
      const [was, lives] = [isOver, living(uid)];
      isOver = now().is === "over";
      return lives && !(was && isOver);
    },
  };
}
