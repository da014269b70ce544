// An heir is a task that begins on its node when other tasks there have ended, in the room that they had. Until then it
// holds nothing.

import type { TaskIdentity, TaskRow } from "./rows-task";

/** Returns whether a task waits for the room of others: one that it comes after has not ended. */
export const isHeir = ({ heir_of }: Pick<TaskRow, "heir_of">, living: { has(uid: string): boolean }): boolean =>
  heir_of !== null && heir_of.some((uid) => living.has(uid));

/** Returns whether a task is known to have begun. */
export const hasBegun = ({ observed: { state } }: Pick<TaskRow, "observed">): boolean =>
  state !== "assigned" && state !== "preparing";

/** Returns the key under which it is kept how long runs of a task's person and name take. */
export const tookKey = ({ user, project, app, workload }: TaskIdentity): string =>
  [user, project, app ?? "", workload].join(" ");
