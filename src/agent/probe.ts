// What this machine is and has: asked once at the start, in the words of the wire. Shares given by people come first.

import { arch, cpus, hostname, networkInterfaces, platform, release, totalmem } from "node:os";
import { statfs } from "node:fs/promises";
import si from "systeminformation";
import type { Amounts, Device, NodeFacts } from "../core/model";
import { GIB, MIB } from "../core/units";
import type { Taint } from "../core/workload";
import type { Cgroups } from "../os/cgroup";
import { accountOfProcess, machineFingerprint } from "../os/machine";
import { bootId } from "../os/proc";
import type { Machine } from "../wire/agent";
import type { AccountMode } from "./account";

/** A share of the machine; what is not named is all there is. */
export interface Share {
  readonly cpu_milli?: number;
  readonly memory_bytes?: number;
  readonly disk_bytes?: number;
  readonly countables?: Record<string, number>;
}

export interface ProbeOptions {
  readonly data: string;
  readonly version: string;
  readonly cgroups: Cgroups;
  readonly accounts: AccountMode;
  readonly pool: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  readonly share: Share | null;
  /** Tells apart the agents of one machine. */
  readonly share_name: string;
  readonly devices: readonly Device[];
}

const OS: Readonly<Record<string, string>> = { linux: "linux", darwin: "darwin", win32: "windows" };
const ARCH: Readonly<Record<string, string>> = { x64: "amd64", arm64: "arm64" };
/** Left to the system and to orch itself, never promised: a sixteenth, at most 2 GiB. */
const reserveOf = (memory_bytes: number): number => Math.min(2 * GIB, Math.max(128 * MIB, memory_bytes / 16));

/** The machine as the server shall know it. */
export async function probeMachine(options: ProbeOptions): Promise<Machine> {
  const { cgroups, devices } = options;
  const [system, cpu] = await Promise.all([si.system(), si.cpu()]);
  const facts: NodeFacts = {
    os: OS[platform()] ?? platform(), arch: ARCH[arch()] ?? arch(), hostname: hostname(), kernel: release(),
    cpu_model: `${cpu.manufacturer} ${cpu.brand}`.trim(), address: firstAddress(), cgroups: cgroups.is,
    cgroups_detail: cgroups.detail, accounts: options.accounts, unix_user: accountOfProcess().name,
  };
  const automatic = { os: facts.os, arch: facts.arch, hostname: facts.hostname };
  return {
    fingerprint: machineFingerprint(`${system.uuid} ${system.serial}`, options.share_name), boot_id: bootId(),
    agent_version: options.version, facts, capacity: await capacityOf(options), devices: [...devices],
    pool: options.pool, labels: { ...automatic, ...options.labels }, taints: [...options.taints],
  };
}

async function capacityOf({ share, data }: ProbeOptions): Promise<Amounts> {
  const disk = await statfs(data);
  const memory = totalmem();
  return {
    cpu_milli: share?.cpu_milli ?? cpus().length * 1_000,
    memory_bytes: share?.memory_bytes ?? Math.floor((memory - reserveOf(memory)) / MIB) * MIB,
    disk_bytes: share?.disk_bytes ?? Math.floor((disk.bavail * disk.bsize * 0.9) / MIB) * MIB,
    countables: share?.countables ?? {},
  };
}

/** The address that others reach this machine under: the first that is neither loopback nor link-local. */
function firstAddress(): string | null {
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { internal, family, address } of addresses ?? []) {
      if (!internal && family === "IPv4" && !address.startsWith("169.254.")) return address;
    }
  }
  return null;
}
