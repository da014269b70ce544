// Control groups: what keeps a task's processes together, bounds their memory, weighs their cpu and ends them all.
// Found out by trying: v2, v1 (hybrid), or none with the reason.

import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { denyByList, denyByProgram, type DeviceNumber } from "./device-deny";
import { messageOf } from "./errors";
import { kernelText } from "./proc";

const CONTROLLERS = ["memory", "cpu", "pids"] as const;
type Controller = (typeof CONTROLLERS)[number];

export type Cgroups =
  | {
      readonly is: "v2";
      readonly base: string;
      readonly controllers: readonly Controller[];
      readonly devices: DeviceKeeping | null;
      readonly detail: string | null;
    }
  /** One base directory a controller; processes join the first before they execute. */
  | {
      readonly is: "v1";
      readonly bases: readonly { readonly controller: Controller; readonly base: string }[];
      readonly devices: DeviceKeeping | null;
      readonly detail: string | null;
    }
  | { readonly is: "none"; readonly detail: string };

/** How device files are kept from a group's processes. Its directories are made for groups that need it alone. */
export interface DeviceKeeping {
  readonly by: "list" | "program";
  readonly mount: string;
  readonly base: string;
}

export interface GroupLimits {
  readonly cpu_milli: number;
  /** `null`: counted only. */
  readonly memory_bytes: number | null;
  readonly pids: number;
}

/** Directories of one group; the first is joined before executing, the others are written to right after. */
export type Group = readonly string[];

/** Writes a kernel file; gives back why it could not. */
function tryWrite(path: string, text: string): string | null {
  try {
    writeFileSync(path, text);
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

function tryMake(path: string): string | null {
  try {
    mkdirSync(path, { recursive: true });
    return null;
  } catch (error) {
    return messageOf(error);
  }
}

interface Mount {
  readonly point: string;
  readonly kind: "cgroup" | "cgroup2";
  readonly options: readonly string[];
}

function mounts(): Mount[] {
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

/** Where this process is in a hierarchy, for machines where only a part of it is ours. */
function ownPath(controller: string): string {
  const lines = (kernelText("/proc/self/cgroup") ?? "").split("\n");
  const line = lines.find((one) => one.split(":")[1]?.split(",").includes(controller));
  return line?.split(":").slice(2).join(":") ?? "/";
}

/** A directory of ours in a hierarchy: at its top, so that nobody's limits hold for tasks, else below this process. */
function findBase(mount: string, controller: string, name: string): { base: string } | { why: string } {
  const top = join(mount, "orch", name);
  const why = tryMake(top);
  if (why === null) return { base: top };
  const below = join(mount, ownPath(controller), `orch-${name}`);
  return tryMake(below) === null ? { base: below } : { why };
}

/** Finds out what this machine offers, and makes the directories that groups named `name/…` go into. */
export function findCgroups(name: string): Cgroups {
  if (process.platform !== "linux") return { is: "none", detail: "only Linux has control groups" };
  const all = mounts();
  const v1 = all.filter(({ kind }) => kind === "cgroup");
  if (v1.some(({ options }) => options.includes("memory"))) return findV1(v1, name);
  const v2 = all.find(({ kind }) => kind === "cgroup2");
  return v2 === undefined ? { is: "none", detail: "no cgroup file system is mounted" } : findV2(v2.point, name);
}

function findV1(all: readonly Mount[], name: string): Cgroups {
  const bases: { controller: Controller; base: string }[] = [];
  const problems: string[] = [];
  for (const controller of CONTROLLERS) {
    const mount = all.find(({ options }) => options.includes(controller));
    const found = mount === undefined ? { why: "not mounted" } : findBase(mount.point, controller, name);
    if ("base" in found) bases.push({ controller, base: found.base });
    else problems.push(`${controller}: ${found.why}`);
  }
  const detail = problems.length === 0 ? null : problems.join("; ");
  const devices = devicesIn(all, name);
  return bases.length === 0 ? { is: "none", detail: detail ?? "" } : { is: "v1", bases, devices, detail };
}

/** The list where it is mounted, else a program in the unified hierarchy of a hybrid machine. */
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

/** Shares of v1 are thousandths of a core in 1024ths; weights of v2 follow the kernel's own conversion. */
const sharesOf = (cpu_milli: number): number => Math.min(262_144, Math.max(2, Math.round((cpu_milli * 1024) / 1000)));
const weightOf = (cpu_milli: number): number => 1 + Math.floor(((sharesOf(cpu_milli) - 2) * 9_999) / 262_142);

/** The directories that the group of this name has, or will have. `kept`: devices are kept from it. */
export const groupOf = (cgroups: Cgroups, name: string, kept: boolean): Group =>
  basesOf(cgroups, kept).map((base) => join(base, name));

function basesOf(cgroups: Cgroups, kept: boolean): string[] {
  if (cgroups.is === "none") return [];
  const bases = cgroups.is === "v2" ? [cgroups.base] : cgroups.bases.map(({ base }) => base);
  const extra = kept ? cgroups.devices?.base : undefined;
  return extra === undefined || bases.includes(extra) ? bases : [...bases, extra];
}

/** What /proc calls the directories that groups are in: a group of that name elsewhere is not ours. */
export const basePaths = (cgroups: Cgroups): readonly string[] => [...new Set(basesOf(cgroups, true).map(kernelPath))];

function kernelPath(dir: string): string {
  const [, , , root = "/", point = ""] = (kernelText("/proc/self/mountinfo") ?? "")
    .split("\n")
    .map((line) => line.split(" "))
    .filter(([, , , , at = ""]) => dir.startsWith(`${at}/`))
    .reduce((best, one) => ((one[4]?.length ?? 0) >= (best[4]?.length ?? 0) ? one : best), [] as string[]);
  return join(root, dir.slice(point.length));
}

/** Makes the group of one task. Throws when a limit that was asked for cannot be set. */
export function makeGroup(
  cgroups: Cgroups,
  name: string,
  limits: GroupLimits,
  denied: readonly DeviceNumber[] = [],
): Group {
  const group = groupOf(cgroups, name, denied.length > 0);
  basesOf(cgroups, false).forEach((base, i) => {
    const dir = join(base, name);
    mkdirSync(dir);
    if (cgroups.is === "v2") limitV2(dir, cgroups.controllers, limits);
    else if (cgroups.is === "v1") limitV1(dir, cgroups.bases[i]?.controller ?? "cpu", limits);
  });
  if (denied.length > 0) keepDevices(cgroups, name, denied);
  return group;
}

function keepDevices(cgroups: Cgroups, name: string, denied: readonly DeviceNumber[]): void {
  const devices = cgroups.is === "none" ? null : cgroups.devices;
  if (devices === null) throw new Error("this machine has no control groups that keep devices away");
  const dir = join(devices.base, name);
  mkdirSync(dir, { recursive: true });
  if (devices.by === "list") denyByList(dir, denied);
  else denyByProgram(dir, denied);
}

/** Why devices cannot be kept from tasks on this machine; `null`: they can. Found out by doing it once. */
export function deviceKeepingProblem(cgroups: Cgroups): string | null {
  const name = `try-${process.pid}`;
  try {
    // A number that no driver has.
    keepDevices(cgroups, name, [{ major: 4_095, minor: 255 }]);
    return null;
  } catch (error) {
    return messageOf(error);
  } finally {
    if (cgroups.is !== "none" && cgroups.devices !== null) tryRemove(join(cgroups.devices.base, name));
  }
}

/**
 * Puts this process into the directory that keeps devices away, so that what it starts is in there before it executes;
 * the other directories of a group can be joined in other ways. `null`: there is nothing to enter.
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

function limitV1(dir: string, controller: Controller, limits: GroupLimits): void {
  if (controller === "cpu") writeFileSync(join(dir, "cpu.shares"), String(sharesOf(limits.cpu_milli)));
  else if (controller === "pids") writeFileSync(join(dir, "pids.max"), String(limits.pids));
  else if (limits.memory_bytes !== null) {
    writeFileSync(join(dir, "memory.limit_in_bytes"), String(limits.memory_bytes));
    const swap = join(dir, "memory.memsw.limit_in_bytes");
    if (existsSync(swap)) tryWrite(swap, String(limits.memory_bytes));
  }
}

function limitV2(dir: string, controllers: readonly Controller[], limits: GroupLimits): void {
  if (controllers.includes("cpu")) writeFileSync(join(dir, "cpu.weight"), String(weightOf(limits.cpu_milli)));
  if (controllers.includes("pids")) writeFileSync(join(dir, "pids.max"), String(limits.pids));
  if (!controllers.includes("memory")) return;
  writeFileSync(join(dir, "memory.oom.group"), "1");
  if (limits.memory_bytes === null) return;
  writeFileSync(join(dir, "memory.max"), String(limits.memory_bytes));
  tryWrite(join(dir, "memory.swap.max"), "0");
}

/** Puts a process into the directories of a group that it did not join before executing. */
export function joinRest(group: Group, pid: number): void {
  // A process that is gone by now needs no group.
  for (const dir of group.slice(1)) tryWrite(join(dir, "cgroup.procs"), String(pid));
}

/** Every directory below, deepest first: a task that is root may have made groups of its own. */
function below(dir: string): string[] {
  const inner = existsSync(dir) ? readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory()) : [];
  return [...inner.flatMap(({ name }) => below(join(dir, name))), dir];
}

function pidsIn(dir: string): number[] {
  const text = kernelText(join(dir, "cgroup.procs"));
  return text === null || text === "" ? [] : text.split("\n").map(Number);
}

/** Processes that are in the group now. */
export function membersOf(group: Group): number[] {
  const dir = group[0];
  return dir === undefined ? [] : pidsIn(dir);
}

/** Sends SIGKILL to everything in the group, and gives back how many there were. Repeat until there are none. */
export function killGroup(group: Group): number {
  const dir = group[0];
  if (dir === undefined) return 0;
  const pids = below(dir).flatMap(pidsIn);
  if (pids.length === 0 || tryWrite(join(dir, "cgroup.kill"), "1") === null) return pids.length;
  // No more forks, so that a task that multiplies is outrun.
  for (const one of group) if (existsSync(join(one, "pids.max"))) tryWrite(join(one, "pids.max"), "1");
  for (const pid of pids) {
    try {
      process.kill(pid, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
    }
  }
  return pids.length;
}

export interface MemoryFacts {
  readonly peak_bytes: number | null;
  /** Processes of the group that the kernel killed for want of memory. */
  readonly oom_kills: number;
}

/** What the group used at most, and whether it was killed for it; read before the group is removed. */
export function memoryFacts(group: Group): MemoryFacts {
  const dir = group[0];
  if (dir === undefined) return { peak_bytes: null, oom_kills: 0 };
  const v1 = kernelText(join(dir, "memory.max_usage_in_bytes"));
  const peak = v1 ?? kernelText(join(dir, "memory.peak"));
  const events = kernelText(join(dir, v1 === null ? "memory.events" : "memory.oom_control")) ?? "";
  const kills = /^oom_kill (\d+)$/m.exec(events)?.[1] ?? "0";
  return { peak_bytes: peak === null ? null : Number(peak), oom_kills: Number(kills) };
}

function tryRemove(dir: string): boolean {
  try {
    rmdirSync(dir);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT";
  }
}

/** Removes an empty group; `false` while something still keeps it. */
export function removeGroup(group: Group): boolean {
  const removed = group.map((dir) => tryRemove(dir) || below(dir).map(tryRemove).at(-1) === true);
  return removed.every(Boolean);
}

/** Where keepers move to, so that a service manager does not end them with the agent; `null`: nowhere. */
function keeperMount(cgroups: Cgroups): { mount: string; parent: string; controller: string } | null {
  const all = mounts();
  const systemd = all.find(({ options }) => options.includes("name=systemd"))?.point;
  const v2 = all.find(({ kind }) => kind === "cgroup2")?.point;
  if (cgroups.is === "v2") return v2 === undefined ? null : { mount: v2, parent: cgroups.base, controller: "" };
  if (cgroups.is === "none" || systemd === undefined) return null;
  return { mount: systemd, parent: join(systemd, "orch"), controller: "name=systemd" };
}

const keeperGroup = (name: string): string => `keeper-${name}`;

/** Removes groups that a killed machine left, unless something lives in them. Only while nobody makes new ones. */
export function removeLeftGroups(cgroups: Cgroups, name: string): void {
  for (const base of basesOf(cgroups, true)) for (const dir of below(base)) if (dir !== base) tryRemove(dir);
  removeLeftKeepers(cgroups, name);
}

/** Removes the groups of keepers that were killed. */
export function removeLeftKeepers(cgroups: Cgroups, name: string): void {
  const keepers = keeperMount(cgroups)?.parent;
  if (keepers === undefined || !existsSync(keepers)) return;
  for (const one of readdirSync(keepers)) if (one.startsWith(keeperGroup(name))) tryRemove(join(keepers, one));
}

/** Removes the directories of `findCgroups` where nothing is left in them. */
export function removeBases(cgroups: Cgroups): void {
  const keepers = keeperMount(cgroups)?.parent;
  for (const base of [...basesOf(cgroups, true), ...(keepers === undefined ? [] : [keepers])]) {
    tryRemove(base);
    if (basename(dirname(base)) === "orch") tryRemove(dirname(base));
  }
}

/**
 * Moves this process out of the group that its service manager would end with the agent: on v2 next to the tasks'
 * groups, on v1 within systemd's own hierarchy. `back` undoes it; `null` when it stays where it is.
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
