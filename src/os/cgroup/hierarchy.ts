// Which control groups this machine has, found out by trying: version 2, version 1 (or a hybrid), or none with the
// reason. Also where the directories of orch's groups are.

import { statfsSync } from "node:fs";
import { join } from "node:path";
import { kernelText } from "../proc";
import { tryMake, tryWrite } from "./dirs";

const CONTROLLERS = ["memory", "cpu", "pids"] as const;
export type Controller = (typeof CONTROLLERS)[number];

export type Cgroups =
  | {
      readonly is: "v2";
      readonly base: string;
      readonly controllers: readonly Controller[];
      readonly devices: DeviceKeeping | null;
      readonly detail: string | null;
    }
  /** One base directory per controller. Processes join the first before they execute. */
  | {
      readonly is: "v1";
      readonly bases: readonly Base[];
      readonly devices: DeviceKeeping | null;
      readonly detail: string | null;
    }
  | { readonly is: "none"; readonly detail: string };

/** The directory of orch in the hierarchy of a controller. */
interface Base {
  readonly controller: Controller;
  readonly mount: string;
  readonly base: string;
}

/** How device files are kept from a group's processes. Only groups that need it get a directory below `base`. */
export interface DeviceKeeping {
  readonly by: "list" | "program";
  readonly mount: string;
  readonly base: string;
}

/** The directories of one group. The first is joined before executing, the others right after. */
export type Group = readonly string[];

interface Mount {
  readonly point: string;
  readonly kind: "cgroup" | "cgroup2";
  readonly options: readonly string[];
}

function allMounts(): Mount[] {
  return (kernelText("/proc/self/mounts") ?? "")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , kind]) => kind === "cgroup" || kind === "cgroup2")
    .map(([, point, kind, options]) => ({
      point: point ?? "",
      kind: kind as Mount["kind"],
      options: (options ?? "").split(","),
    }));
}

/** Values of `f_type` from statfs(2), by kind. */
const MAGIC: Readonly<Record<Mount["kind"], number>> = { cgroup: 0x27e0eb, cgroup2: 0x63677270 };

/**
 * Returns whether what is seen at a mount point is that mount. In some containers something else is mounted over it,
 * where directories can be made that limit nothing.
 */
function isSeen({ point, kind }: Mount): boolean {
  try {
    return statfsSync(point).type === MAGIC[kind];
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    return false;
  }
}

/** Returns the mounts of control groups that can be used. */
export const mounts = (): Mount[] => allMounts().filter(isSeen);

/** Returns why there is no control group to use. */
function whyNone(): string {
  const hidden = allMounts()[0];
  return hidden === undefined
    ? "no cgroup file system is mounted"
    : `the cgroup file system at ${hidden.point} is hidden: something else is mounted over it`;
}

/** Returns the path of this process's group in a hierarchy. On some machines orch may write only below it. */
export function ownPath(controller: string): string {
  const lines = (kernelText("/proc/self/cgroup") ?? "").split("\n");
  const line = lines.find((one) => one.split(":")[1]?.split(",").includes(controller));
  return line?.split(":").slice(2).join(":") ?? "/";
}

/**
 * Makes a directory of orch in a hierarchy: at its top, so that no other group's limits apply to tasks, or else below
 * this process.
 */
function findBase(mount: string, controller: string, name: string): { base: string } | { why: string } {
  const top = join(mount, "orch", name);
  const why = tryMake(top);
  if (why === null) return { base: top };
  const below = join(mount, ownPath(controller), `orch-${name}`);
  return tryMake(below) === null ? { base: below } : { why };
}

/** Finds out what this machine offers, and makes the directories that will contain the groups named `name/…`. */
export function findCgroups(name: string): Cgroups {
  if (process.platform !== "linux") return { is: "none", detail: "only Linux has control groups" };
  const all = mounts();
  const v1 = all.filter(({ kind }) => kind === "cgroup");
  if (v1.some(({ options }) => options.includes("memory"))) return findV1(v1, name);
  const v2 = all.find(({ kind }) => kind === "cgroup2");
  return v2 === undefined ? { is: "none", detail: whyNone() } : findV2(v2.point, name);
}

function findV1(all: readonly Mount[], name: string): Cgroups {
  const bases: Base[] = [];
  const problems: string[] = [];
  for (const controller of CONTROLLERS) {
    const mount = all.find(({ options }) => options.includes(controller));
    const found = mount === undefined ? { why: "not mounted" } : findBase(mount.point, controller, name);
    if ("base" in found) bases.push({ controller, mount: mount?.point ?? "", base: found.base });
    else problems.push(`${controller}: ${found.why}`);
  }
  const detail = problems.length === 0 ? null : problems.join("; ");
  const devices = devicesIn(all, name);
  return bases.length === 0 ? { is: "none", detail: detail ?? "" } : { is: "v1", bases, devices, detail };
}

/**
 * Devices are kept away by the `devices` controller where it is mounted, or else by a program in the unified hierarchy
 * of a hybrid machine.
 */
function devicesIn(v1: readonly Mount[], name: string): DeviceKeeping | null {
  const list = v1.find(({ options }) => options.includes("devices"))?.point;
  const mount = list ?? mounts().find(({ kind }) => kind === "cgroup2")?.point;
  if (mount === undefined) return null;
  return { by: list === undefined ? "program" : "list", mount, base: join(mount, "orch", name) };
}

function findV2(mount: string, name: string): Cgroups {
  const found = findBase(mount, "", name);
  if ("why" in found) return { is: "none", detail: found.why };
  const { base } = found;
  const chain = base.startsWith(join(mount, "orch")) ? [mount, join(mount, "orch"), base] : [base];
  const missing: string[] = [];
  const controllers = CONTROLLERS.filter((controller) => {
    const whys = chain.map((dir) => tryWrite(join(dir, "cgroup.subtree_control"), `+${controller}`));
    const enabled = (kernelText(join(base, "cgroup.subtree_control")) ?? "").split(" ").includes(controller);
    if (!enabled) missing.push(`${controller}: ${whys.find((why) => why !== null) ?? "not available"}`);
    return enabled;
  });
  const devices: DeviceKeeping = { by: "program", mount, base };
  return { is: "v2", base, controllers, devices, detail: missing.length === 0 ? null : missing.join("; ") };
}

/**
 * Returns the directories that the group of this name has, or will have. `kept` says whether devices are kept from it.
 */
export const groupOf = (cgroups: Cgroups, name: string, kept: boolean): Group =>
  basesOf(cgroups, kept).map((base) => join(base, name));

export function basesOf(cgroups: Cgroups, kept: boolean): string[] {
  if (cgroups.is === "none") return [];
  const bases = cgroups.is === "v2" ? [cgroups.base] : cgroups.bases.map(({ base }) => base);
  const extra = kept ? cgroups.devices?.base : undefined;
  return extra === undefined || bases.includes(extra) ? bases : [...bases, extra];
}

/** Returns the directories of orch's groups as /proc names them. A group of the same name elsewhere is not orch's. */
export const basePaths = (cgroups: Cgroups): readonly string[] => [...new Set(basesOf(cgroups, true).map(kernelPath))];

function kernelPath(dir: string): string {
  const [, , , root = "/", point = ""] = (kernelText("/proc/self/mountinfo") ?? "")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , , , at = ""]) => dir.startsWith(`${at}/`))
    .reduce((best, one) => ((one[4]?.length ?? 0) >= (best[4]?.length ?? 0) ? one : best), [] as string[]);
  return join(root, dir.slice(point.length));
}
