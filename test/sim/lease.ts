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
    look(hands, machine, process, { who, lease_ms, asked: new Map(), said: new Set() });
  }
}

interface Watch {
  readonly who: Enforcer;
  readonly lease_ms: number;
  readonly asked: Map<string, number>;
  readonly said: Set<string>;
}

function look(hands: LeaseHands, machine: Machine, process: Process, watch: Watch): void {
  const { schedule, random } = hands;
  const { who, lease_ms, asked, said } = watch;
  if (machine.processes.get(process.uid) !== process) return;
  const { uid } = process;
  const { grace_ms } = process.assignment.stop;
  const again = (at_ms: number): void => {
    const stalled_ms = random.chance(0.2) ? LEASE_TIMES.stalled_ms : 0;
    const late_ms = random.int(1, LEASE_TIMES.look_ms + stalled_ms);
    schedule.at(at_ms + late_ms, () => look(hands, machine, process, watch));
  };
  if (schedule.now_ms < machine.hangs[who]) return again(machine.hangs[who]);
  const heard_ms = machine.run.heard[who] ?? process.started_ms;
  const view = { leased: [{ uid, lease_ms, grace_ms }], heard_ms, asked, said };
  const { now_ms } = schedule;
  const acts = who === "guard" ? guardActs(view, false, now_ms) : leaseActs(view, now_ms);
  for (const { do: act } of acts) {
    if (act !== "say") {
      asked.set(uid, blamedUntil(act, grace_ms, now_ms));
      hands.signal(machine, uid, act === "ask" ? "TERM" : "KILL");
    } else {
      said.add(uid);
      // The keeper writes its words to a file, and waits for the disk with everything that it was about to do.
      if (who === "keeper" && schedule.now_ms < machine.hangs.disk) {
        machine.hangs.keeper = machine.hangs.disk;
        break;
      }
    }
  }
  const phase = leasePhase(heard_ms, lease_ms, grace_ms, schedule.now_ms);
  again(phase.is === "over" ? schedule.now_ms + 1_000 : phase.until_ms);
}
