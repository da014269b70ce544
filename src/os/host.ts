// The identity of this machine, which tells a copy of a directory on another machine from the original.

import { existsSync, readFileSync } from "node:fs";

/**
 * Returns the installation's id, or null where there is none (in some containers). Without an id nothing is concluded.
 */
export function machineId(): string | null {
  for (const file of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    const id = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    if (/^[0-9a-f]{32}$/.test(id)) return id;
  }
  return null;
}
