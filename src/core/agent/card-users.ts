// Which tasks hold a card, and whose processes are seen on it.

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
  /** The task's Unix account, or null for the agent's own. */
  readonly user: string | null;
  /** The promised share of the card, or null for the whole card. */
  readonly bytes: Bytes | null;
  readonly started_ms: Ms | null;
}

/** A task that lives, or may live, with the facts that concern its cards: from the agent's records and what it sees. */
export interface CardTask extends Omit<Holder, "bytes"> {
  readonly pid: number | null;
  readonly devices: Promised["devices"];
}

/** Returns every task that holds its promise now, with or without a readable record. */
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

/** Returns the tasks that hold one card. */
export const holdersOf = (tasks: readonly CardTask[], id: string): readonly Holder[] =>
  tasks.flatMap(({ uid, name, user, started_ms, devices }) => {
    const promise = devices.find((device) => device.id === id);
    return promise === undefined ? [] : [{ uid, name, user, started_ms, bytes: promise.bytes }];
  });

/** A process on a card, and the task that it belongs to. */
export interface CardUser extends DeviceProcess {
  /**
   * When the process started: with the pid, this names one process of this boot. Null: the machine has no such process.
   */
  readonly start: string | null;
  readonly began_ms: Ms | null;
  /** The task of the process, and whether that task lives. Null: the process belongs to no task that is known here. */
  readonly task: { readonly uid: string; readonly name: string; readonly lives: boolean } | null;
}
