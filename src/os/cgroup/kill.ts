// Kills a living task, on machines with control groups and on those without.

import type { FoundProcess } from "../proc";
import { killAll, type Processes } from "../process/find";
import { sendSignal, type Sent } from "../process/signals";
import { killGroup } from "./group";
import type { Group } from "./hierarchy";

const SIGKILL = 9;

/**
 * Returns the living processes of a task without a control group: those of its session, what was `known` as its own,
 * and all that descend from these. Its session counts while the main process has its pid, also dead: after that the
 * number may be a stranger's. No environment is read, which may have to come from a disk that hangs.
 */
export const ungrouped = (
  main: FoundProcess,
  group: Group,
  all: Processes,
  known: readonly FoundProcess[] = [],
): readonly FoundProcess[] => (group.length > 0 ? [] : all.find({ leader: main, recent: false, marker: null, known }));

/**
 * Kills the process group of a task's main process, and its control group; without one, all that is found of it.
 * Returns what became of the first signal. What fails keeps nothing else from being killed.
 */
export function killTask(main: FoundProcess, group: Group, all: Processes, known: readonly FoundProcess[] = []): Sent {
  let found = known;
  let sent: Sent = { is: "gone" };
  try {
    // Before anything dies, since the children of the dead are handed to others.
    found = ungrouped(main, group, all, known);
  } finally {
    sent = sendSignal(main, SIGKILL, "group");
    killAll(found);
    killGroup(group);
  }
  return sent;
}
