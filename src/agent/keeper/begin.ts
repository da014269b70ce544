// Begins one task: claims it, and only then makes its group and its process. Any failure after the claim is an end with
// a reason, since a claim never executes again.

import { join } from "node:path";
import type { BootMs } from "../../core/units";
import { bootMs } from "../../os/clock";
import { enterRest, type GroupJoining } from "../../os/cgroup/enter";
import { joinLate, makeGroup, removeGroup, weigh } from "../../os/cgroup/group";
import { findCgroups, groupOf, type Cgroups, type Group } from "../../os/cgroup/hierarchy";
import { messageOf } from "../../os/errors";
import { createHeld, directoryProblem, exists } from "../../os/files/files";
import { isAnyFar } from "../../os/files/near";
import { appendLines, extentOfTaskFile } from "../../os/files/task-files";
import { joinNewKeyring } from "../../os/libc";
import type { Say } from "../../os/log";
import { adjustOom, statOf } from "../../os/proc";
import { findCommand, launch, type Launched, type ProcessExit } from "../../os/process/spawn";
import { trace } from "../../os/trace";
import type { Journal } from "../tasks/living";
import { clocksNow } from "../tasks/moments";
import { claimText, FILES, pidLine, type StartCause } from "../tasks/taskdir";
import { commandOf, type Wrapped, type Wrappers } from "./command";
import type { Guard } from "./guard";
import type { TaskOrder } from "./messages";

export interface Surroundings {
  /** Ends exclusive tasks where this keeper cannot. */
  readonly guard: Guard;
  readonly cgroups: Cgroups;
  /** The name by which the cgroups were found. */
  readonly group_name: string;
  readonly joining: GroupJoining;
  readonly tasks: string;
  /** The journal that shows tasks whose directory is lost. */
  readonly journal: Journal;
  readonly wrappers: Wrappers;
  /** The keeper's own OOM score, with which its children begin. */
  readonly oom_score_adj: number;
  readonly say: Say;
}

/** A task whose process this keeper is the parent of. */
export interface HeldTask {
  readonly order: TaskOrder;
  readonly dir: string;
  /** The claim file, open for the lines that follow. */
  readonly claim: number;
  readonly group: Group;
  readonly pid: number;
  readonly start: string;
  readonly started_ms: BootMs;
  readonly wrapped: Wrapped;
  /**
   * Until when the end of the task counts as one by its lease, since the keeper or its guard asked it to end or killed
   * it; 0 if neither has.
   */
  blamed_until_ms: BootMs;
}

const LEASE_OVER = "its lease was over before it began";

export type Begun =
  | { readonly is: "running"; readonly held: HeldTask }
  /** The task was claimed, and was over before it began. */
  | {
      readonly is: "failed";
      readonly claim: number;
      readonly at_ms: BootMs;
      readonly code: number | null;
      readonly cause: StartCause;
      readonly why: string;
    }
  /** This order did not claim the task. */
  | { readonly is: "refused"; readonly why: string };

/** What the keeper of the task is asked and told. */
export interface BeginCallbacks {
  /** Returns whether the task's lease is valid now. */
  readonly isLeased: () => boolean;
  readonly onExit: (held: HeldTask, exit: ProcessExit) => void;
}

export async function begin(order: TaskOrder, around: Surroundings, callbacks: BeginCallbacks): Promise<Begun> {
  trace("keeper: heard");
  const dir = join(around.tasks, order.uid);
  if (!exists(dir)) return { is: "refused", why: "it has no directory" };
  const group = groupOf(around.cgroups, order.uid, (order.denied ?? []).length > 0);
  const claim = await createHeld(join(dir, FILES.claim), claimText(clocksNow(), group));
  if (claim === null) return { is: "refused", why: "it was claimed before" };
  trace("keeper: claimed");
  try {
    return await beginClaimed({ order, dir, claim, group }, around, callbacks);
  } catch (error) {
    // As where descriptors are short. Nothing of it executes, and nobody but this keeper knows that.
    letGo(order, around);
    removeGroup(group);
    return { is: "failed", claim, at_ms: bootMs(), code: null, cause: "node_unable", why: messageOf(error) };
  }
}

async function beginClaimed(
  claimed: Omit<Ready, "wrapped">,
  around: Surroundings,
  callbacks: BeginCallbacks,
): Promise<Begun> {
  const { order, claim, group } = claimed;
  const failed = (cause: StartCause, why: string, code: number | null = null): Begun => ({
    is: "failed",
    claim,
    at_ms: bootMs(),
    code,
    cause,
    why,
  });
  const { workdir } = order;
  const far = needsFar(order);
  const near = order.account === null && !far;
  const problem = near && workdir !== null ? directoryProblem(workdir) : null;
  if (problem !== null) return failed("no_directory", problem);
  const home = near && directoryProblem(order.home) === null ? order.home : "/";
  const wrapped = commandOf(order, { cwd: workdir ?? home, far }, around.wrappers);
  if (typeof wrapped === "string") return failed("node_unable", wrapped);
  const missing = near ? missingBehindWrapper(order, wrapped) : null;
  if (missing !== null) return failed("no_command", missing, 127);
  if (!hasWholeInput(order, claimed.dir)) return failed("node_unable", "its standard input is not whole there");
  const grouped = grouping(around, order);
  if (typeof grouped === "string") return failed("node_unable", grouped);
  // The claim and the guard may have taken long, on a disk that hangs. After this nothing is waited for.
  const unguarded = (await guarding(order, group, around.guard)) ?? (callbacks.isLeased() ? null : LEASE_OVER);
  if (unguarded !== null) {
    letGo(order, around);
    removeGroup(group);
    return failed("node_unable", unguarded);
  }
  return run({ ...claimed, wrapped }, around, callbacks.onExit);
}

/** Returns whether the standard input of a task is in its directory, or it has none. */
const hasWholeInput = ({ stdin_bytes }: TaskOrder, dir: string): boolean =>
  stdin_bytes === undefined || extentOfTaskFile(dir, FILES.stdin).size === stdin_bytes;

/**
 * Returns whether the directory or the command of a task may be on a file system that hangs. Only the task's own
 * process looks at such a one.
 */
function needsFar({ workdir, home, argv, env }: TaskOrder): boolean {
  const [name = ""] = argv;
  const commands = name.includes("/") ? [name] : (env["PATH"] ?? "").split(":");
  return isAnyFar([workdir ?? home, ...commands].filter((path) => path.startsWith("/")));
}

/** Has the guard hold an exclusive task before anything of it executes. Returns why that failed, or null. */
async function guarding(
  { uid, lease_ms, stop, marker }: TaskOrder,
  group: Group,
  guard: Guard,
): Promise<string | null> {
  if (lease_ms === null) return null;
  const { signal, grace_ms } = stop;
  return guard.hold({ uid, lease_ms, grace_ms, signal, group, marker, process: null });
}

/** Has the guard let go of a task of which nothing is left. It is not waited for. */
export function letGo({ uid }: TaskOrder, { guard, say }: Surroundings): void {
  guard.drop(uid).catch((error: unknown) => say("a guard did not let go of a task", { uid, why: messageOf(error) }));
}

/**
 * Returns why a wrapped command cannot start, or null. The wrapper would notice a missing command only once it runs,
 * and would report that in its own words.
 */
function missingBehindWrapper(order: TaskOrder, wrapped: Wrapped): string | null {
  const name = order.argv[0] ?? "";
  if (wrapped.argv[0] === name) return null;
  const found = findCommand(name, order.env["PATH"] ?? "", wrapped.cwd);
  return found === null ? `the command ${name} is not there or not executable` : null;
}

function grouping(
  { cgroups, group_name }: Pick<Surroundings, "cgroups" | "group_name">,
  order: TaskOrder,
  again = true,
): string | null {
  try {
    makeGroup(cgroups, order.uid, order.limits, order.denied);
    return null;
  } catch (error) {
    if (again && (error as NodeJS.ErrnoException).code === "ENOENT") {
      // Another keeper has ended and removed the empty directories, so they are made again. On version 1 it may have
      // removed some of them only, and what this task has in the others would be in the way of the second try.
      removeGroup(groupOf(cgroups, order.uid, true));
      findCgroups(group_name);
      return grouping({ cgroups, group_name }, order, false);
    }
    removeGroup(groupOf(cgroups, order.uid, true));
    return `its control group could not be made: ${messageOf(error)}`;
  }
}

const CAUSE_OF = { program: "no_command", arguments: "start_failed", system: "node_unable" } as const;

type Ready = Pick<HeldTask, "order" | "dir" | "claim" | "group" | "wrapped">;

function run(ready: Ready, around: Surroundings, onExit: (held: HeldTask, exit: ProcessExit) => void): Begun {
  const { order, dir, claim, group, wrapped } = ready;
  // The exit of a very short process is reported before this function returns. It waits here until `held` is whole.
  let held: HeldTask | null = null;
  let early: ProcessExit | null = null;
  const exited = (exit: ProcessExit): void => {
    if (held === null) early = exit;
    else onExit(held, exit);
  };
  trace("keeper: grouped");
  const entered = enterRest(around.cgroups, group);
  // Otherwise a task possesses the keys of the login that started the agent, and of the tasks before it.
  joinNewKeyring();
  const launched: Launched =
    entered.unkept !== null
      ? { is: "failed", code: null, lacks: "system", why: `devices could not be kept from it: ${entered.unkept}` }
      : launch(
          {
            argv: wrapped.argv,
            env: wrapped.env,
            cwd: wrapped.cwd,
            cgroup: around.joining.dirFor(group),
            stdin: order.stdin_bytes === undefined ? null : join(dir, FILES.stdin),
            stdout: join(dir, FILES.stdout),
            stderr: join(dir, FILES.stderr),
            writer: order.account,
            notes: wrapped.tells ? join(dir, FILES.notes) : null,
          },
          exited,
        );
  entered.leave();
  if (launched.is === "failed") {
    letGo(order, around);
    removeGroup(group);
    const { code, why, lacks } = launched;
    return { is: "failed", claim, at_ms: bootMs(), code, cause: CAUSE_OF[lacks], why };
  }
  const { pid } = launched;
  trace("keeper: begun");
  const started_ms = bootMs();
  joinLate(entered.missed, pid);
  const unweighed = weigh(around.cgroups, group, order.limits);
  if (unweighed !== null) around.say(`task ${order.name} has no share of its own`, { why: unweighed });
  if (order.oom_score_adj !== around.oom_score_adj) adjustOom(pid, order.oom_score_adj);
  const start = statOf(pid)?.start ?? "0";
  held = { ...ready, pid, start, started_ms, blamed_until_ms: 0 };
  if (order.lease_ms !== null) around.guard.begun(order.uid, { pid, start });
  note(held, around);
  if (early !== null) onExit(held, early);
  return { is: "running", held };
}

/** Notes a task's process. On a full disk the process runs on without its notes: its group still shows it. */
function note(held: HeldTask, around: Surroundings): void {
  const { order, dir, claim, group, pid, start, started_ms } = held;
  try {
    appendLines(claim, pidLine({ pid, start, started_ms }, clocksNow()));
    around.journal.begun({ uid: order.uid, name: order.name, pid, start, dir, group, held: order.held });
  } catch (error) {
    around.say(`task ${order.name}: its process ${pid} could not be noted`, { why: messageOf(error) });
  }
}
