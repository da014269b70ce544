// A small companion process of an exclusive task. It waits on a pipe that only the keeper holds open, and kills
// everything in the task's group when the keeper dies, however that happens. So "the task dies with its supervisor"
// includes descendants.

import { join } from "node:path";
import { startCompanion } from "../../os/process/spawn";
import type { Group } from "../../os/cgroup/hierarchy";

export interface Guard {
  /** Ends the companion without any kill, since the task is over. */
  release(): void;
}

/**
 * Waits for the end of its input, then kills until the group is empty, for about a minute at most. `$1` is the file
 * that lists the group.
 */
const SCRIPT = `trap "" TERM INT HUP
read -r word && exit 0
n=0
while [ -s "$1" ] || [ -n "$(cat "$1" 2>/dev/null)" ]; do
  while read -r pid; do kill -9 "$pid"; done <"$1" 2>/dev/null
  n=$((n + 1))
  [ $n -lt 600 ] || exit 1
  sleep 0.1
done`;

/**
 * Starts the companion, or returns null without a control group. The task's own process then still dies with the
 * keeper, by a setting of the kernel.
 */
export function startGuard(group: Group): Guard | null {
  const dir = group[0];
  if (dir === undefined) return null;
  const companion = startCompanion(["/bin/sh", "-c", SCRIPT, "orch-guard", join(dir, "cgroup.procs")]);
  return companion === null ? null : { release: () => companion.dismiss() };
}
