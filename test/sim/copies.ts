// What people do with copies of the database: make them, restore them, and put the wrong one in place.

import { copyDatabase, type Database } from "./database";
import { later } from "./later";
import { giveUpMissing } from "./operators";
import { bootServer, crashServer, replaceDatabase } from "./processes";
import { restored } from "./restore";
import type { World } from "./world";

/** Somebody copies the database now and then, for the faults that need a copy. */
export function backUp(world: World): void {
  world.schedule.in(world.dice.troubles.int(5_000, 60_000), () => {
    if (world.server !== null && !world.wrongDatabase) world.backups.push(copyDatabase(world.database));
    if (!world.calm) backUp(world);
  });
}

/** Restores a backup with `orch restore`; sometimes on another machine, without the file that knows more. */
export function restore(world: World): void {
  const { troubles } = world.dice;
  const [oldest] = world.backups;
  if (oldest === undefined || world.wrongDatabase) return;
  crashServer(world);
  // A second copy on another machine is not restored: nothing could tell it which numbers the first one gave out.
  const elsewhere = !world.restored && troubles.chance(0.5);
  // Of a machine that is gone, often only an old copy exists.
  const copy = elsewhere && troubles.chance(0.5) ? oldest : troubles.pick(world.backups);
  if (elsewhere) world.guard = { epoch: 0, next_run: 0 };
  world.trace.note(`restore${elsewhere ? " on another machine" : ""}`);
  bringBack(world, copy, elsewhere ? null : world.database);
}

function bringBack(world: World, copy: Database, present: Database | null): void {
  const { revision, timeline: origin } = copy.state.cluster;
  const timeline = `timeline-${world.dice.troubles.hex(8)}`;
  replaceDatabase(
    world,
    restored(copyDatabase(copy), present, world.guard, timeline, 1_000_000 + world.schedule.now_ms),
    origin,
    revision,
  );
  world.trace.note(`${timeline} begins from revision ${revision}`);
  bootServer(world);
  later(world, 200_000, () => giveUpMissing(world));
}

/** Somebody puts an old copy, or nothing, in the place of the database, notices it, and puts the right one back. */
export function wrongDatabase(world: World, wrong: () => Database | null): void {
  const copy = wrong();
  if (copy === null || world.server === null || world.wrongDatabase) return;
  crashServer(world);
  const right = world.database,
    { guard } = world,
    acks = [...world.acks];
  const withGuard = world.dice.troubles.chance(0.5) || !allKnowBetter(world, copy);
  world.trace.note(`wrong database in place, ${withGuard ? "beside the guard" : "guard gone too"}`);
  if (!withGuard) world.guard = { epoch: 0, next_run: 0 };
  world.acks.length = 0;
  world.database = copy;
  world.wrongDatabase = true;
  bootServer(world);
  const back = (): void => {
    crashServer(world);
    world.trace.note("the right database is back");
    Object.assign(world, { guard, database: right, wrongDatabase: false });
    world.acks.push(...acks);
    if (!bootServer(world)) bringBack(world, right, null);
  };
  world.undo.push(back);
  later(world, 120_000, () => {
    const at = world.undo.indexOf(back);
    if (at < 0) return;
    world.undo.splice(at, 1);
    back();
  });
}

/**
 * Returns a copy of an earlier start. A copy whose next epoch no agent has passed could not be told from the right
 * database.
 */
export function olderCopy(world: World): Database | null {
  const copies = world.backups.filter(({ state }) => state.cluster.epoch + 1 < world.guard.epoch);
  const [oldest] = copies;
  return oldest === undefined ? null : copyDatabase(oldest);
}

/**
 * Returns whether every agent has seen a later start than the next one of this copy. An agent that has not would follow
 * it.
 */
function allKnowBetter(world: World, { state: { cluster } }: Database): boolean {
  return world.machines.every(
    ({ disk: { fence } }) =>
      fence !== null && (fence.cluster_id !== cluster.cluster_id || fence.epoch > cluster.epoch + 1),
  );
}
