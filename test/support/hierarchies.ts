// The kinds of control groups that a keeper may find, made up from what this machine has.

import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Cgroups } from "../../src/os/cgroup/hierarchy";

const bare = "/sys/fs/cgroup/unified";

/** The directory of the groups of version 2 without controllers. Who uses that kind makes it. */
export const bareBaseOf = (name: string): string => join(bare, name);

/** Returns the kinds by what they are called; `here` is this machine's own. */
export function kindsOfGroups(name: string, here: Cgroups): Record<string, Cgroups> {
  const kinds: Record<string, Cgroups> = {
    "no control groups": { is: "none", detail: "made up" },
    [`this machine's own (${here.is})`]: here,
  };
  if (process.getuid?.() !== 0 || !existsSync(join(bare, "cgroup.procs"))) return kinds;
  const base = bareBaseOf(name);
  kinds["version 2 without controllers"] = {
    is: "v2",
    base,
    controllers: [],
    devices: { by: "program", mount: bare, base },
    detail: null,
  };
  if (here.is === "v1") {
    kinds["version 1 without its list of devices"] = {
      ...here,
      devices: { by: "program", mount: bare, base: join(bare, "orch", name) },
    };
  }
  return kinds;
}
