// A tiny companion of an exclusive task: it waits on a pipe that only the keeper holds open, and ends everything in the
// task's group when the keeper dies, however that happens. So "the task dies with its supervisor" includes descendants.

import { join } from "node:path";
import { startCompanion } from "../../os/process/spawn";
import type { Group } from "../../os/cgroup/hierarchy";

export interface Guard {
  /** The task is over: the companion ends without doing anything. */
  release(): void;
}

/** Waits for the end of its input; then kills until the group is empty. `$1` is the file that lists the group. */
const SCRIPT = `trap "" TERM INT HUP
read -r word && exit 0
n=0
while [ -s "$1" ] || [ -n "$(cat "$1" 2>/dev/null)" ]; do
  while read -r pid; do kill -9 "$pid"; done <"$1" 2>/dev/null
  n=$((n + 1))
  [ $n -lt 600 ] || exit 1
  sleep 0.1
done`;

/** `null` without a control group: then the task's own process still dies with the keeper, by its kernel setting. */
export function startGuard(group: Group): Guard | null {
  const dir = group[0];
  if (dir === undefined) return null;
  const companion = startCompanion(["/bin/sh", "-c", SCRIPT, "orch-guard", join(dir, "cgroup.procs")]);
  return companion === null ? null : { release: () => companion.dismiss() };
}
