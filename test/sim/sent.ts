// Checks every verb before it travels: a stop has a valid reason, and what was written off is never started.

import type { Verb } from "../../src/core/model/record";
import type { Machine } from "./machine";
import type { Link } from "./network";
import type { World } from "./world";
import { demand } from "./violation";

interface Changes {
  readonly type: string;
  readonly changes: readonly Verb[];
}

export function checkSent(world: World, link: Link, data: string): void {
  if (!data.startsWith('{"type":"changes"')) return;
  const { changes } = JSON.parse(data) as Changes;
  const { recovering } = world.database.state.cluster;
  for (const verb of changes) {
    demand(
      recovering === null || verb.verb === "stop",
      "22: a recovering server starts nothing",
      () => `${verb.verb} to ${link.machine}`,
    );
    if (verb.verb === "stop") {
      demand(
        isOver(world, link, verb.uid),
        "I7: a stop is sent for a reason",
        () => `${verb.uid.slice(0, 6)} to ${link.machine}: ${verb.why}`,
      );
      // What has begun is not to be stopped by it.
      if (verb.unbegun !== true) world.lives.stopSent(verb.uid, verb.attempt, verb.grace_ms);
    } else if (verb.verb === "set") {
      world.lives.settingsSent(verb.uid, verb.settings);
    } else if (verb.verb === "assign") {
      const row = world.database.state.tasks.get(verb.task.uid);
      demand(
        row !== undefined && row.written_off === null,
        "17: what was given up is not started",
        () => verb.task.name,
      );
      world.assignedOn.set(verb.task.uid, world.database.state.cluster.timeline);
    }
  }
}

/**
 * Checks that the timeline which an agent follows has assigned what it begins. Of another timeline, it drops what it
 * had not begun.
 */
export function checkTimeline({ assignedOn }: World, machine: Machine, uid: string): void {
  const assigned = assignedOn.get(uid),
    followed = machine.disk.fence?.timeline;
  demand(
    assigned === undefined || followed === assigned,
    "22: what another timeline assigned is not begun",
    () => `${uid.slice(0, 6)} on ${machine.id} is of ${assigned ?? ""}, not of ${followed ?? "any"}`,
  );
}

/** Returns whether the durable rows say that this attempt must not live. */
function isOver(world: World, link: Link, uid: string): boolean {
  const { database } = world;
  const row = database.state.tasks.get(uid);
  if (row !== undefined) return row.desired === "stop";
  if (database.ended_tasks.has(uid)) return true;
  const record = world.machines.find(({ id }) => id === link.machine)?.disk.records.get(uid);
  const assignment = world.lives.of(uid)?.process.assignment ?? record?.assignment;
  const owner = assignment?.identity.owner_uid ?? world.ledger.rows.get(uid)?.owner_uid;
  if (owner !== undefined && (database.graves.has(owner) || database.ended_runs.has(owner))) return true;
  // A machine that lies gets the stop of an attempt that it has made up, once the attempt's owner is over.
  if (owner === undefined && world.faults.lie > 0 && link.machine === world.machines[0]?.id) return true;
  return [...world.nodes].some(([id, node]) => node.id === link.machine && !database.state.nodes.has(id));
}
