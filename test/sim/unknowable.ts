// Which ends nobody can know: those of tasks whose record, claim, disk or keeper the world has taken away, also with
// a full disk's machine, and those by
// an order that went with the database.

import type { TaskRow } from "../../src/core/model/rows-task";
import type { World } from "./world";

export function isUnknowable(world: World, { uid, node_id, assigned_revision }: TaskRow): boolean {
  if (world.unknowable.has(uid)) return true;
  const machine = world.nodes.get(node_id);
  if (machine === undefined) return false;
  if (machine.unwritten.has(uid)) return true;
  // Who ordered the stop, and what for, is not in an older copy.
  if (world.restored && machine.disk.records.get(uid)?.end?.state === "stopped") return true;
  if (!world.lostDisks.has(machine.id)) return false;
  // What was assigned before the disk was new may have been on the one before. Revisions of two timelines say nothing.
  const { fence } = machine.disk;
  return fence === null || world.restored || assigned_revision <= fence.since;
}
