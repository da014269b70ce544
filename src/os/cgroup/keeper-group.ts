// Groups of keepers, outside the group that a service manager ends with the agent, and the removal of groups that were
// left behind.

import { existsSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { below, tryMake, tryRemove, tryWrite } from "./dirs";
import { basesOf, findCgroups, mounts, ownPath, type Cgroups } from "./hierarchy";

/**
 * Returns where keepers move to, so that a service manager does not end them with the agent; or null if there is no
 * such place.
 */
function keeperMount(cgroups: Cgroups): { mount: string; parent: string; controller: string } | null {
  const all = mounts();
  const systemd = all.find(({ options }) => options.includes("name=systemd"))?.point;
  const v2 = all.find(({ kind }) => kind === "cgroup2")?.point;
  if (cgroups.is === "v2") return v2 === undefined ? null : { mount: v2, parent: cgroups.base, controller: "" };
  if (cgroups.is === "none" || systemd === undefined) return null;
  return { mount: systemd, parent: join(systemd, "orch"), controller: "name=systemd" };
}

const keeperGroup = (name: string): string => `keeper-${name}`;

/**
 * Removes the groups that a killed machine or keeper has left, except those with processes in them. Must not run while
 * a keeper lives, since it could be making more.
 */
export function removeLeftGroups(name: string): void {
  const cgroups = findCgroups(name);
  for (const base of basesOf(cgroups, true)) for (const dir of below(base)) if (dir !== base) tryRemove(dir);
  removeLeftKeepers(cgroups, name);
  removeBases(cgroups);
}

/** Removes the empty groups of keepers that were killed. */
export function removeLeftKeepers(cgroups: Cgroups, name: string): void {
  const keepers = keeperMount(cgroups)?.parent;
  if (keepers === undefined || !existsSync(keepers)) return;
  for (const one of readdirSync(keepers)) if (one.startsWith(keeperGroup(name))) tryRemove(join(keepers, one));
}

/** Removes the directories that `findCgroups` made, as far as they are empty. */
export function removeBases(cgroups: Cgroups): void {
  const keepers = keeperMount(cgroups)?.parent;
  for (const base of [...basesOf(cgroups, true), ...(keepers === undefined ? [] : [keepers])]) {
    tryRemove(base);
    if (basename(dirname(base)) === "orch") tryRemove(dirname(base));
  }
}

/**
 * Moves this process out of the group that its service manager ends with the agent: on version 2 next to the tasks'
 * groups, on version 1 within systemd's own hierarchy. `back` undoes it. Returns null if the process stays where it is.
 */
export function leaveService(cgroups: Cgroups, name: string): { back(): void } | null {
  const to = keeperMount(cgroups);
  if (to === null) return null;
  const before = join(to.mount, ownPath(to.controller));
  const dir = join(to.parent, `${keeperGroup(name)}-${process.pid}`);
  if (tryMake(dir) !== null || tryWrite(join(dir, "cgroup.procs"), String(process.pid)) !== null) return null;
  return {
    back: () => {
      tryWrite(join(before, "cgroup.procs"), String(process.pid));
      tryRemove(dir);
    },
  };
}
