// Keeps device files away from the processes of a group, and finds out whether this machine can do so.

import { mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { denyByList, denyByProgram, type DeviceNumber } from "../device-deny";
import { messageOf } from "../errors";
import { tryRemove, tryWrite } from "./dirs";
import { ownPath, type Cgroups, type Group } from "./hierarchy";

/** Denies the processes of a group the use of these devices. Throws when this machine cannot do so. */
export function keepDevices(cgroups: Cgroups, name: string, denied: readonly DeviceNumber[]): void {
  const devices = cgroups.is === "none" ? null : cgroups.devices;
  if (devices === null) throw new Error("this machine has no control groups that keep devices away");
  const dir = join(devices.base, name);
  mkdirSync(dir, { recursive: true });
  if (devices.by === "list") denyByList(dir, denied);
  else denyByProgram(dir, denied);
}

/**
 * Returns why devices cannot be kept from tasks on this machine, or null. The function tries it once with a group of
 * its own.
 */
export function deviceKeepingProblem(cgroups: Cgroups): string | null {
  const name = `try-${process.pid}`;
  try {
    // No driver has this number.
    keepDevices(cgroups, name, [{ major: 4_095, minor: 255 }]);
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    if (cgroups.is !== "none" && cgroups.devices !== null) tryRemove(join(cgroups.devices.base, name));
  }
}

/**
 * Puts this process into the directory that keeps devices away, so that the processes it starts are in there before
 * they execute. The other directories of a group can be joined later. Returns why that failed, or null if there is no
 * such directory.
 */
export function enterKept(cgroups: Cgroups, group: Group): { leave(): void } | { readonly why: string } | null {
  const devices = cgroups.is === "v1" ? cgroups.devices : null;
  const dir = group.find((one) => devices !== null && dirname(one) === devices.base);
  if (devices === null || dir === undefined) return null;
  const before = join(devices.mount, ownPath(devices.by === "list" ? "devices" : ""));
  const enter = (to: string): string | null => tryWrite(join(to, "cgroup.procs"), String(process.pid));
  const why = enter(dir);
  if (why !== null) return { why: `devices could not be kept from it: ${why}` };
  return {
    leave: () => {
      if (enter(before) !== null) enter(devices.mount);
    },
  };
}
