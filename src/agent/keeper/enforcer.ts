// The keeper's own enforcement of leases: it asks and kills the exclusive tasks whose agent has not heard the server,
// and has the guard do the same beside it.

import type { BootMs } from "../../core/units";
import { bootMs } from "../../os/clock";
import { askToEnd } from "../../os/cgroup/ask";
import { killTask } from "../../os/cgroup/kill";
import { messageOf } from "../../os/errors";
import { Processes } from "../../os/process/find";
import { signalNumber } from "../../os/process/signals";
import type { HeldTask, Surroundings } from "./begin";
import { LEASE_OVER } from "./finish";
import { blamedUntil, leaseActs, leasePhase, type LeaseAct } from "./lease";
import type { TaskOrder } from "./messages";

const SIGKILL = 9;

export class Enforcer {
  readonly #around: Surroundings;
  /** The tasks of whose end by their lease it was said. */
  readonly #said = new Set<string>();
  #heard_boot_ms: BootMs | null = null;

  constructor(around: Surroundings) {
    this.#around = around;
  }

  lease(heard_boot_ms: BootMs): void {
    this.#heard_boot_ms = Math.max(this.#heard_boot_ms ?? 0, heard_boot_ms);
    this.#around.guard.lease(this.#heard_boot_ms);
  }

  isLeased({ lease_ms, stop }: TaskOrder): boolean {
    return lease_ms === null || leasePhase(this.#heard_boot_ms, lease_ms, stop.grace_ms, bootMs()).is === "held";
  }

  /** Does to these tasks what their leases demand now. */
  enforce(held: readonly HeldTask[]): void {
    const leased = new Map(held.filter(({ order }) => order.lease_ms !== null).map((one) => [one.order.uid, one]));
    const acts = leaseActs(
      {
        leased: [...leased.values()].map(({ order }) => ({
          uid: order.uid,
          lease_ms: order.lease_ms ?? 0,
          grace_ms: order.stop.grace_ms,
        })),
        heard_ms: this.#heard_boot_ms,
        asked: new Map([...leased].map(([uid, { blamed_until_ms }]) => [uid, blamed_until_ms])),
        said: this.#said,
      },
      bootMs(),
    );
    const all = new Processes();
    for (const act of acts) {
      const task = leased.get(act.uid);
      if (task !== undefined) this.#try(act, task, all);
    }
    this.#around.guard.look();
  }

  #try(act: LeaseAct, held: HeldTask, all: Processes): void {
    try {
      this.#perform(act, held, all);
    } catch (error) {
      // What fails for one task keeps no other from its end, nor this one at the next look.
      if (!this.#said.has(act.uid))
        this.#around.say(`${act.do} of a task failed`, { uid: act.uid, why: messageOf(error) });
    }
  }

  #perform({ do: act, uid }: LeaseAct, held: HeldTask, all: Processes): void {
    const { name, stop } = held.order;
    if (act === "say") {
      this.#said.add(uid);
      return this.#around.say(`task ${name}: ${LEASE_OVER}`);
    }
    held.blamed_until_ms = blamedUntil(act, stop.grace_ms, bootMs());
    if (act === "ask") askToEnd(held, signalNumber(stop.signal) ?? SIGKILL, held.group);
    else killTask(held, held.group, all);
  }

  drop(uid: string): void {
    this.#said.delete(uid);
  }
}

/** Notes that the guard has killed a task because of its lease. */
export function expired(held: HeldTask): void {
  held.blamed_until_ms = blamedUntil("kill", 0, bootMs());
}
