// The agent's own admission: whatever the server has planned, the agent starts a task only when its living tasks leave
// room for it.

import { compareText } from "../canonical";
import type { Orphan } from "../model/rows-node";
import type { Amounts, Promised } from "../model/promised";
import type { Seen, TaskRecord } from "../model/record";
import type { Bytes } from "../units";

/** Returns whether a task still holds its promise. A task that was stopped before it began never holds anything. */
export function holds(record: TaskRecord, seen: Seen | undefined): boolean {
  return record.end === null && seen !== undefined && seen.process.is !== "none";
}

interface Room {
  cpu_milli: number;
  memory_bytes: number;
  disk_bytes: number;
  countables: Map<string, number>;
}

const roomOf = (capacity: Amounts): Room => ({
  cpu_milli: capacity.cpu_milli,
  memory_bytes: capacity.memory_bytes,
  disk_bytes: capacity.disk_bytes,
  countables: new Map(Object.entries(capacity.countables)),
});

function take(room: Room, busy: Map<string, number>, promised: Promised): void {
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
  const held = (what: string): string => `${what} is still held by other tasks`;
  if (promised.cpu_milli > room.cpu_milli) return held("cpu");
  if (promised.memory_bytes > room.memory_bytes) return held("memory");
  if (promised.disk_bytes > room.disk_bytes) return held("disk");
  for (const [name, count] of Object.entries(promised.countables)) {
    if (count > (room.countables.get(name) ?? 0)) return held(name);
  }
  for (const { id, bytes } of promised.devices) {
    const device = devices.get(id);
    const used = busy.get(id) ?? 0;
    if (device === undefined) return `device ${id} is not here`;
    if (bytes === null ? used > 0 : used + bytes > device.memory_bytes) return held(`device ${id}`);
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
 * then the others in the order of their acceptance.
 */
export function admit(input: AdmissionInput): AdmittedTasks {
  const room = roomOf(input.capacity);
  const busy = new Map<string, number>();
  const devices = new Map(input.devices.map((device) => [device.id, device]));
  const waiting: TaskRecord[] = [];
  const admitted = new Set<string>();
  for (const record of input.records.values()) {
    if (record.end !== null) continue;
    const { uid } = record.assignment;
    // The start of such a task may have been ordered. Nobody else gets its room before the outcome is known.
    const starts = input.busy.has(uid) && input.reserved.has(uid);
    if (starts) admitted.add(uid);
    if (starts || holds(record, input.seen.get(uid))) take(room, busy, record.assignment.promised);
    else if (record.stop === null) waiting.push(record);
  }
  for (const orphan of input.unreadable) if (orphan.held !== null) take(room, busy, orphan.held);
  const first = (record: TaskRecord): number => (input.reserved.has(record.assignment.uid) ? 0 : 1);
  waiting.sort(
    (a, b) => first(a) - first(b) || a.accepted_ms - b.accepted_ms || compareText(a.assignment.uid, b.assignment.uid),
  );
  const lacking = new Map<string, string>();
  for (const record of waiting) {
    const what = lacks(room, busy, record.assignment.promised, devices);
    if (what !== null) {
      lacking.set(record.assignment.uid, what);
      continue;
    }
    take(room, busy, record.assignment.promised);
    admitted.add(record.assignment.uid);
  }
  return { admitted, lacking };
}
