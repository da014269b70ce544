// One place of a batch: its directory, its output files and its control group, which one element after the other has.

import { ELEMENT_WHY, type ElementEnd } from "../../core/model/array";
import type { BootMs, Ms } from "../../core/units";
import { atMoment, bootMs } from "../../os/clock";
import { askToEnd } from "../../os/cgroup/ask";
import type { Group } from "../../os/cgroup/hierarchy";
import { killTask } from "../../os/cgroup/kill";
import { messageOf } from "../../os/errors";
import { statOf } from "../../os/proc";
import { Processes } from "../../os/process/find";
import { signalName, signalNumber } from "../../os/process/signals";
import { execute, type Launched, type ProcessExit } from "../../os/process/spawn";
import { startFailed, type StartCause } from "../tasks/taskdir";
import type { ReadyBatch, Surroundings } from "./begin";
import { clear, inTrouble } from "./clear";
import { commandOf, type Wrapped } from "./command";
import { couldNotBegin } from "./finish";
import { watchGrowth, type Growth } from "./growth";
import { launchIn } from "./launching";
import { PlaceFiles } from "./place-files";
import { PlaceGroup } from "./place-group";
import { missingBehindWrapper } from "./whereabouts";

const SIGKILL = 9;
/** What a shell exits with where a command cannot be executed. */
const [NOT_EXECUTABLE, NOT_FOUND] = [126, 127];
/** How often what does not end is killed. */
const KILL_AGAIN_MS = 1_000;

/** Why nothing of an element executed, where others would have the same trouble here. */
export interface NodeTrouble {
  readonly cause: StartCause;
  readonly reason: string;
}

/** What became of an element. `back`: it did not execute, and goes back. */
export type Ran =
  | { readonly is: "ended"; readonly end: ElementEnd; readonly ran_ms: Ms; readonly why?: string }
  | { readonly is: "back"; readonly trouble: NodeTrouble };

const unable = (why: string): Ran => ({ is: "back", trouble: startFailed(why, "node_unable") });
const notBegun = (end: number, why: string): Ran => ({
  is: "ended",
  end,
  ran_ms: 0,
  why: startFailed(why, "no_command").reason,
});

/** The process of an element, while it runs. */
interface Running {
  readonly number: number;
  readonly pid: number;
  readonly start: string;
  readonly wrapped: Wrapped;
  readonly growth: Growth;
  /** Whether it was asked to end since its time was over. */
  late: boolean;
}

export class ElementPlace {
  readonly number: number;
  readonly #batch: ReadyBatch;
  readonly #around: Surroundings;
  readonly #files: PlaceFiles;
  #group: PlaceGroup | null = null;
  /** How many groups could not be removed again, and have the name that this place's had. */
  #stuck = 0;
  #running: Running | null = null;

  constructor(number: number, batch: ReadyBatch, around: Surroundings) {
    this.number = number;
    this.#batch = batch;
    this.#around = around;
    this.#files = new PlaceFiles(number, batch, around.say);
  }

  /** Returns how the output of the element grows that runs here. */
  growth(): Growth | null {
    return this.#running?.growth ?? null;
  }

  /** Makes what an element needs, as far as it is not there from the one before. */
  prepare(): void {
    this.#files.prepare();
    const { order, group } = this.#batch;
    const name = `${order.uid}/${this.number}${this.#stuck === 0 ? "" : `.${this.#stuck}`}`;
    this.#group ??= new PlaceGroup(this.#around.cgroups, group, name, order.limits);
  }

  /** Runs the element of this number, and resolves when nothing of it lives and its output is where it stays. */
  async run(number: number): Promise<Ran> {
    const exited = Promise.withResolvers<ProcessExit>();
    const began_ms = bootMs();
    const begun = this.#begin(number, exited.resolve);
    if ("is" in begun) return begun;
    this.#running = begun;
    const exit = await this.#whileLimited(begun, exited.promise, began_ms);
    const ran = await this.#over(begun, exit, bootMs() - began_ms);
    this.#running = null;
    return ran;
  }

  #begin(number: number, onExit: (exit: ProcessExit) => void): Running | Ran {
    try {
      return this.#launch(number, onExit);
    } catch (error) {
      return unable(messageOf(error));
    }
  }

  /** Starts the process of an element. Whatever it throws, nothing was started. */
  #launch(number: number, onExit: (exit: ProcessExit) => void): Running | Ran {
    const { order, begins } = this.#batch;
    const slot = { ORCH_SLOT: String(number), ORCH_ATTEMPT: String(order.batch.round) };
    const wrapped = commandOf({ ...order, env: { ...order.env, ...slot } }, begins, this.#around.wrappers);
    if (typeof wrapped === "string") return unable(wrapped);
    const missing = missingBehindWrapper(order, begins, wrapped);
    if (missing !== null) return notBegun(NOT_FOUND, missing);
    const launched = this.#execute(wrapped, onExit);
    if (launched.is === "failed") {
      const { lacks, why, code } = launched;
      return lacks === "system" ? unable(why) : notBegun(code ?? NOT_EXECUTABLE, why);
    }
    const { pid } = launched;
    // In a group what it leaves is found without its start.
    const isGrouped = this.#inGroup().length > 0;
    const start = isGrouped ? "" : inTrouble(this.#around.say, "a start is not known", "", () => startOf(pid));
    return { number, pid, start, wrapped, growth: watchGrowth(this.#files.dir, order.log_cap_bytes), late: false };
  }

  #inGroup(): Group {
    return this.#group?.all ?? [];
  }

  #execute(wrapped: Wrapped, onExit: (exit: ProcessExit) => void): Launched {
    const group = this.#inGroup();
    const streams = this.#files.streams(wrapped.tells);
    const command = { argv: wrapped.argv, env: wrapped.env, cwd: wrapped.cwd, cgroup: group[0] ?? null };
    return launchIn(group, this.#batch.order, this.#around, () => execute(command, streams, onExit));
  }

  /** Waits for the end of an element, which is asked to end when its time is over, and killed after its grace. */
  async #whileLimited(running: Running, exited: Promise<ProcessExit>, began_ms: BootMs): Promise<ProcessExit> {
    const { stop, batch } = this.#batch.order;
    if (batch.time_limit_ms === null) return exited;
    const signal = signalNumber(stop.signal) ?? SIGKILL;
    const kill = (): void => {
      this.#send(running, (process, group) => killTask(process, group, new Processes()));
      cancel = atMoment(bootMs() + KILL_AGAIN_MS, kill);
    };
    let cancel = atMoment(began_ms + batch.time_limit_ms, () => {
      running.late = true;
      this.#send(running, (process, group) => askToEnd(process, signal, group));
      cancel = atMoment(bootMs() + stop.grace_ms, kill);
    });
    const exit = await exited;
    cancel();
    return exit;
  }

  #send({ pid }: Running, act: (process: { pid: number; start: string }, group: Group) => void): void {
    // Its end was not reported yet, so that the pid is its own.
    inTrouble(this.#around.say, "an element could not be ended", undefined, () =>
      act({ pid, start: startOf(pid) }, this.#inGroup()),
    );
  }

  async #over(running: Running, exit: ProcessExit, ran_ms: Ms): Promise<Ran> {
    const { order } = this.#batch;
    const { say } = this.#around;
    const left = await clear(
      {
        name: `element ${running.number} of ${order.name}`,
        group: this.#inGroup(),
        pid: running.pid,
        start: running.start,
        marker: order.marker,
        beside: `ORCH_SLOT=${running.number}`,
      },
      say,
    );
    const oom = inTrouble(say, "the memory of an element is not known", false, () => this.#group?.wasShort() === true);
    const lacks = inTrouble(say, "what an element said of its start is not known", { reason: null }, () =>
      couldNotBegin({ wrapped: running.wrapped, dir: this.#files.dir }, exit),
    );
    // A kill may have changed the group's limits, and what was killed may have made groups of its own in it.
    if (left > 0 || running.late) await this.#leaveGroup();
    this.#files.putAway(running.number, running.growth);
    const { cause, reason } = lacks;
    if (reason !== null && (cause === "no_directory" || cause === "node_unable"))
      return { is: "back", trouble: { cause, reason } };
    const why = running.late ? ELEMENT_WHY.time_limit : oom ? ELEMENT_WHY.out_of_memory : reason;
    return { is: "ended", end: endOf(exit, running.late, order.stop.signal), ran_ms, ...(why === null ? {} : { why }) };
  }

  /** Removes the group. The next element gets a new one, by another name if this one cannot be removed. */
  async #leaveGroup(): Promise<void> {
    const group = this.#group;
    if (group === null) return;
    this.#group = null;
    if (!(await group.remove(this.#around.say))) this.#stuck += 1;
  }

  /** Ends the place, in which nothing runs. */
  async close(): Promise<void> {
    this.#files.close();
    await this.#leaveGroup();
  }
}

/** The first of the signals without a name, and how it is written. */
const RTMIN = 34;

function endOf({ exit_code, signal }: ProcessExit, late: boolean, stop: string): ElementEnd {
  // One that ends well because it was asked to has not done what it was for.
  const by = late && exit_code === 0 ? signalName(stop) : signal;
  if (by === null) return exit_code ?? "unknown";
  return /^\d+$/.test(by) ? `RTMIN+${Number(by) - RTMIN}` : by;
}

const startOf = (pid: number): string => statOf(pid)?.start ?? "";
