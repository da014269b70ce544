// The agent's own admission: whatever the server has planned, the agent starts a task only when its living tasks leave
// room for it.

import { compareText } from "../canonical";
import type { Orphan } from "../model/rows-node";
import { shareOf, type Amounts, type Promised } from "../model/promised";
import type { Assignment, Seen, TaskRecord } from "../model/record";
import type { Bytes } from "../units";

/**
 * Returns whether a task still holds its promise. A task that was stopped before it began never holds anything, and one
 * that lives although its end was told holds it until it is gone.
 */
export function holds(record: TaskRecord, seen: Seen | undefined): boolean {
  if (seen === undefined || seen.process.is === "none") return false;
  return record.end === null || seen.process.is === "alive" || seen.process.is === "beginning";
}

/** Returns what a task holds: its promise, and of a batch what its places need that are not given up. */
export function heldBy({ promised, batch }: Assignment, seen: Seen | undefined): Promised {
  const places = seen?.process.is === "alive" ? seen.process.places : undefined;
  if (batch === undefined || places === undefined || places >= batch.places) return promised;
  return shareOf(promised, places, batch.places);
}

/**
 * Returns whether an heir's turn has not come: a task whose room it takes over has no end in this agent's journal. One
 * that has no record here has ended, or has never come.
 */
export const waitsForTurn = (
  { assignment: { heir_of = [] } }: TaskRecord,
  records: AdmissionInput["records"],
): boolean => heir_of.some((uid) => records.get(uid)?.end === null);

interface Room {
  cpu_milli: number;
  memory_bytes: number;
  disk_bytes: number;
  countables: Map<string, number>;
  /** Who was given something of it. */
  readonly holders: { readonly name: string; readonly promised: Promised }[];
}

const roomOf = (capacity: Amounts): Room => ({
  cpu_milli: capacity.cpu_milli,
  memory_bytes: capacity.memory_bytes,
  disk_bytes: capacity.disk_bytes,
  countables: new Map(Object.entries(capacity.countables)),
  holders: [],
});

/** How many holders are named. The others are counted. */
const NAMED_HOLDERS = 3;

/** Returns who holds an amount, those with most of it first: `recs.api.0, 12 and 3 more`. */
function holdersOf({ holders }: Room, amountOf: (promised: Promised) => number): string {
  const held = holders
    .map(({ name, promised }) => ({ name, amount: amountOf(promised) }))
    .filter(({ amount }) => amount > 0)
    .sort((a, b) => b.amount - a.amount || compareText(a.name, b.name))
    .map(({ name }) => name);
  const more = held.length - NAMED_HOLDERS;
  // A request that is larger than the node is held by nobody.
  if (held.length === 0) return "nobody: the node has less";
  return `${held.slice(0, NAMED_HOLDERS).join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function take(room: Room, busy: Map<string, number>, name: string, promised: Promised): void {
  room.holders.push({ name, promised });
  room.cpu_milli -= promised.cpu_milli;
  room.memory_bytes -= promised.memory_bytes;
  room.disk_bytes -= promised.disk_bytes;
  for (const [name, count] of Object.entries(promised.countables)) {
    room.countables.set(name, (room.countables.get(name) ?? 0) - count);
  }
  for (const device of promised.devices) {
    busy.set(device.id, device.bytes === null ? Number.POSITIVE_INFINITY : (busy.get(device.id) ?? 0) + device.bytes);
  }
}

/** Returns what `promised` lacks, as a clause (`cpu is still held by other tasks`), or null if it fits. */
function lacks(
  room: Room,
  busy: ReadonlyMap<string, number>,
  promised: Promised,
  devices: ReadonlyMap<string, AdmissionDevice>,
): string | null {
  const held = (what: string, amountOf: (one: Promised) => number): string =>
    `${what} is still held by ${holdersOf(room, amountOf)}`;
  if (promised.cpu_milli > room.cpu_milli) return held("cpu", (one) => one.cpu_milli);
  if (promised.memory_bytes > room.memory_bytes) return held("memory", (one) => one.memory_bytes);
  if (promised.disk_bytes > room.disk_bytes) return held("disk", (one) => one.disk_bytes);
  for (const [name, count] of Object.entries(promised.countables)) {
    if (count > (room.countables.get(name) ?? 0)) return held(name, (one) => one.countables[name] ?? 0);
  }
  for (const { id, bytes } of promised.devices) {
    const device = devices.get(id);
    const used = busy.get(id) ?? 0;
    if (device === undefined) return `device ${id} is not here`;
    if (bytes === null ? used > 0 : used + bytes > device.memory_bytes)
      return held(`device ${id}`, (one) => Number(one.devices.some((other) => other.id === id)));
    if (device.blocked !== null) return `device ${id} ${device.blocked}`;
  }
  return null;
}

/** A card as the agent may use it now. */
export interface AdmissionDevice {
  readonly id: string;
  readonly memory_bytes: Bytes;
  /** Why nothing new starts on the card, such as `is missing: …`, or null. */
  readonly blocked: string | null;
}

export interface AdmissionInput {
  readonly records: ReadonlyMap<string, TaskRecord>;
  readonly seen: ReadonlyMap<string, Seen>;
  readonly capacity: Amounts;
  readonly devices: readonly AdmissionDevice[];
  readonly unreadable: readonly Orphan[];
  /** Tasks with an action under way. */
  readonly busy: ReadonlySet<string>;
  /** Tasks with an earlier reservation. They come first, so that no later task takes their reservation. */
  readonly reserved: ReadonlySet<string>;
}

export interface AdmittedTasks {
  /** Accepted tasks that have room now. Their reservation stands. */
  readonly admitted: ReadonlySet<string>;
  /** What each of the other accepted tasks lacks, as a clause: `cpu is still held by other tasks`. */
  readonly lacking: ReadonlyMap<string, string>;
}

/**
 * Returns which accepted tasks have room beside everything that lives. Tasks with a reservation are examined first,
 * then the others in the order of their acceptance. An heir whose turn has not come is neither admitted nor lacks
 * anything.
 */
export function admit(input: AdmissionInput): AdmittedTasks {
  const room = roomOf(input.capacity);
  const busy = new Map<string, number>();
  const devices = new Map(input.devices.map((device) => [device.id, device]));
  const waiting: TaskRecord[] = [];
  const admitted = new Set<string>();
  for (const record of input.records.values()) {
    const { uid } = record.assignment;
    const seen = input.seen.get(uid);
    const held = holds(record, seen);
    if (record.end !== null && !held) continue;
    // The start of such a task may have been ordered. Nobody else gets its room before the outcome is known.
    const starts = input.busy.has(uid) && input.reserved.has(uid);
    if (starts) admitted.add(uid);
    if (starts || held) take(room, busy, record.assignment.name, heldBy(record.assignment, seen));
    else if (record.stop === null) waiting.push(record);
  }
  for (const orphan of input.unreadable) if (orphan.held !== null) take(room, busy, orphan.name, orphan.held);
  const first = (record: TaskRecord): number => (input.reserved.has(record.assignment.uid) ? 0 : 1);
  waiting.sort(
    (a, b) => first(a) - first(b) || a.accepted_ms - b.accepted_ms || compareText(a.assignment.uid, b.assignment.uid),
  );
  const lacking = new Map<string, string>();
  for (const record of waiting) {
    if (waitsForTurn(record, input.records)) continue;
    const what = lacks(room, busy, record.assignment.promised, devices);
    if (what !== null) {
      lacking.set(record.assignment.uid, what);
      continue;
    }
    take(room, busy, record.assignment.name, record.assignment.promised);
    admitted.add(record.assignment.uid);
  }
  return { admitted, lacking };
}
