// The requests that this node leaves, the report about them to the server, and the moment at which the agent may end.
// There are three sources: a notice of the machine's owner, a request to end the agent, and an operator who takes the
// node out of the cluster.

import { formatRest } from "../../core/format";
import { SECOND_MS, type BootMs, type Ms } from "../../core/units";
import type { UnfinishedTask } from "../loop/loop";
import type { Leave } from "../link/link";

export type LeaveSource = "notice" | "term" | "leave";

export interface LeaveRequestsOptions {
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
  /** Returns the tasks that still run here, or whose end the server has not stored. */
  readonly left: () => readonly UnfinishedTask[];
  /** Called when the result of `now` has changed. */
  readonly changed: () => void;
  /** Asks the server to forget this node. */
  readonly farewell: () => void;
}

/** The progress of a request, for people who wait for it. */
export interface RequestProgress {
  readonly noted: boolean;
  readonly left: readonly UnfinishedTask[];
}

const LOOK_EVERY_MS = 200;
const FAREWELL_EVERY_MS = SECOND_MS;

const endOf = ({ until_ms }: Leave): Ms => until_ms ?? Number.POSITIVE_INFINITY;

export class LeaveRequests {
  readonly #options: LeaveRequestsOptions;
  readonly #wants = new Map<LeaveSource, Leave>();
  readonly #over = new AbortController();
  readonly #watchers = new Set<(progress: RequestProgress) => void>();
  #noted = false;
  #farewell_ms: Ms = 0;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(options: LeaveRequestsOptions) {
    this.#options = options;
  }

  /** Aborts when an agent that was asked to end waits for nothing more, or its time is over. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  wants(source: LeaveSource): boolean {
    return this.#wants.has(source);
  }

  /** Returns the leave to report: the earliest time, and all reasons. Returns null if the node stays. */
  now(): Leave | null {
    const all = [...this.#wants.values()];
    const [first] = all.toSorted((a, b) => endOf(a) - endOf(b));
    return first === undefined ? null : { ...first, why: all.map(({ why }) => why).join("; ") };
  }

  begin(source: LeaveSource, leave: Leave): void {
    const before = this.#wants.get(source);
    if (before?.until_ms === leave.until_ms && before.why === leave.why) return;
    this.#wants.set(source, leave);
    this.#said();
  }

  withdraw(source: LeaveSource): void {
    if (this.#wants.delete(source)) this.#said();
  }

  #said(): void {
    this.#noted = false;
    const { changed, say, clock } = this.#options;
    changed();
    const leave = this.now();
    if (leave === null) {
      say("this node stays");
      for (const watcher of this.#watchers) watcher({ noted: false, left: [] });
      if (this.#timer !== null) clearInterval(this.#timer);
      this.#timer = null;
      return;
    }
    const rest = leave.until_ms === null ? "" : `, in ${formatRest(leave.until_ms - clock())}`;
    say(`this node leaves: ${leave.why}${rest}`);
    this.#timer ??= setInterval(() => this.#look(), LOOK_EVERY_MS);
  }

  /**
   * Handles the server's answer: it has stored the leave; or a person wants the node to stay. The latter withdraws only
   * the operator's request, not a notice or an end.
   */
  noted(leaving: boolean): void {
    if (leaving) this.#noted = this.#wants.size > 0;
    else if (this.#wants.size > 0) this.withdraw("leave");
  }

  /** Calls the watcher at every look, until the returned function is called. */
  watch(watcher: (progress: RequestProgress) => void): () => void {
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  #look(): void {
    const { clock, left, farewell } = this.#options;
    const progress = { noted: this.#noted, left: left() };
    const isEmpty = progress.noted && progress.left.length === 0;
    for (const watcher of this.#watchers) watcher(progress);
    const term = this.#wants.get("term");
    if (term !== undefined && (isEmpty || clock() >= (term.until_ms ?? Number.POSITIVE_INFINITY))) {
      this.#over.abort();
    }
    if (!isEmpty || !this.wants("leave") || clock() - this.#farewell_ms < FAREWELL_EVERY_MS) return;
    this.#farewell_ms = clock();
    farewell();
  }

  close(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#watchers.clear();
  }
}
