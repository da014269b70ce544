// A machine, and what survives what. Processes and the keeper that supervises them belong to the machine and outlive
// the agent. Records, claims and exits are on its disk. A reboot ends every process and makes a new boot.

import type { KeyObject } from "node:crypto";
import type { Fence } from "../../src/core/agent/fence";
import type { KeptCard } from "../../src/agent/cards/kept";
import type { Device } from "../../src/core/model/device";
import type { Orphan } from "../../src/core/model/rows-node";
import type { Amounts, Promised } from "../../src/core/model/promised";
import type { TaskExit } from "../../src/core/model/end";
import type { Assignment, Seen, TaskRecord } from "../../src/core/model/record";
import { parseExit } from "../../src/agent/tasks/taskdir";
import type { Clocks } from "../../src/agent/tasks/moments";
import type { Credential } from "../../src/wire/agent";
import type { SimBatch } from "./batches";
import type { Ahead } from "./clocks";
import type { Journal } from "./journal";

/**
 * What a task of the simulator does, written as its argv: `sim exit MS CODE`, `sim forever`, and `hang` to ignore
 * signals.
 */
export interface Behaviour {
  readonly lives_ms: number | null;
  readonly code: number;
  readonly hangs: boolean;
}

export function behaviourOf(assignment: Assignment): Behaviour {
  const argv = assignment.command.kind === "argv" ? assignment.command.argv : [];
  const lives = argv[1] === "exit" ? Number(argv[2]) : null;
  return { lives_ms: lives, code: argv[1] === "exit" ? Number(argv[3]) : 0, hangs: argv.includes("hang") };
}

export interface Process {
  readonly uid: string;
  readonly assignment: Assignment;
  readonly pid: number;
  readonly started_ms: number;
  readonly behaviour: Behaviour;
  /** The signals that the process got, and from whom: the truth about why it ended. */
  /** Whether a keeper is its parent and will write down how it ends. It has none after its keeper has died. */
  kept: boolean;
  /** The elements of a batch. */
  batch: SimBatch | null;
  readonly signals: { readonly signal: string; readonly by: "agent" | "lease"; readonly at_ms: number }[];
}

export type Exit = Omit<TaskExit, "peak_memory_bytes" | "oom" | "left">;

export interface Identity {
  readonly credential: Credential;
  readonly key: KeyObject;
}

/** The content of the agent's data directory. */
export interface Disk {
  identity: Identity | null;
  fence: Fence | null;
  /** Whether nothing was ever applied on this disk. */
  fresh: boolean;
  /** The records as they are kept: their moments are wall times, with the clock by which they are to be read. */
  records: Map<string, TaskRecord>;
  claims: Map<string, { readonly boot_id: string; readonly by: "start" | "stop" }>;
  exits: Map<string, { readonly boot_id: string; readonly told: unknown }>;
  /** The journals of batches. */
  journals: Map<string, Journal>;
  /** Ended tasks whose commit was acknowledged. They are kept, and no longer listed. */
  acked: Set<string>;
  unreadable: Map<string, Orphan>;
  /** What the agent wrote down of its cards. */
  cards: { readonly boot_id: string; readonly cards: readonly KeptCard[] };
}

/** What an ended task has left on a card: memory alone, or a process that can be killed. */
export interface Remain {
  /** The card. */
  readonly id: string;
  readonly uid: string;
  readonly name: string;
  readonly pid: number;
  readonly bytes: number;
  readonly killable: boolean;
}

export interface Machine {
  readonly id: string;
  capacity: Amounts;
  devices: readonly Device[];
  /** The kernel's version. It changes with some reboots; the node has to be tested again then. */
  kernel: string;
  readonly memory_bytes: number;
  readonly pool: string;
  /** The directories in which tasks want to begin, as far as they are there. */
  readonly directories: Set<string>;
  boot_id: string;
  boots: number;
  readonly clocks: Ahead;
  /** How often its keeper has died. */
  deaths: number;
  power: "on" | "off" | "dead";
  disk: Disk;
  readonly processes: Map<string, Process>;
  remains: readonly Remain[];
  /** Tasks whose end the running agent knows to be on its disk. */
  known_ends: Set<string>;
  /** The content of the system's run directory. It is lost with a reboot, but not with the data directory. */
  run: {
    /** The claims of this boot, and what they hold. */
    claims: Map<string, { readonly name: string; readonly held: Promised }>;
    /** When the newest answered heartbeat was sent, as far as each enforcer knows. Leases count from then. */
    heard: Record<"keeper" | "guard", number | null>;
    /** The same as the agent has told it to the keeper, which may hang. */
    told_ms: number | null;
    /** What each enforcer has done because of leases. */
    enforced: Record<"keeper" | "guard", Enforced>;
    /** The records that a full disk did not take. */
    owed: Map<string, TaskRecord>;
  };
  /** Tasks whose only record was owed by a full disk when the machine went down. */
  readonly unwritten: Set<string>;
  /** Whether the disk of the data directory takes nothing more. Claims and exits fit into blocks that it has. */
  full: boolean;
  /** Until when keeper, guard and disk hang. A hanging disk holds whoever writes to it. */
  readonly hangs: Record<"keeper" | "guard" | "disk", number>;
  /** Tasks that the living keeper has claimed and whose process has not begun yet. */
  readonly starting: Set<string>;
  /** Until when each attempt waits for its back-off, whatever the clocks show. */
  readonly waits: Map<string, number>;
  /** Called whenever a claim, a process or an exit changes. */
  changed: () => void;
}

/** Until when each end counts as one by its lease, and of which ends that was said. */
interface Enforced {
  readonly asked: Map<string, number>;
  readonly said: Set<string>;
}

/** The run directory of a machine that has just booted, and what its keeper and guard know. */
export const freshRun = (): Machine["run"] => ({
  claims: new Map(),
  told_ms: null,
  heard: { keeper: null, guard: null },
  enforced: { keeper: { asked: new Map(), said: new Set() }, guard: { asked: new Map(), said: new Set() } },
  owed: new Map(),
});

export interface Watcher {
  /** Called when a keeper has claimed a task. From then on it has begun. */
  claimed(machine: Machine, uid: string): void;
  started(machine: Machine, process: Process): void;
  ended(machine: Machine, process: Process, exit: Exit): void;
  signalled(machine: Machine, process: Process, signal: string, by: "agent" | "lease"): void;
}

export const freshDisk = (): Disk => ({
  identity: null,
  fence: null,
  fresh: true,
  records: new Map(),
  claims: new Map(),
  exits: new Map(),
  journals: new Map(),
  acked: new Set(),
  unreadable: new Map(),
  cards: { boot_id: "", cards: [] },
});

/** Makes room on a disk. What it did not take is written. */
export function makeRoom(machine: Machine): void {
  machine.full = false;
  for (const [uid, record] of machine.run.owed) machine.disk.records.set(uid, record);
  machine.run.owed.clear();
}

/** Creates a claim exclusively. This one moment decides whether an attempt executes. */
export function claim(machine: Machine, uid: string, started: Assignment | null): boolean {
  if (isClaimed(machine, uid)) return false;
  machine.disk.claims.set(uid, { boot_id: machine.boot_id, by: started === null ? "stop" : "start" });
  if (started !== null) machine.run.claims.set(uid, { name: started.name, held: started.promised });
  return true;
}

export const isClaimed = (machine: Machine, uid: string): boolean =>
  machine.disk.claims.has(uid) || machine.run.claims.has(uid);

/** Returns what the driver sees of a task, from its claim, its process and its exit on disk. */
export function look(machine: Machine, uid: string, now: Clocks): Seen | null {
  if (machine.starting.has(uid)) return null;
  const process = machine.processes.get(uid);
  if (process !== undefined) {
    const started_ms = process.started_ms + machine.clocks.boot_ms;
    return { claimed: true, process: { is: "alive", handle: { pid: process.pid }, started_ms } };
  }
  const kept = machine.disk.exits.get(uid);
  const exit = kept === undefined ? null : parseExit(kept.told, kept, now);
  if (exit !== null) return { claimed: true, process: { is: "ended", ...exit } };
  const claimed = machine.disk.claims.get(uid);
  if (claimed === undefined) return null;
  if (claimed.by === "stop") return { claimed: true, process: { is: "none" } };
  const rebooted = claimed.boot_id !== machine.boot_id;
  const why = rebooted ? "the machine rebooted while it ran" : "its keeper died before it could say how it ended";
  return { claimed: true, process: { is: "vanished", rebooted, why } };
}
