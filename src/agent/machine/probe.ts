// The facts of this machine in the form in which they are sent. They are read once, at the start. Amounts that people
// have set take precedence.

import { join } from "node:path";
import type { NodeFacts } from "../../core/model/rows-node";
import type { Amounts } from "../../core/model/promised";
import { GIB, MIB } from "../../core/units";
import type { Taint } from "../../core/model/workload";
import type { Cgroups } from "../../os/cgroup/hierarchy";
import { hostFacts, roomIn, type HostFacts } from "../../os/facts";
import { accountOfProcess, machineFingerprint } from "../../os/machine";
import { bootId } from "../../os/proc";
import type { Machine } from "../../wire/agent";
import type { AccountMode } from "./account";

/** The share of the machine that the agent may use. An amount that is missing means all of it. */
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
  /**
   * Names that tell apart the agents of one machine: first the name that a new agent uses, then those it may have
   * joined under.
   */
  readonly share_names: readonly [string, ...string[]];
  /**
   * The fingerprint that the agent joined with. It stays as long as the machine is the same, whatever flags this start
   * was given.
   */
  readonly joined_as: string | null;
}

/**
 * Returns the memory that is left to the system and to orch itself and never promised: a sixteenth, at least 128 MiB
 * and at most 2 GiB.
 */
const reserveOf = (memory_bytes: number): number => Math.min(2 * GIB, Math.max(128 * MIB, memory_bytes / 16));

export interface Probed {
  /** The facts in the form in which they are reported to the server, without the machine's cards, which are watched. */
  readonly machine: Omit<Machine, "devices">;
  /** The other fingerprints that this machine may have joined with. */
  readonly also: readonly string[];
}

/** Reads the facts of this machine, and the fingerprints by which a server may know it. */
export async function probeMachine(options: ProbeOptions): Promise<Probed> {
  const { cgroups } = options;
  const host = await hostFacts(join(options.data, "hardware.json"));
  const facts: NodeFacts = {
    os: host.os,
    arch: host.arch,
    hostname: host.hostname,
    kernel: host.kernel,
    cpu_model: host.cpu_model,
    memory_bytes: host.memory_bytes,
    cores: host.cores,
    address: host.address,
    cgroups: cgroups.is,
    cgroups_detail: cgroups.detail,
    limits: null,
    accounts: options.accounts,
    unix_user: accountOfProcess().name,
    unable: null,
    takes_stdin: true,
    takes_arrays: true,
    takes_heirs: true,
    data: options.data,
  };
  const automatic = { os: facts.os, arch: facts.arch, hostname: facts.hostname };
  const fingerprint = fingerprintOf(host.board, options);
  // A node that joined with a name of its own is recognised also where the name is only the machine's now.
  const names = new Set([...options.share_names, (host.hostname.split(".")[0] ?? "").toLowerCase()]);
  const machine = {
    fingerprint,
    boot_id: bootId(),
    agent_version: options.version,
    facts,
    capacity: await capacityOf(options, host),
    pool: options.pool,
    labels: { ...automatic, ...options.labels },
    taints: [...options.taints],
  };
  return {
    machine,
    also: [...names].map((name) => machineFingerprint(host.board, name)).filter((one) => one !== fingerprint),
  };
}

function fingerprintOf(board: string, { share_names, joined_as }: ProbeOptions): string {
  const [first, ...others] = share_names;
  const known = others.map((name) => machineFingerprint(board, name)).find((one) => one === joined_as);
  return known ?? machineFingerprint(board, first);
}

async function capacityOf({ share, data }: ProbeOptions, host: HostFacts): Promise<Amounts> {
  const memory = host.memory_bytes;
  return {
    cpu_milli: share?.cpu_milli ?? host.cores * 1_000,
    memory_bytes: share?.memory_bytes ?? Math.floor((memory - reserveOf(memory)) / MIB) * MIB,
    disk_bytes: share?.disk_bytes ?? Math.floor(((await roomIn(data)) * 0.9) / MIB) * MIB,
    countables: share?.countables ?? {},
  };
}
