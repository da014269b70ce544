// Keeps device files away from the processes of a group, and finds out whether this machine can do so.

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { denyByList, denyByProgram, type DeviceNumber } from "../device-deny";
import { messageOf } from "../errors";
import { tryRemove } from "./dirs";
import type { Cgroups } from "./hierarchy";

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
