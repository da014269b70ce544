// The guard: a process beside the keeper that ends exclusive tasks when their lease is over. It reads and writes no
// file, only pipes and the kernel's own file systems, so neither a disk that hangs nor a keeper that hangs, is stopped
// or is killed keeps it from that.

import { LEASE_TIMES } from "../../core/limits";
import { bootMs, pause } from "../../os/clock";
import { askToEnd } from "../../os/cgroup/ask";
import { killGroup } from "../../os/cgroup/group";
import { killTask, ungrouped } from "../../os/cgroup/kill";
import { messageOf } from "../../os/errors";
import { fieldsOf, isTexts } from "../../os/files/json";
import { lockMemory } from "../../os/libc";
import { beganWith, type FoundProcess } from "../../os/proc";
import { raisePriority } from "../../os/process/known-state";
import { hearStarter, tellStarter } from "../../os/process/partner";
import { killAll, Processes } from "../../os/process/find";
import { sendSignal, signalNumber } from "../../os/process/signals";
import { blamedUntil, guardActs, type LeaseAct, type Leased } from "./lease";

const SIGTERM = 15;
/** How long the guard kills what does not end, once its keeper is gone. */
const LAST_KILLS_MS = 60_000;

/** An exclusive task as its keeper tells it to the guard. The process follows when it has begun. */
export interface GuardedTask extends Leased {
  readonly signal: string;
  readonly group: readonly string[];
  /** What marks the task's processes; null from a keeper of an earlier release. */
  readonly marker: string | null;
  readonly process: { readonly pid: number; readonly start: string } | null;
}

export type ToGuard =
  | { readonly do: "hold"; readonly task: GuardedTask }
  | { readonly do: "drop"; readonly uid: string }
  | { readonly do: "lease"; readonly heard_boot_ms: number }
  | { readonly do: "ping" };

export type FromGuard =
  | { readonly is: "ready"; readonly locked: string | null }
  | { readonly is: "holding"; readonly uid: string }
  /** `expired`: the guard has signalled the task because of its lease. */
  | { readonly is: "dropped"; readonly uid: string; readonly expired: boolean }
  | { readonly is: "ended"; readonly uid: string }
  | { readonly is: "trouble"; readonly why: string }
  | { readonly is: "well" };

interface Guarding {
  readonly tasks: Map<string, GuardedTask>;
  /** What lived of the tasks without a control group when they were asked to end: it may outlive what started it. */
  readonly families: Map<string, readonly FoundProcess[]>;
  /** Until when the end of a task counts as one by its lease, for those that were asked to end or killed. */
  readonly asked: Map<string, number>;
  /** The tasks of which the keeper was told that they were killed. */
  readonly said: Set<string>;
  heard_ms: number | null;
  gone: boolean;
}

const tell = (message: FromGuard): void => tellStarter(message);

/** Guards the tasks of the keeper that started this process, until that keeper is gone and its tasks are dead. */
export async function runGuard(): Promise<void> {
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => undefined);
  raisePriority();
  const guarding: Guarding = {
    tasks: new Map(),
    families: new Map(),
    asked: new Map(),
    said: new Set(),
    heard_ms: null,
    gone: false,
  };
  rehearse();
  const timer = setInterval(() => enforce(guarding), LEASE_TIMES.look_ms);
  tell({ is: "ready", locked: lockMemory() });
  await hearStarter((line) => hear(guarding, line));
  clearInterval(timer);
  guarding.gone = true;
  seeFamilies(guarding);
  for (const until = bootMs() + LAST_KILLS_MS; guarding.tasks.size > 0 && bootMs() < until;) {
    enforce(guarding);
    bury(guarding);
    await pause(LEASE_TIMES.look_ms);
  }
}

/** Finds what lives of the tasks whose keeper is gone: their main processes die with it, and are collected at once. */
function seeFamilies({ tasks, families }: Guarding): void {
  const all = new Processes();
  for (const [uid, { process, group }] of tasks) {
    if (process === null || group.length > 0) continue;
    const known = families.get(uid) ?? [];
    families.set(
      uid,
      inTrouble(known, () => all.find({ leader: process, recent: true, marker: null, known })),
    );
  }
}

/**
 * Lets go of the tasks of which nothing lives any more. Marks are looked for only once all that can be killed without
 * them is dead: an environment may have to come from a disk that hangs.
 */
function bury({ tasks, families }: Guarding): void {
  const all = new Processes();
  const seen = [...tasks.values()].filter((task) => !inTrouble(false, () => isDead(task)));
  if (seen.length > 0) return;
  for (const [uid, task] of tasks) if (inTrouble(false, () => killMarked(task, families, all) === 0)) tasks.delete(uid);
}

/** Does something that is asked again at the next look. What fails for one task keeps no other from being killed. */
function inTrouble<T>(otherwise: T, act: () => T): T {
  try {
    return act();
  } catch {
    return otherwise;
  }
}

function hear(guarding: Guarding, line: unknown): void {
  const message = fieldsOf(line);
  switch (message["do"]) {
    case "hold": {
      const task = guardedTask(message["task"]);
      if (task === null) return;
      guarding.tasks.set(task.uid, task);
      return tell({ is: "holding", uid: task.uid });
    }
    case "drop": {
      const uid = String(message["uid"]);
      const expired = (guarding.asked.get(uid) ?? 0) > bootMs();
      for (const one of [guarding.tasks, guarding.families, guarding.asked, guarding.said]) one.delete(uid);
      return tell({ is: "dropped", uid, expired });
    }
    case "lease":
      guarding.heard_ms = Math.max(guarding.heard_ms ?? 0, Number(message["heard_boot_ms"]) || 0);
      return;
    case "ping":
      return tell({ is: "well" });
  }
}

function guardedTask(value: unknown): GuardedTask | null {
  const { uid, lease_ms, grace_ms, signal, group, marker, process } = fieldsOf(value);
  const { pid, start } = fieldsOf(process);
  if (typeof uid !== "string" || typeof lease_ms !== "number" || typeof grace_ms !== "number") return null;
  if (typeof signal !== "string" || !isTexts(group)) return null;
  const mark = typeof marker === "string" ? marker : null;
  const known = typeof pid === "number" && typeof start === "string" ? { pid, start } : null;
  return { uid, lease_ms, grace_ms, signal, group, marker: mark, process: known };
}

function enforce(guarding: Guarding): void {
  const { tasks, asked, said, heard_ms, gone } = guarding;
  const all = new Processes();
  for (const act of guardActs({ leased: tasks.values(), heard_ms, asked, said }, gone, bootMs())) {
    try {
      perform(guarding, act, all);
    } catch (error) {
      // A signal that fails for one task keeps no other task from being ended, nor this one at the next look.
      if (!said.has(act.uid)) tell({ is: "trouble", why: `${act.do} of task ${act.uid}: ${messageOf(error)}` });
    }
  }
}

function perform({ tasks, families, asked, said }: Guarding, { do: act, uid }: LeaseAct, all: Processes): void {
  const task = tasks.get(uid);
  if (task === undefined) return;
  if (act === "say") {
    said.add(uid);
    return tell({ is: "ended", uid });
  }
  asked.set(uid, blamedUntil(act, task.grace_ms, bootMs()));
  if (act === "ask") ask(task, all, families);
  else kill(task, all, families);
}

function ask({ uid, process, signal, group }: GuardedTask, all: Processes, families: Guarding["families"]): void {
  if (process === null) return;
  try {
    families.set(uid, ungrouped(process, group, all));
  } finally {
    askToEnd(process, signalNumber(signal) ?? SIGTERM, group);
  }
}

function kill({ uid, process, group }: GuardedTask, all: Processes, families: Guarding["families"]): void {
  if (process === null) killGroup(group);
  else killTask(process, group, all, families.get(uid));
}

/** Returns whether neither the main process nor the group of a task lives, and kills what is in the group. */
const isDead = ({ process, group }: GuardedTask): boolean =>
  (process === null || sendSignal(process, 0, "one").is === "gone") && killGroup(group) === 0;

/** Kills what is left of a task as its mark and its family show it. Returns how many were found. */
function killMarked({ uid, process, marker }: GuardedTask, families: Guarding["families"], all: Processes): number {
  const found = all.find({ leader: process, recent: false, marker, known: families.get(uid) ?? [] });
  families.set(uid, found);
  return killAll(found);
}

/**
 * Runs the way of a kill once, on a task of no process and no group. The code that a kill needs is then in memory and
 * is kept there, and no page of it has to come from a disk that hangs.
 */
function rehearse(): void {
  const self = { pid: process.pid, start: "0" };
  const task: GuardedTask = {
    uid: "",
    lease_ms: 0,
    grace_ms: 0,
    signal: "TERM",
    group: [],
    // No environment but this process's own is read now, since that of a stranger may hang.
    marker: null,
    process: self,
  };
  for (const gone of [false, true]) {
    const rehearsal: Guarding = {
      tasks: new Map([["", task]]),
      families: new Map(),
      asked: new Map([["", 0]]),
      said: new Set([""]),
      heard_ms: 0,
      gone,
    };
    enforce(rehearsal);
  }
  const all = new Processes();
  ask(task, all, new Map());
  isDead(task);
  killMarked(task, new Map(), all);
  beganWith(self.pid);
  killGroup(["/sys/fs/cgroup/orch-rehearsal"]);
}
