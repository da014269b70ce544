// Who holds a card, and whose processes are seen on it.

import { holds } from "./admit";
import type { DeviceProcess } from "../model/device";
import type { Orphan } from "../model/rows-node";
import type { Promised } from "../model/promised";
import type { Seen, TaskRecord } from "../model/record";
import type { Bytes, Ms } from "../units";

/** A task that holds a card or a share of it, or held it until now. */
export interface Holder {
  readonly uid: string;
  readonly name: string;
  /** Its Unix account; `null`: the agent's own. */
  readonly user: string | null;
  /** The share it was promised; `null`: all of the card. */
  readonly bytes: Bytes | null;
  readonly started_ms: Ms | null;
}

/** A task that lives, or may: what an agent's records and eyes say of it, as far as cards go. */
export interface CardTask extends Omit<Holder, "bytes"> {
  readonly pid: number | null;
  readonly devices: Promised["devices"];
}

/** Everything that holds its promise now, with and without a readable record. */
export function cardTasks(
  records: ReadonlyMap<string, TaskRecord>,
  seenOf: ReadonlyMap<string, Seen>,
  unreadable: readonly Orphan[],
): readonly CardTask[] {
  const tasks: CardTask[] = unreadable.map(({ uid, name, pid, held }) => ({
    uid,
    name,
    pid,
    user: null,
    started_ms: null,
    devices: held?.devices ?? [],
  }));
  for (const record of records.values()) {
    const { uid, name, unix_user: user, promised } = record.assignment;
    const known = seenOf.get(uid);
    if (!holds(record, known)) continue;
    const alive = known?.process.is === "alive" ? known.process : null;
    const started_ms = alive?.started_ms ?? null;
    tasks.push({ uid, name, user, started_ms, pid: alive?.handle.pid ?? null, devices: promised.devices });
  }
  return tasks;
}

/** The tasks that hold one card. */
export const holdersOf = (tasks: readonly CardTask[], id: string): readonly Holder[] =>
  tasks.flatMap(({ uid, name, user, started_ms, devices }) => {
    const promise = devices.find((device) => device.id === id);
    return promise === undefined ? [] : [{ uid, name, user, started_ms, bytes: promise.bytes }];
  });

/** A process on a card, and what is known of whose it is. */
export interface CardUser extends DeviceProcess {
  /** With the pid it names one process of this boot; `null`: the machine has no such process. */
  readonly start: string | null;
  readonly began_ms: Ms | null;
  /** The task that it belongs to, and whether that lives; `null`: it is of no task that is known here. */
  readonly task: { readonly uid: string; readonly name: string; readonly lives: boolean } | null;
}
