// Makes the control group of a task, also while another keeper removes the directories in which it shall be.

import { makeGroup, removeGroup } from "../../os/cgroup/group";
import { findCgroups, groupOf, type Cgroups } from "../../os/cgroup/hierarchy";
import type { GroupLimits } from "../../os/cgroup/limits";
import { messageOf } from "../../os/errors";
import type { TaskOrder } from "./messages";

/** More processes than any system can have, which a group would not be limited to. */
const MOST_PIDS = 2 ** 22;

/** Returns the limits of a task's group. */
const limitsOf = ({ limits, batch }: TaskOrder): GroupLimits =>
  batch === undefined ? limits : limitsOfPlaces(limits, batch.places);

/** Returns the limits of so many places together, by those of one. */
export function limitsOfPlaces({ cpu_milli, memory_bytes, pids }: GroupLimits, places: number): GroupLimits {
  return {
    cpu_milli: cpu_milli * places,
    memory_bytes: memory_bytes === null ? null : memory_bytes * places,
    pids: Math.min(MOST_PIDS, pids * places),
  };
}

/** Makes the group of a task. Returns why that failed, or null. By `group_name` the cgroups were found. */
export function grouping(
  { cgroups, group_name }: { readonly cgroups: Cgroups; readonly group_name: string },
  order: TaskOrder,
  again = true,
): string | null {
  try {
    makeGroup(cgroups, order.uid, limitsOf(order), order.denied);
    return null;
  } catch (error) {
    if (again && (error as NodeJS.ErrnoException).code === "ENOENT") {
      // Another keeper has ended and removed the empty directories, so they are made again. On version 1 it may have
      // removed some of them only, and what this task has in the others would be in the way of the second try.
      removeGroup(groupOf(cgroups, order.uid, true));
      findCgroups(group_name);
      return grouping({ cgroups, group_name }, order, false);
    }
    removeGroup(groupOf(cgroups, order.uid, true));
    return `its control group could not be made: ${messageOf(error)}`;
  }
}
