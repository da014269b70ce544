// The messages between agent and keeper, one JSON object a line. A keeper may be older than its agent, so fields are
// only added, and a message that is not understood is reported and dropped.

import type { BatchOrder } from "../../core/model/array";
import type { TaskExit } from "../../core/model/end";
import type { BootMs, Ms } from "../../core/units";
import type { GroupLimits } from "../../os/cgroup/limits";
import type { DeviceNumber } from "../../os/device-deny";
import { fieldsOf, isTexts, type JsonObject } from "../../os/files/json";
import { isNamedLimit, type NamedLimit } from "../../os/process/known-state";
import { bootOfStart, clocksNow, recalled, wallOf, type Clocks } from "../tasks/moments";
import { isUid, keptExit, numberOrNull, parseExit } from "../tasks/taskdir";

/** Everything that the keeper needs to run one task. The keeper reads no record. */
export interface TaskOrder {
  readonly uid: string;
  readonly name: string;
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The working directory. Null: the home of the account, or the root directory if there is none. */
  readonly workdir: string | null;
  readonly home: string;
  /** The account to switch to, or null for the keeper's own. */
  readonly account: { readonly name: string; readonly uid: number; readonly gid: number } | null;
  readonly limits: GroupLimits;
  /** The numbers of the device files that the task must not open. Keepers of earlier releases do not know the field. */
  readonly denied?: readonly DeviceNumber[];
  /** The kernel's limits that the task was given instead of the defaults. Null: no limit. */
  readonly process_limits?: Readonly<Partial<Record<NamedLimit, number | null>>>;
  readonly oom_score_adj: number;
  /**
   * `NAME=value` in the environment with which all processes of the task begin. They are found by it without cgroups.
   */
  readonly marker: string;
  readonly stop: { readonly signal: string; readonly grace_ms: number };
  /** The length of an exclusive task's lease. Null: the task is not exclusive. */
  readonly lease_ms: number | null;
  readonly log_cap_bytes: number;
  /** The size of the task's standard input, which is a file in its directory. Missing: it reads nothing. */
  readonly stdin_bytes?: number;
  /** The task's promise, which is reported if its directory is lost. */
  readonly held: unknown;
  /**
   * The elements that the task consists of. What the order says of limits and variables is then said of each of them.
   * Missing: the task is one process. Keepers of earlier releases do not know the field.
   */
  readonly batch?: ElementsOrder;
}

/** How the keeper runs the elements of a batch. */
export interface ElementsOrder extends BatchOrder {
  /** How long each of them may run. Null: as long as it wants. */
  readonly time_limit_ms: Ms | null;
}

/** The order of a task that is a batch. */
export type OrderOfBatch = TaskOrder & { readonly batch: ElementsOrder };

export const isOfBatch = (order: TaskOrder): order is OrderOfBatch => order.batch !== undefined;

export type ToKeeper =
  | { readonly do: "start"; readonly order: TaskOrder }
  /** `heard_boot_ms` is the time since boot at which the newest answered heartbeat was sent. */
  | { readonly do: "lease"; readonly heard_boot_ms: number }
  /** Has a batch begin no further element. What runs goes on. */
  | { readonly do: "halt"; readonly uid: string }
  /** Asks whether the keeper still answers. */
  | { readonly do: "ping" };

export type FromKeeper =
  /** `pings`: the keeper answers pings. Keepers of earlier releases do not know them. */
  | { readonly is: "here"; readonly version: string; readonly uids: readonly string[]; readonly pings?: true }
  | { readonly is: "alive" }
  /** Of a batch, which has no main process, `pid` is 0 and `start` empty. */
  | {
      readonly is: "started";
      readonly uid: string;
      readonly pid: number;
      readonly start: string;
      readonly started_ms: BootMs;
    }
  /** This order executed nothing. `dropped`: the keeper counted the task as its own meanwhile, and no longer does. */
  | { readonly is: "refused"; readonly uid: string; readonly why: string; readonly dropped?: true }
  /** How many results the journal of a batch has, and how many of its places are not given up. */
  | { readonly is: "elements"; readonly uid: string; readonly ended: number; readonly open: number }
  | { readonly is: "ended"; readonly uid: string; readonly exit: TaskExit };

/** Returns a message as it travels: its moments on both clocks, since an agent of an earlier release knows one. */
export function toldBy(message: FromKeeper, now: Clocks): JsonObject {
  if (message.is === "started") {
    return { ...message, started_ms: wallOf(message.started_ms, now), started_boot_ms: message.started_ms };
  }
  return message.is === "ended" ? { ...message, exit: keptExit(message.exit, now) } : { ...message };
}

/** A line that is none of the messages above, and what could be read of it. */
export interface NotUnderstood {
  readonly is: "not understood";
  readonly why: string;
  /** The task that the line names, or null. */
  readonly uid: string | null;
}

const notUnderstood = (why: string, uid: unknown = null): NotUnderstood => ({
  is: "not understood",
  why,
  uid: typeof uid === "string" ? uid : null,
});

export type KeeperAsked = { readonly is: "asked"; readonly message: ToKeeper } | NotUnderstood;
export type KeeperTold = { readonly is: "told"; readonly message: FromKeeper } | NotUnderstood;

/** Parses a message from an agent to its keeper. */
export function parseToKeeper(value: unknown): KeeperAsked {
  const told = fieldsOf(value);
  if (told["do"] === "lease") {
    const { heard_boot_ms } = told;
    return typeof heard_boot_ms === "number"
      ? { is: "asked", message: { do: "lease", heard_boot_ms } }
      : notUnderstood("a lease without a time");
  }
  if (told["do"] === "halt") {
    const { uid } = told;
    return isText(uid) ? { is: "asked", message: { do: "halt", uid } } : notUnderstood("a halt of no batch");
  }
  if (told["do"] === "ping") return { is: "asked", message: { do: "ping" } };
  if (told["do"] !== "start") return notUnderstood(`not a question: ${brief(value)}`);
  const order = fieldsOf(told["order"]);
  const wrong = Object.entries(ORDER).find(([name, isRight]) => !isRight(order[name]))?.[0];
  if (wrong !== undefined) return notUnderstood(`an order without a valid ${wrong}`, order["uid"]);
  // A lease would have to be enforced for each element, and nobody needs that.
  if (order["batch"] !== undefined && order["lease_ms"] !== null)
    return notUnderstood("an order of an exclusive batch", order["uid"]);
  return { is: "asked", message: { do: "start", order: order as unknown as TaskOrder } };
}

/** Parses a message from a keeper to its agent. */
export function parseFromKeeper(value: unknown): KeeperTold {
  const told = fieldsOf(value);
  const message = fromKeeper(told);
  return message === null ? notUnderstood(`not an answer: ${brief(value)}`, told["uid"]) : { is: "told", message };
}

function fromKeeper(told: JsonObject): FromKeeper | null {
  const { is, uid } = told;
  if (is === "here") {
    const { version, uids, pings } = told;
    if (typeof version !== "string" || !isTexts(uids)) return null;
    return { is, version, uids, ...(pings === true ? { pings } : {}) };
  }
  if (is === "alive") return { is };
  if (typeof uid !== "string") return null;
  switch (is) {
    case "started": {
      const { pid, start, started_ms, started_boot_ms } = told;
      if (!isCount(pid) || typeof start !== "string" || typeof started_ms !== "number") return null;
      const now = clocksNow();
      const moment = {
        wall_ms: started_ms,
        boot_ms: numberOrNull(started_boot_ms) ?? bootOfStart(start),
        boot_id: now.boot_id,
      };
      return { is, uid, pid, start, started_ms: recalled(moment, now) };
    }
    case "refused": {
      const { why, dropped } = told;
      return typeof why === "string" ? { is, uid, why, ...(dropped === true ? { dropped } : {}) } : null;
    }
    case "elements": {
      const { ended, open } = told;
      return isCount(ended) && isCount(open) ? { is, uid, ended, open } : null;
    }
    case "ended": {
      const now = clocksNow();
      const exit = parseExit(told["exit"], now, now);
      return exit === null ? null : { is, uid, exit };
    }
    default:
      return null;
  }
}

const brief = (value: unknown): string => (JSON.stringify(value) ?? "nothing").slice(0, 80);
const isText = (value: unknown): value is string => typeof value === "string";
const isNumber = (value: unknown): value is number => typeof value === "number";
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isNullOr =
  (is: (value: unknown) => boolean) =>
  (value: unknown): boolean =>
    value === null || is(value);
const isPart = (value: unknown): boolean => {
  const [from, to] = Array.isArray(value) && value.length === 2 ? (value as unknown[]) : [];
  return isCount(from) && isCount(to) && from <= to;
};
const isDevice = (value: unknown): boolean => {
  const { major, minor } = fieldsOf(value);
  return isCount(major) && isCount(minor);
};

/** The check of each field of an order, so that no order can break the beginning of a task. */
const ORDER: Readonly<Record<keyof TaskOrder, (value: unknown) => boolean>> = {
  uid: (value) => isText(value) && isUid(value),
  name: isText,
  argv: (value) => isTexts(value) && value.length > 0,
  env: (value) => isTexts(Object.values(fieldsOf(value))),
  workdir: isNullOr(isText),
  home: isText,
  account: isNullOr((value) => {
    const { name, uid, gid } = fieldsOf(value);
    return isText(name) && isCount(uid) && isCount(gid);
  }),
  limits: (value) => {
    const { cpu_milli, memory_bytes, pids } = fieldsOf(value);
    return isNumber(cpu_milli) && isNullOr(isNumber)(memory_bytes) && isNumber(pids);
  },
  denied: (value) => value === undefined || (Array.isArray(value) && value.every(isDevice)),
  process_limits: (value) =>
    value === undefined ||
    Object.entries(fieldsOf(value)).every(([name, limit]) => isNamedLimit(name) && isNullOr(isCount)(limit)),
  oom_score_adj: (value) => Number.isInteger(value),
  marker: isText,
  stop: (value) => {
    const { signal, grace_ms } = fieldsOf(value);
    return isText(signal) && isNumber(grace_ms);
  },
  lease_ms: isNullOr(isNumber),
  log_cap_bytes: isNumber,
  stdin_bytes: (value) => value === undefined || isCount(value),
  held: () => true,
  batch: (value) => {
    if (value === undefined) return true;
    const { parts, round, places, first, step, begins_for_ms, time_limit_ms } = fieldsOf(value);
    return (
      Array.isArray(parts) &&
      parts.every(isPart) &&
      [round, places, step].every((one) => isCount(one) && one > 0) &&
      isCount(first) &&
      isNumber(begins_for_ms) &&
      isNullOr(isNumber)(time_limit_ms)
    );
  },
};
