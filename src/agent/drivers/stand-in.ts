// The agent stands in for a keeper that died: for the tasks that live on it does what their keeper did. It caps and
// marks their output, and when a main process has ended, it ends what that process left.

import type { BootMs } from "../../core/units";
import { bootMs } from "../../os/clock";
import { killGroup, removeGroup } from "../../os/cgroup/group";
import type { Group } from "../../os/cgroup/hierarchy";
import { messageOf } from "../../os/errors";
import { killAll, Processes, type Sought } from "../../os/process/find";
import { capAtEnd, lookAtAll, resumeGrowth, type Growth } from "../keeper/growth";
import type { Looked, ProcessHandle } from "./look";
import { markerOf } from "./order";

/** How often a task without a keeper is looked at. */
const LOOK_MS = 500;
/** How long what a task has left is tried to be found and cleared, before the task's end is told all the same. */
const CLEAR_FOR_MS = 60_000;

/** A living task without a keeper. */
interface Inherited {
  /** The output of the task, or of each element that runs. */
  readonly growths: readonly Growth[];
  readonly group: Group;
}

export interface StandInOptions {
  /** Returns the directories in which what runs of a task has its output. */
  readonly outputs: (uid: string) => readonly string[];
  /** The cap of each stream of a task's output. */
  readonly cap_bytes: number;
  readonly say: (line: string) => void;
  /** Looks at a task without a keeper. */
  readonly look: (uid: string, all: Processes) => Looked;
  /** Looks again at a task of which no keeper tells, and takes in what it sees. */
  readonly again: (uid: string, all: Processes) => void;
  /** Called when nothing of a task lives any more. */
  readonly over: (uid: string, looked: Looked) => void;
}

export class StandIn {
  readonly #options: StandInOptions;
  readonly #inherited = new Map<string, Inherited>();
  /** The tasks at which the last look failed. */
  readonly #unlooked = new Set<string>();
  /** Since when something has been failing for tasks, by uid. */
  readonly #failing = new Map<string, BootMs>();
  #watching: ReturnType<typeof setInterval> | null = null;

  constructor(options: StandInOptions) {
    this.#options = options;
  }

  /** Does for a task without a keeper what the keeper did, again and again, since nobody else does it. */
  take(uid: string, group: Group): void {
    const { outputs, cap_bytes } = this.#options;
    if (!this.#inherited.has(uid)) {
      this.#inherited.set(uid, { growths: outputs(uid).map((dir) => resumeGrowth(dir, cap_bytes)), group });
    }
    this.#watch();
  }

  /** Looks at a task of which no keeper tells. A look that fails keeps no other task from its own, and is repeated. */
  lookAgain(uid: string, all: Processes): void {
    try {
      this.#options.again(uid, all);
      if (this.#unlooked.delete(uid)) this.#failing.delete(uid);
    } catch (error) {
      this.#failed(uid, error);
      this.#unlooked.add(uid);
      this.#watch();
    }
  }

  #watch(): void {
    this.#watching ??= setInterval(() => this.#lookAtAll(), LOOK_MS);
  }

  /** Leaves a task alone that is over, or that a keeper keeps. */
  leave(uid: string): void {
    this.#inherited.delete(uid);
  }

  drop(uid: string): void {
    this.leave(uid);
    this.#unlooked.delete(uid);
    this.#failing.delete(uid);
  }

  close(): void {
    if (this.#watching !== null) clearInterval(this.#watching);
    this.#watching = null;
  }

  /** Finds what lives of a task outside of its group; null while that fails, which is not waited for for ever. */
  outliving(uid: string, main: Pick<Sought, "leader" | "recent">, all: Processes): ProcessHandle[] | null {
    try {
      return all.find({ ...main, marker: markerOf(uid) });
    } catch (error) {
      return bootMs() - this.#failed(uid, error) < CLEAR_FOR_MS ? null : [];
    }
  }

  #lookAtAll(): void {
    const { say } = this.#options;
    lookAtAll(
      [...this.#inherited.values()].flatMap(({ growths }) => growths),
      (why) => say(`output could not be watched: ${why}`),
    );
    const all = new Processes();
    for (const uid of this.#unlooked) this.lookAgain(uid, all);
    for (const [uid, inherited] of this.#inherited) {
      try {
        this.#end(uid, inherited, all);
      } catch (error) {
        // It is tried again at the next look, and keeps no other task from its end.
        this.#failed(uid, error);
      }
    }
    if (this.#inherited.size + this.#unlooked.size === 0) this.close();
  }

  #end(uid: string, { growths, group }: Inherited, all: Processes): void {
    const { say, look, over } = this.#options;
    const now = look(uid, all);
    if (now.seen.process.is === "alive" && now.left === undefined) {
      // It lives, so an earlier failure says nothing of how long what it leaves cannot be cleared.
      this.#failing.delete(uid);
      return;
    }
    if (this.#clear(uid, group, now.left) > 0) return;
    // What was killed may be gone only now.
    const last = look(uid, all);
    if (last.seen.process.is === "alive") return;
    removeGroup(group);
    over(uid, last);
    for (const { dir, cap_bytes } of growths) {
      capAtEnd(dir, cap_bytes, (why) => say(`output could not be capped: ${why}`));
    }
  }

  /**
   * Kills what is left of a task whose main process has ended. Returns how many were found. What always fails keeps the
   * task's end from being told for a while, and not for ever.
   */
  #clear(uid: string, group: Group, left: Looked["left"]): number {
    try {
      const found = killAll(left ?? []) + killGroup(group);
      if (left !== null) this.#failing.delete(uid);
      return found;
    } catch (error) {
      if (bootMs() - this.#failed(uid, error) < CLEAR_FOR_MS) throw error;
      return 0;
    }
  }

  /** Notes that something failed for a task, and says it at the first time. Returns since when it has been failing. */
  #failed(uid: string, error: unknown): BootMs {
    const since_ms = this.#failing.get(uid) ?? bootMs();
    if (!this.#failing.has(uid)) this.#options.say(`task ${uid} could not be looked at: ${messageOf(error)}`);
    this.#failing.set(uid, since_ms);
    return since_ms;
  }
}
