// Names and derived facts of a task, in the one form that people see everywhere.

import type { TaskIdentity, TaskRow } from "./rows-task";

/** `recs.api.0`, `123` or `123.1` (gang member); `#2` behind it from the second attempt on. */
export function taskName(task: TaskIdentity): string {
  const attempt = task.attempt > 1 ? `#${task.attempt}` : "";
  return slotName(task) + attempt;
}

/** The name of the slot without the attempt. */
export function slotName(task: Omit<TaskIdentity, "attempt">): string {
  if (task.kind === "job") {
    const member = task.member > 0 ? `.${task.member}` : "";
    return task.app === null ? `${task.run}${member}` : `${task.app}.${task.workload}.${task.slot}${member}`;
  }
  return `${task.app}.${task.workload}.${task.slot}`;
}

/** The slot that people and tasks see: the index of a replica, or of the member of a gang. */
export const seenSlot = ({ slot, member }: Pick<TaskIdentity, "slot" | "member">): number =>
  member > 0 ? member : slot;

/** The short unique id that people type: the first 10 of the uid's 32 hex digits. */
export const shortId = (uid: string): string => uid.slice(0, 10);

/** The key of the slot row that a task belongs to. */
export const slotKey = (owner_uid: string, slot: number): string => `${owner_uid}/${slot}`;

/** Whether the plan still counts on this task. */
export const isWanted = (task: TaskRow): boolean => task.desired !== "stop" && task.written_off === null;
