// Begins one task: claims it, and only then makes its group and its process. Any failure after the claim is an end with
// a reason, since a claim never executes again.

import { join } from "node:path";
import type { BootMs } from "../../core/units";
import { bootMs } from "../../os/clock";
import type { GroupJoining } from "../../os/cgroup/enter";
import { openGroup, removeGroup, weigh } from "../../os/cgroup/group";
import { groupOf, type Group } from "../../os/cgroup/hierarchy";
import { messageOf } from "../../os/errors";
import { createHeld, exists } from "../../os/files/files";
import { appendLines, extentOfTaskFile } from "../../os/files/task-files";
import type { Say } from "../../os/log";
import { statOf } from "../../os/proc";
import { launch, type ProcessExit } from "../../os/process/spawn";
import { trace } from "../../os/trace";
import { ELEMENTS, mayLine } from "../tasks/element-journal";
import type { Journal } from "../tasks/living";
import { clocksNow } from "../tasks/moments";
import { claimText, FILES, pidLine, type StartCause } from "../tasks/taskdir";
import { inTrouble } from "./clear";
import { commandOf, type Whereabouts, type Wrapped, type Wrappers } from "./command";
import { aheadOf } from "./element-log";
import { grouping, limitsOfPlaces } from "./grouping";
import type { Guard } from "./guard";
import { launchIn, type Inherited } from "./launching";
import { isOfBatch, type OrderOfBatch, type TaskOrder } from "./messages";
import { missingBehindWrapper, whereabouts } from "./whereabouts";

export interface Surroundings extends Inherited {
  /** Ends exclusive tasks where this keeper cannot. */
  readonly guard: Guard;
  /** The name by which the cgroups were found. */
  readonly group_name: string;
  readonly joining: GroupJoining;
  readonly tasks: string;
  /** The journal that shows tasks whose directory is lost. */
  readonly journal: Journal;
  readonly wrappers: Wrappers;
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

/** A batch has no main process, and this stands for it where one is named. No process has this pid. */
export const NO_PROCESS = { pid: 0, start: "" } as const;

/** A batch of which elements can begin now. */
export interface ReadyBatch extends Pick<HeldTask, "dir" | "claim" | "group" | "started_ms"> {
  readonly order: OrderOfBatch;
  readonly begins: Whereabouts;
  /** Its journal, open for the lines that follow: the first elements may begin already. */
  readonly journal: number;
}

const LEASE_OVER = "its lease was over before it began";

export type Begun =
  | { readonly is: "running"; readonly held: HeldTask }
  | { readonly is: "batch"; readonly ready: ReadyBatch }
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
  const begins = whereabouts(order);
  if (typeof begins === "string") return failed("no_directory", begins);
  const wrapped = commandOf(order, begins, around.wrappers);
  if (typeof wrapped === "string") return failed("node_unable", wrapped);
  // A command that is missing is the end of each element of a batch.
  const missing = isOfBatch(order) ? null : missingBehindWrapper(order, begins, wrapped);
  if (missing !== null) return failed("no_command", missing, 127);
  if (!hasWholeInput(order, claimed.dir)) return failed("node_unable", "its standard input is not whole there");
  const grouped = grouping(around, order);
  if (typeof grouped === "string") return failed("node_unable", grouped);
  if (isOfBatch(order)) return beginBatch({ ...claimed, order, begins }, around);
  // The claim and the guard may have taken long, on a disk that hangs. After this nothing is waited for.
  const unguarded = (await guarding(order, group, around.guard)) ?? (callbacks.isLeased() ? null : LEASE_OVER);
  if (unguarded !== null) {
    letGo(order, around);
    removeGroup(group);
    return failed("node_unable", unguarded);
  }
  return run({ ...claimed, wrapped }, around, callbacks.onExit);
}

/** Makes what all elements of a batch need. What it throws is a failure of the whole batch. */
async function beginBatch(claimed: Omit<ReadyBatch, "journal" | "started_ms">, around: Surroundings): Promise<Begun> {
  const { order, dir, group } = claimed;
  openGroup(around.cgroups, group);
  const unweighed = weigh(around.cgroups, group, limitsOfPlaces(order.limits, order.batch.places));
  if (unweighed !== null) around.say(`batch ${order.name} has no share of its own`, { why: unweighed });
  const journal = await createHeld(join(dir, ELEMENTS), mayLine(aheadOf(order.batch)));
  if (journal === null) throw new Error("it has a journal of elements already");
  inTrouble(around.say, `batch ${order.name} could not be noted`, undefined, () =>
    show({ order, dir, group, ...NO_PROCESS }, around),
  );
  return { is: "batch", ready: { ...claimed, journal, started_ms: bootMs() } };
}

/** Returns whether the standard input of a task is in its directory, or it has none. */
const hasWholeInput = ({ stdin_bytes }: TaskOrder, dir: string): boolean =>
  stdin_bytes === undefined || extentOfTaskFile(dir, FILES.stdin).size === stdin_bytes;

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
  const command = {
    argv: wrapped.argv,
    env: wrapped.env,
    cwd: wrapped.cwd,
    cgroup: around.joining.dirFor(group),
    stdin: order.stdin_bytes === undefined ? null : join(dir, FILES.stdin),
    stdout: join(dir, FILES.stdout),
    stderr: join(dir, FILES.stderr),
    writer: order.account,
    notes: wrapped.tells ? join(dir, FILES.notes) : null,
  };
  const launched = launchIn(group, order, around, () => launch(command, exited));
  if (launched.is === "failed") {
    letGo(order, around);
    removeGroup(group);
    const { code, why, lacks } = launched;
    return { is: "failed", claim, at_ms: bootMs(), code, cause: CAUSE_OF[lacks], why };
  }
  const { pid } = launched;
  trace("keeper: begun");
  const started_ms = bootMs();
  const start = statOf(pid)?.start ?? "0";
  held = { ...ready, pid, start, started_ms, blamed_until_ms: 0 };
  if (order.lease_ms !== null) around.guard.begun(order.uid, { pid, start });
  noteProcess(held, around);
  if (early !== null) onExit(held, early);
  return { is: "running", held };
}

/** Notes a task's process. On a full disk the process runs on without its notes: its group still shows it. */
function noteProcess(held: HeldTask, around: Surroundings): void {
  const { order, claim, pid, start, started_ms } = held;
  inTrouble(around.say, `task ${order.name}: its process ${pid} could not be noted`, undefined, () => {
    appendLines(claim, pidLine({ pid, start, started_ms }, clocksNow()));
    show(held, around);
  });
}

/** Has the keeper's journal show a task. */
function show(
  { order, dir, group, pid, start }: Pick<HeldTask, "order" | "dir" | "group" | "pid" | "start">,
  { journal }: Surroundings,
): void {
  journal.begun({ uid: order.uid, name: order.name, pid, start, dir, group, held: order.held });
}
