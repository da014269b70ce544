// Decides how long the output and record of an ended task stay on its node: a week, and at most a number of tasks.

import { join } from "node:path";
import { DAY_MS } from "../../core/units";
import { breathe } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { removeTreeSlowly } from "../../os/files/disk";
import { lookAt, namesIn } from "../../os/files/files";
import { isTaskFile } from "../../os/files/task-files";
import { FILES, isUid, readAttempt } from "./taskdir";

export const RETENTION_MS = 7 * DAY_MS;
const MOST_ENDED = 20_000;
const CHUNK = 100;

/** Removes ended tasks that are old or too many, and old claims of stopped tasks that never arrived. */
export async function sweepEnded(ended: string, tasks: string, now_ms: number): Promise<void> {
  const old = now_ms - RETENTION_MS;
  const aged: { dir: string; at_ms: number }[] = [];
  let at = 0;
  const failures: string[] = [];
  // One directory that cannot be removed, for whatever its task has put there, keeps no other from being removed.
  const remove = async (dir: string): Promise<void> => {
    try {
      await removeTreeSlowly(dir);
    } catch (error) {
      failures.push(messageOf(error));
    }
  };
  for (const uid of namesIn(ended).filter(isUid)) {
    if (++at % CHUNK === 0) await breathe();
    const dir = join(ended, uid);
    const at_ms = lookAt(dir)?.mtimeMs ?? now_ms;
    if (at_ms < old) await remove(dir);
    else aged.push({ dir, at_ms });
  }
  const tooMany = aged.toSorted((a, b) => a.at_ms - b.at_ms).slice(0, Math.max(0, aged.length - MOST_ENDED));
  for (const { dir } of tooMany) {
    if (++at % CHUNK === 0) await breathe();
    await remove(dir);
  }
  for (const uid of namesIn(tasks).filter(isUid)) {
    if (++at % CHUNK === 0) await breathe();
    const dir = join(tasks, uid);
    if (isTaskFile(dir, FILES.record) || readAttempt(dir)?.claimed !== "stop") continue;
    if ((lookAt(dir)?.mtimeMs ?? now_ms) < old) await remove(dir);
  }
  if (failures.length > 0) throw new Error(failures[0]);
}
