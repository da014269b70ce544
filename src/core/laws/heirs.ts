// Laws of heirs: what begins in the room of others was no more than that room, and comes after all who have it before.

import { HOUSE_LIMITS } from "../limits";
import { isHeir } from "../model/heirs";
import type { Amounts } from "../model/promised";
import type { TaskRow } from "../model/rows-task";
import { slotKey } from "../model/task";
import { type Law, linesOf } from "./law";
import type { MomentRows } from "./moment";
import { sayTask } from "./tasks";

export const HEIR_LAWS: readonly Law[] = [
  {
    name: "heir-takes-over",
    says: "an heir is a single run after living ones of its node and boot, each of which holds at least as much",
    broken: (look) =>
      linesOf(look.sample, (task) => {
        const why = task.heir_of === null ? null : notItsRoom(look, task, task.heir_of);
        return why === null ? null : `${sayTask(task)}: ${why}`;
      }),
  },
  {
    name: "heirs-are-in-line",
    says: "of two heirs of one task one comes after the other, and there are at most two",
    broken: (look) => (look.scans ? linesOf(look.sample, (task) => outOfLine(look, task)) : []),
  },
  {
    name: "taken-back-costs-nothing",
    says: "an heir that was taken back before it began changes nothing in its slot but the number of attempts",
    broken: (look) => linesOf(look.rows.ended_tasks ?? [], ({ row }) => costOf(look, row)),
  },
];

const COUNTED = ["streak", "failed", "rejected", "lost", "not_before_ms", "avoid", "ends"] as const;

function costOf({ before, after, rows }: MomentRows, task: TaskRow): string | null {
  const { stop, observed } = task;
  if (stop?.unbegun !== true || observed.state !== "stopped" || observed.started_ms !== null) return null;
  const others = (rows.ended_tasks ?? []).filter(({ row }) => row.owner_uid === task.owner_uid);
  const key = slotKey(task.owner_uid, task.slot);
  const [was, now] = [before.slots.get(key), after.slots.get(key)];
  if (was === undefined || now === undefined || others.length > 1) return null;
  const changed = COUNTED.find((count) => JSON.stringify(was[count]) !== JSON.stringify(now[count]));
  return changed === undefined ? null : `${sayTask(task)}: ${changed} of its slot has changed`;
}

function notItsRoom({ after }: MomentRows, task: TaskRow, heir_of: readonly string[]): string | null {
  const isSingle = task.kind === "job" && task.batch === null && !task.exclusive;
  const { devices, ports } = task.promised;
  if (!isSingle || task.member > 0 || devices.length + ports.length > 0)
    return "it is no single run with cores and memory alone";
  if (heir_of.length === 0) return "it is the heir of nobody";
  for (const uid of heir_of) {
    const before = after.tasks.get(uid);
    if (before === undefined) return `${uid} does not live`;
    if (before.node_id !== task.node_id || before.boot_id !== task.boot_id) return `${sayTask(before)} is elsewhere`;
    if (before.batch !== null || !holds(before.promised, task.promised)) return `${sayTask(before)} holds less`;
  }
  return null;
}

const holds = (more: Amounts, less: Amounts): boolean =>
  more.cpu_milli >= less.cpu_milli &&
  more.memory_bytes >= less.memory_bytes &&
  more.disk_bytes >= less.disk_bytes &&
  Object.entries(less.countables).every(([name, count]) => (more.countables[name] ?? 0) >= count);

function outOfLine(look: MomentRows, task: TaskRow): string | null {
  const { heir_of } = task;
  if (heir_of === null) return null;
  const others = (look.onNodes().get(task.node_id) ?? []).filter(
    (other) => other.uid !== task.uid && isHeir(other, look.after.tasks) && sharesOne(other, heir_of),
  );
  const beside = others.find((other) => !heir_of.includes(other.uid) && other.heir_of?.includes(task.uid) !== true);
  if (beside !== undefined) return `${sayTask(task)} and ${sayTask(beside)} are heirs of one task`;
  return others.length < HOUSE_LIMITS.heirs ? null : `${sayTask(task)} has ${others.length} other heirs beside it`;
}

const sharesOne = (other: TaskRow, heir_of: readonly string[]): boolean =>
  other.heir_of?.some((uid) => heir_of.includes(uid)) === true;
