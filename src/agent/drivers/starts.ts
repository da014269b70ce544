// The starts that are under way: each finds the account, makes the order, and has a keeper carry it out. From the first
// moment on, a start that is under way may happen.

import { HOUSE_LIMITS } from "../../core/limits";
import type { Promised } from "../../core/model/promised";
import type { Assignment } from "../../core/model/record";
import { pause } from "../../os/clock";
import { listenerOn } from "../../os/process/listeners";
import { trace } from "../../os/trace";
import type { DeviceAccess } from "../devices/access";
import type { TaskOrder } from "../keeper/messages";
import type { Accounts } from "../machine/account";
import type { TaskFiles } from "../tasks/store";
import type { StartAnswer } from "./keeper-peer";
import { limitsProblem, orderOf } from "./order";

export interface StartsOptions {
  readonly store: TaskFiles;
  readonly accounts: Pick<Accounts, "of">;
  readonly access: (promised: Promised["devices"]) => DeviceAccess;
  readonly log_cap_bytes?: number;
}

/** What the driver knows and does of a task. */
export interface StartsCalls {
  /** Returns whether the task was seen with a claim. */
  readonly isClaimed: (uid: string) => boolean;
  readonly wasBegun: (uid: string) => boolean;
  readonly look: (uid: string) => void;
  readonly order: (order: TaskOrder) => Promise<StartAnswer>;
}

export interface Starts {
  isUnderWay(uid: string): boolean;
  /** Resolves when the task runs or is over. Rejects, after a while, if nothing was begun. */
  start(assignment: Assignment): Promise<void>;
}

/** How long a start that did nothing takes to fail, so that it is not tried again at once. */
const START_AGAIN_MS = 1_000;

const CLAIMED = "it was claimed before, and nothing tells what became of it";

/** Returns which of a task's ports somebody else listens on, and who, or null. */
export function portTaken({ ports }: Pick<Promised, "ports">): string | null {
  for (const { target, bind } of ports) {
    const held = listenerOn(target, bind === "loopback" ? "loopback" : "everywhere");
    if (held === null) continue;
    const { process } = held;
    const by = process === null ? "a process of another account" : `pid ${process.pid}, ${process.name}`;
    return `port ${target} is held by ${by}`;
  }
  return null;
}

export function createStarts(options: StartsOptions, { isClaimed, wasBegun, look, order }: StartsCalls): Starts {
  const { store, accounts, access, log_cap_bytes = HOUSE_LIMITS.log_bytes } = options;
  /** How many starts of each task are under way. */
  const under_way = new Map<string, number>();

  const wasClaimed = (uid: string): boolean => isClaimed(uid) || store.wasClaimed(uid) || wasBegun(uid);

  /** Has a task begun. Returns why that was not done, or null. */
  async function begin(assignment: Assignment): Promise<string | null> {
    const { uid } = assignment;
    if (wasClaimed(uid)) return CLAIMED;
    trace("agent: starts");
    const account = await accounts.of(assignment);
    if (account.is === "unclear") return account.why;
    if (account.is === "refused") {
      await store.claimRefused(uid, account.why, "no_account");
      return account.why;
    }
    const why = limitsProblem(assignment);
    if (why !== null) {
      await store.claimRefused(uid, why, "node_unable");
      return why;
    }
    const taken = portTaken(assignment.promised);
    if (taken !== null) {
      await store.claimRefused(uid, taken, "port_taken");
      return taken;
    }
    // The look-up may have taken long, and the task may have been told as stopped meanwhile.
    if (wasClaimed(uid)) return CLAIMED;
    trace("agent: orders");
    const answer = await order(orderOf(assignment, account, access(assignment.promised.devices), log_cap_bytes));
    return answer.is === "begun" ? null : answer.why;
  }

  async function start(assignment: Assignment): Promise<void> {
    const { uid } = assignment;
    const why = await begin(assignment);
    if (why === null) return;
    look(uid);
    if (isClaimed(uid)) return;
    await pause(START_AGAIN_MS);
    throw new Error(why);
  }

  return {
    isUnderWay: (uid) => under_way.has(uid),
    async start(assignment) {
      const { uid } = assignment;
      under_way.set(uid, (under_way.get(uid) ?? 0) + 1);
      try {
        await start(assignment);
      } finally {
        const left = (under_way.get(uid) ?? 1) - 1;
        if (left > 0) under_way.set(uid, left);
        else under_way.delete(uid);
      }
    },
  };
}
