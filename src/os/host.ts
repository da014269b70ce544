// Which machine this is, for telling a copy of a directory on another machine from the original.

import { existsSync, readFileSync } from "node:fs";

/** The installation's id, or `null` where there is none (some containers): then nothing is concluded from it. */
export function machineId(): string | null {
  for (const file of ["/etc/machine-id", "/var/lib/dbus/machine-id"]) {
    const id = existsSync(file) ? readFileSync(file, "utf8").trim() : "";
    if (/^[0-9a-f]{32}$/.test(id)) return id;
  }
  return null;
}
