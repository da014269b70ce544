// The store and the driver of an agent on a simulated machine: writes take time and may be cut off by a kill, the
// keeper goes on without the agent, and the next agent finds what is on the disk.

import type { Driver } from "../../src/agent/drivers/driver";
import { ElementReader } from "../../src/agent/tasks/element-reader";
import { keptRecord, parseRecord } from "../../src/agent/tasks/records";
import type { Clocks } from "../../src/agent/tasks/moments";
import type { TaskStore } from "../../src/agent/tasks/store";
import type { Orphan } from "../../src/core/model/rows-node";
import type { Assignment, Seen, TaskRecord } from "../../src/core/model/record";
import { clocksOf } from "./clocks";
import type { Host, Owner } from "./host";
import { openJournal } from "./journal";
import type { Keeper } from "./keeper";
import { renew } from "./lease";
import { claim, look, type Machine } from "./machine";
import { DISK_FULL } from "./nodes";
import type { Random } from "./random";
import type { Schedule } from "./schedule";

export interface DriverWorld {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly host: Host;
  readonly keeper: Keeper;
  /** Checks a task that an agent is about to start, then starts it. */
  readonly starts: (machine: Machine, record: TaskRecord, start: () => void) => void;
  /** Called when an attempt that has to wait for its back-off was written down. */
  readonly waits: (machine: Machine) => void;
  /** Returns the longest time of a write. */
  readonly writeDelay: () => number;
  /** Called when a record was closed, so that the truth can be held against it. */
  readonly ended: (machine: Machine, record: TaskRecord) => void;
}

/** Carries out a write at its beginning or at its end. A kill in between finds it done or not done. */
export function slowDisk(
  { schedule, random, host, writeDelay }: DriverWorld,
  machine: Machine,
  owner: Owner,
): (what: () => void) => Promise<void> {
  return (what) =>
    new Promise((resolve) => {
      const { boot_id, disk } = machine;
      const early = random.chance(0.5);
      const longest_ms = writeDelay();
      const once = (): void => {
        if (machine.disk === disk) what();
      };
      if (early) once();
      schedule.in(random.int(0, longest_ms), () => {
        if (!early && owner.state !== "dead" && machine.boot_id === boot_id) once();
        host.enter(owner, resolve);
      });
    });
}

const STRAY_GRACE_MS = 10_000;
const START_AGAIN_MS = 1_000;

/** The store of an agent, and the driver beside it. */
export function makeTasks(
  world: DriverWorld,
  machine: Machine,
  owner: Owner,
): { readonly store: TaskStore; readonly driver: Driver } {
  let seen: Map<string, Seen> | null = null;
  const look = (): void => {
    seen = null;
  };
  const readers = readersOf(machine);
  return {
    store: makeStore(world, machine, owner, look),
    driver: makeDriver(world, machine, owner, {
      seen: () => (seen ??= lookAll(machine, world.schedule.now_ms, readers)),
      look,
      readers,
    }),
  };
}

/** The readers of the journals of batches. */
interface Readers {
  know(assignment: Assignment): ElementReader | null;
  readonly known: Map<string, ElementReader>;
}

function readersOf({ disk }: Machine): Readers {
  const known = new Map<string, ElementReader>();
  return {
    known,
    know: ({ uid, batch }) => {
      const before = known.get(uid);
      if (before !== undefined || batch === undefined) return before ?? null;
      const reader = new ElementReader(
        batch,
        openJournal(() => disk.journals.get(uid)),
      );
      known.set(uid, reader);
      reader.look();
      return reader;
    },
  };
}

/** Reads a record as an agent that starts now finds it. */
function readAgain(uid: string, kept: TaskRecord, now: Clocks): TaskRecord {
  const read = parseRecord(JSON.parse(JSON.stringify(kept)), uid, now);
  if (read.is === "bad") throw new Error(`the record of ${kept.assignment.name} is bad: ${read.why}`);
  return read.record;
}

/** Returns a function that writes records: those of one task one after the other, as the store does it. */
function inOrder(
  world: DriverWorld,
  machine: Machine,
  slowly: (what: () => void) => Promise<void>,
): TaskStore["write"] {
  const { disk } = machine;
  const last = new Map<string, Promise<void>>();
  const put = async (record: TaskRecord): Promise<void> => {
    const { uid } = record.assignment;
    await slowly(() => {
      const kept = keptRecord(record, clocksOf(machine, world.schedule.now_ms)) as unknown as TaskRecord;
      if (machine.full) machine.run.owed.set(uid, kept);
      else {
        machine.run.owed.delete(uid);
        // The journal of a batch is synced before its end is written.
        const journal = record.end === null ? undefined : disk.journals.get(uid);
        if (journal !== undefined) journal.synced = journal.text.length;
        disk.records.set(uid, kept);
      }
      if (record.end !== null) world.ended(machine, record);
      else if (machine.clocks.boot_ms + world.schedule.now_ms < record.not_before_ms) world.waits(machine);
    });
    if (record.end !== null) machine.known_ends.add(uid);
  };
  return (record) => {
    const { uid } = record.assignment;
    if (!machine.waits.has(uid)) machine.waits.set(uid, record.not_before_ms - machine.clocks.boot_ms);
    const before = last.get(uid);
    const mine = before === undefined ? put(record) : Promise.allSettled([before]).then(() => put(record));
    last.set(uid, mine);
    return mine;
  };
}

/** `changed`: a file was written that the driver looks at. */
function makeStore(world: DriverWorld, machine: Machine, owner: Owner, changed: () => void): TaskStore {
  const onDisk = slowDisk(world, machine, owner);
  const slowly = (what: () => void): Promise<void> =>
    onDisk(() => {
      what();
      changed();
    });

  const { disk } = machine;
  const found = (uid: string, kept: TaskRecord): TaskRecord =>
    readAgain(uid, kept, clocksOf(machine, world.schedule.now_ms));
  return {
    read: async () => {
      const records = new Map<string, TaskRecord>();
      for (const [uid, record] of disk.records) if (!disk.acked.has(uid)) records.set(uid, found(uid, record));
      for (const [uid, record] of machine.run.owed) records.set(uid, found(uid, record));
      machine.known_ends = new Set([...disk.records].filter(([, { end }]) => end !== null).map(([uid]) => uid));
      const stopped = [...disk.claims].filter(([uid, { by }]) => by === "stop" && !disk.records.has(uid));
      return {
        records,
        uids: [...disk.records.keys()],
        unreadable: new Set(disk.unreadable.keys()),
        stopped: new Set(stopped.map(([uid]) => uid).filter((uid) => !disk.acked.has(uid))),
      };
    },
    kept: async () =>
      [...disk.records]
        .filter(([uid]) => disk.acked.has(uid))
        .map(([uid, record]) => {
          disk.acked.delete(uid);
          return found(uid, record);
        }),
    write: inOrder(world, machine, slowly),
    owed: () => new Map([...machine.run.owed.keys()].map((uid) => [uid, { why: DISK_FULL }])),
    trouble: () => null,
    wasClaimed: (uid) => disk.claims.has(uid),
    claimStopped: async (uid) => {
      let claimed = false;
      await slowly(() => {
        claimed = claim(machine, uid, null);
        if (!disk.records.has(uid)) disk.unreadable.delete(uid);
      });
      return claimed ? "now" : disk.records.has(uid) ? "before" : "unrecorded";
    },
    tail: () => null,
    acknowledge: async (uid) => {
      // As the store does: what has not begun, and whose end is not on disk, is forgotten.
      if (machine.run.owed.delete(uid) && !disk.claims.has(uid)) disk.records.delete(uid);
      else disk.acked.add(uid);
    },
    forget: async (uid) => {
      machine.run.owed.delete(uid);
      disk.records.delete(uid);
    },
  };
}

function makeDriver(
  { schedule, host, keeper, starts }: DriverWorld,
  machine: Machine,
  owner: Owner,
  { seen, look, readers }: Pick<Driver, "seen"> & { readonly look: () => void; readonly readers: Readers },
): Driver {
  let listener: () => void = () => undefined;
  machine.changed = () => {
    look();
    host.enter(owner, () => listener());
  };
  return {
    find: async ({ records }) => {
      for (const { assignment } of records.values()) readers.know(assignment);
      return survivors(machine);
    },
    seen,
    isOrdered: () => false,
    trouble: () => null,
    silent: () => null,
    wasBegun: (uid) => machine.run.claims.has(uid),
    start: (record) =>
      new Promise((resolve, reject) => {
        if (machine.full) {
          host.enter(owner, () => setTimeout(() => reject(new Error(DISK_FULL)), START_AGAIN_MS));
          return;
        }
        starts(machine, record, () => keeper.start(machine, record.assignment, () => host.enter(owner, resolve)));
      }),
    batch: ({ assignment, end }) => {
      const reader = readers.know(assignment);
      if (reader === null) return null;
      const { results, open, only } = reader.read;
      const isClaimed = (): boolean => machine.disk.claims.has(assignment.uid);
      return { results: end === null ? results : reader.resultsAtEnd(end, isClaimed), places: open, only };
    },
    reader: (uid) => readers.known.get(uid) ?? null,
    signal: async (uid, signal) => keeper.signal(machine, uid, signal, "agent"),
    kill: async (uid) => keeper.signal(machine, uid, "KILL", "agent"),
    end: (uid) => {
      if (owner.state === "dead") return;
      keeper.signal(machine, uid, "TERM", "agent");
      host.enter(owner, () => setTimeout(() => keeper.signal(machine, uid, "KILL", "agent"), STRAY_GRACE_MS));
    },
    look,
    drop: (uid) => void readers.known.delete(uid),
    lease: (heard_ms) => renew({ schedule }, machine, heard_ms - machine.clocks.boot_ms),
    onChange: (call) => {
      listener = call;
    },
    close: () => undefined,
  };
}

function lookAll(machine: Machine, now_ms: number, { known }: Readers): Map<string, Seen> {
  const seen = new Map<string, Seen>();
  for (const uid of new Set([...machine.disk.claims.keys(), ...machine.processes.keys()])) {
    const one = look(machine, uid, clocksOf(machine, now_ms));
    if (one !== null) seen.set(uid, withPlaces(one, known.get(uid)));
  }
  return seen;
}

/** Takes in what is new in the journal of a batch. */
function withPlaces(seen: Seen, reader: ElementReader | undefined): Seen {
  const { process } = seen;
  if (reader === undefined || (process.is !== "alive" && process.is !== "ended")) return seen;
  reader.look();
  if (process.is === "ended") return seen;
  return { ...seen, process: { ...process, handle: { pid: null }, places: reader.read.open } };
}

/** Returns what still lives without a readable record, found by the notes in the system's run directory. */
function survivors(machine: Machine): Orphan[] {
  const orphans: Orphan[] = [...machine.disk.unreadable.values()];
  for (const [uid, { name, held }] of machine.run.claims) {
    const process = machine.processes.get(uid);
    if (process === undefined || machine.disk.records.has(uid) || machine.disk.unreadable.has(uid)) continue;
    orphans.push({ uid, name, pid: process.pid, held });
  }
  return orphans;
}
