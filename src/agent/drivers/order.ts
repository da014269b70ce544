// Makes a keeper's order from a record: the command as argv, the limits, the account and the environment.

import type { Assignment } from "../../core/model/record";
import { shareOf } from "../../core/model/promised";
import { shortId } from "../../core/model/task";
import type { VariableName } from "../../core/model/variables";
import { kernelText } from "../../os/proc";
import type { UnixAccount } from "../../os/process/accounts";
import { limitProblem, type NamedLimit } from "../../os/process/known-state";
import type { DeviceAccess } from "../devices/access";
import { environmentOf, leadOf } from "../machine/environment";
import type { TaskOrder } from "../keeper/messages";
import { loginArgv } from "./login";

/** Returns the limits that the assignment asks for, by the names of the keeper's orders. */
function limitsOf({ limits = {} }: Assignment): NonNullable<TaskOrder["process_limits"]> {
  const { nofile, memlock_bytes: memlock, core_bytes: core, stack_bytes: stack } = limits;
  return {
    ...(nofile === undefined ? {} : { nofile }),
    ...(memlock === undefined ? {} : { memlock }),
    ...(core === undefined ? {} : { core }),
    ...(stack === undefined ? {} : { stack }),
  };
}

/** Returns why this node cannot give a task the limits that it asks for, or null. */
export function limitsProblem(assignment: Assignment): string | null {
  for (const [name, wanted] of Object.entries(limitsOf(assignment))) {
    const problem = limitProblem(name as NamedLimit, wanted);
    if (problem !== null) return problem;
  }
  return null;
}

/** The most processes of a task: enough for any program, too few for a fork bomb to take the machine. */
const PIDS = 16_384;
/** A task gets at most this part of the machine's process ids, which may be only 32768. */
const PIDS_PART = 8;

/** Returns the most processes and threads of a task. `pid_max` is the kernel's text, or null where it has none. */
export function pidsOfTask(pid_max = kernelText("/proc/sys/kernel/pid_max")): number {
  const all = Number(pid_max ?? Number.NaN);
  return all > 0 ? Math.max(1, Math.min(PIDS, Math.floor(all / PIDS_PART))) : PIDS;
}

/** The same for all tasks of this process: the kernel's bound is not asked for again. */
let pids: number | null = null;

/** The score of a task without a memory limit of its own: the kernel kills such a task first when memory runs out. */
const OOM_FIRST = 500;
const SHELLS: Readonly<Record<string, string>> = { sh: "/bin/sh", bash: "/bin/bash" };

/** The variable that marks whatever a task begins as its own. */
const MARK = "ORCH_TASK" satisfies VariableName;

/** The variables that each element of a batch gets from its keeper. */
const OF_ELEMENTS = ["ORCH_SLOT", "ORCH_ATTEMPT"] as const satisfies readonly VariableName[];

/** Returns how the environment of a task's processes marks them. */
export const markerOf = (uid: string): string => `${MARK}=${shortId(uid)}`;

export function orderOf(
  assignment: Assignment,
  account: { readonly account: UnixAccount; readonly switched: boolean },
  access: DeviceAccess,
  log_cap_bytes: number,
): TaskOrder {
  const { uid, name, command, promised, stop, lease_ms, workdir, login, stdin, batch, time_limit_ms } = assignment;
  const { account: who, switched } = account;
  const env = { ...environmentOf(assignment, who, access.variables) };
  if (batch !== undefined) for (const name of OF_ELEMENTS) delete env[name];
  const one = batch === undefined ? promised : shareOf(promised, 1, batch.places);
  const mark = (env[MARK] ??= shortId(uid));
  const plain = command.kind === "argv" ? command.argv : [SHELLS[command.shell] ?? command.shell, "-c", command.script];
  const argv = login === true ? loginArgv(who.shell, command, plain, leadOf(assignment)) : plain;
  return {
    uid,
    name,
    argv,
    env,
    workdir,
    home: who.home,
    marker: `${MARK}=${mark}`,
    account: switched ? { name: who.name, uid: who.uid, gid: who.gid } : null,
    limits: {
      cpu_milli: one.cpu_milli,
      pids: (pids ??= pidsOfTask()),
      memory_bytes: one.memory_limited ? one.memory_bytes : null,
      ...(assignment.oom === "any" ? { oom_kills_all: true } : {}),
    },
    denied: access.denied,
    process_limits: limitsOf(assignment),
    oom_score_adj: promised.memory_limited ? 0 : OOM_FIRST,
    stop: { signal: stop.signal, grace_ms: stop.grace_ms },
    lease_ms,
    log_cap_bytes,
    ...(stdin === undefined ? {} : { stdin_bytes: stdin.bytes }),
    held: promised,
    ...(batch === undefined ? {} : { batch: { ...batch, time_limit_ms } }),
  };
}
