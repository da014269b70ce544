// The two enforcers of a lease on a simulated machine, keeper and guard. Both obey the real rule, each is late by as
// much as a loaded machine may make it, and each may hang.

import { LEASE_TIMES } from "../../src/core/limits";
import { blamedUntil, guardActs, leaseActs, leasePhase } from "../../src/agent/keeper/lease";
import type { Machine, Process } from "./machine";
import type { Random } from "./random";
import type { Schedule } from "./schedule";

export type Enforcer = "keeper" | "guard";

export interface LeaseHands {
  readonly schedule: Schedule;
  readonly random: Random;
  /** Signals a task because of its lease. */
  readonly signal: (machine: Machine, uid: string, signal: "TERM" | "KILL") => void;
}

/** The newest lease that an enforcer knows. A hanging enforcer takes in nothing, and catches up later. */
export function renew({ schedule }: Pick<LeaseHands, "schedule">, machine: Machine, heard_ms: number): void {
  const { run } = machine;
  run.told_ms = Math.max(run.told_ms ?? 0, heard_ms);
  const told = (who: Enforcer, next: () => void): void => {
    const hear = (): void => {
      if (machine.run !== run) return;
      run.heard[who] = Math.max(run.heard[who] ?? 0, heard_ms);
      next();
    };
    if (schedule.now_ms < machine.hangs[who]) schedule.at(machine.hangs[who], hear);
    else hear();
  };
  // The guard hears of a lease from the keeper.
  told("keeper", () => told("guard", () => undefined));
}

/** Has both enforcers supervise an exclusive task from its beginning. */
export function supervise(hands: LeaseHands, machine: Machine, process: Process, lease_ms: number): void {
  for (const who of ["keeper", "guard"] as const) {
    machine.run.heard.guard ??= machine.run.heard.keeper;
    look(hands, machine, { who, process, lease_ms });
  }
}

/** For the sake of which task an enforcer looks. */
interface Watch {
  readonly who: Enforcer;
  readonly process: Process;
  readonly lease_ms: number;
}

function look(hands: LeaseHands, machine: Machine, watch: Watch): void {
  const { schedule, random } = hands;
  const { who, process, lease_ms } = watch;
  if (machine.processes.get(process.uid) !== process) return;
  const again = (at_ms: number): void => {
    const stalled_ms = random.chance(0.2) ? LEASE_TIMES.stalled_ms : 0;
    const late_ms = random.int(1, LEASE_TIMES.look_ms + stalled_ms);
    schedule.at(at_ms + late_ms, () => look(hands, machine, watch));
  };
  if (schedule.now_ms < machine.hangs[who]) return again(machine.hangs[who]);
  enforce(hands, machine, who);
  const { grace_ms } = process.assignment.stop;
  const phase = leasePhase(machine.run.heard[who], lease_ms, grace_ms, schedule.now_ms);
  again(phase.is === "over" ? schedule.now_ms + 1_000 : phase.until_ms);
}

/** Does what the leases of all exclusive tasks demand now: one look of an enforcer reaches every task that is due. */
function enforce({ schedule, signal }: LeaseHands, machine: Machine, who: Enforcer): void {
  const { now_ms } = schedule;
  const { asked, said } = machine.run.enforced[who];
  const leased = [...machine.processes.values()].flatMap(({ uid, assignment: { lease_ms, stop } }) =>
    lease_ms === null ? [] : [{ uid, lease_ms, grace_ms: stop.grace_ms }],
  );
  const graces = new Map(leased.map(({ uid, grace_ms }) => [uid, grace_ms]));
  const view = { leased, heard_ms: machine.run.heard[who], asked, said };
  const acts = who === "guard" ? guardActs(view, false, now_ms) : leaseActs(view, now_ms);
  for (const { do: act, uid } of acts) {
    if (act !== "say") {
      asked.set(uid, blamedUntil(act, graces.get(uid) ?? 0, now_ms));
      signal(machine, uid, act === "ask" ? "TERM" : "KILL");
    } else {
      said.add(uid);
      // The keeper writes its words to a file, and waits for the disk with everything that it was about to do.
      if (who === "keeper" && now_ms < machine.hangs.disk) {
        machine.hangs.keeper = machine.hangs.disk;
        break;
      }
    }
  }
}
