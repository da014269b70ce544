// That this machine is about to go: who says so, what the server is told, and when the agent may end. Three may say so:
// a notice of the machine's owner, a request to end, and an operator who takes the node out of the cluster.

import { formatRest } from "../../core/format";
import { SECOND_MS, type Ms } from "../../core/units";
import type { UnfinishedTask } from "../loop/loop";
import type { Leave } from "../link/link";

export type LeaveSource = "notice" | "term" | "leave";

export interface LeaveRequestsOptions {
  readonly clock: () => Ms;
  readonly say: (line: string) => void;
  /** What still lives here, or whose end the server has not seen. */
  readonly left: () => readonly UnfinishedTask[];
  /** What the server is to hear has changed. */
  readonly changed: () => void;
  /** Asks the server to forget this node. */
  readonly farewell: () => void;
}

/** How far it is, for the one who waits beside. */
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

  /** Aborts when an agent that was asked to end has nothing to wait for any more. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  wants(source: LeaveSource): boolean {
    return this.#wants.has(source);
  }

  /** What the server is to hear: the first of the times, all of the reasons. */
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

  /** The server has taken it in; or a person wants the node to stay, which only takes back what a person said. */
  noted(leaving: boolean): void {
    if (leaving) this.#noted = this.#wants.size > 0;
    else if (this.#wants.size > 0) this.withdraw("leave");
  }

  /** Tells of every look until it is stopped. */
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
