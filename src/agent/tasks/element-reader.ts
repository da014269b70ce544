// Reads the journal of a batch as it grows, and says how the batch stands: its results so far, and those that follow
// from its end.

import { numberAt, type BatchOrder, type ElementResult } from "../../core/model/array";
import type { RecordEnd } from "../../core/model/end";
import { closeFile, readAt } from "../../os/files/files";
import { openToReadTask } from "../../os/files/task-files";
import {
  ELEMENTS,
  elementsOf,
  nothingRead,
  resultsWithoutEnd,
  takeLines,
  takeTail,
  type ElementsRead,
} from "./element-journal";

const CHUNK_BYTES = 256 * 1024;
const NEWLINE = 10;

/** Whether the journal could be read at the last look. `missing`: there is none. */
export type JournalState = "read" | "missing" | "failed";

/** A journal that is open: any part of it can be read until it is closed. */
export interface OpenJournal {
  readonly is: "open";
  readonly read: (offset: number, length: number) => Uint8Array;
  readonly close: () => void;
}

/** Opens a journal, as far as it is there. */
export type JournalSource = () => OpenJournal | { readonly is: Exclude<JournalState, "read"> };

/** Returns what opens the journal of a task. `dirOf` returns where its directory is now; null if it is gone. */
export const journalIn =
  (dirOf: () => string | null): JournalSource =>
  () => {
    const dir = dirOf();
    const opened = dir === null ? null : openToReadTask(dir, ELEMENTS);
    if (opened === null) return { is: "missing" };
    if (opened.is !== "open") return opened;
    const { fd } = opened;
    return { is: "open", read: (offset, length) => readAt(fd, offset, length), close: () => closeFile(fd) };
  };

/** What is known of one element: nothing began, it runs in a place, or it is over; or the batch does not have it. */
export type ElementState =
  { readonly is: "waiting" | "over" | "stranger" } | { readonly is: "running"; readonly place: number };

type Order = Pick<BatchOrder, "parts" | "places" | "round" | "first" | "step">;

export class ElementReader {
  /** What the journal said at the last look. */
  readonly read: ElementsRead;
  readonly #order: Order;
  readonly #elements: readonly number[];
  readonly #open: JournalSource;
  #offset = 0;
  /** What followed the last whole line at the last look. */
  #tail = "";
  #state: JournalState = "missing";
  #without: readonly ElementResult[] | null = null;

  constructor(order: Order, open: JournalSource) {
    this.read = nothingRead(order);
    this.#order = order;
    this.#elements = elementsOf(order);
    this.#open = open;
  }

  /** Which attempt of each of its elements the batch is. */
  get round(): number {
    return this.#order.round;
  }

  /** Takes in the whole lines that were added since the last look. */
  look(): JournalState {
    const opened = this.#open();
    if (opened.is !== "open") return (this.#state = opened.is);
    try {
      this.#takeNew(opened);
    } finally {
      opened.close();
    }
    return (this.#state = "read");
  }

  #takeNew({ read }: OpenJournal): void {
    for (;;) {
      const bytes = read(this.#offset, CHUNK_BYTES);
      const end = bytes.lastIndexOf(NEWLINE) + 1;
      // No line is as long as that, so these bytes are damaged.
      const taken = end === 0 && bytes.length === CHUNK_BYTES ? CHUNK_BYTES : end;
      this.#tail = new TextDecoder().decode(bytes.subarray(taken));
      if (taken === 0) return;
      takeLines(this.read, this.#elements, new TextDecoder().decode(bytes.subarray(0, taken)).split("\n"));
      this.#offset += taken;
    }
  }

  /** Returns what was known of the element with a number at the last look. */
  stateOf(number: number): ElementState {
    const position = this.#elements.findIndex((index) => numberAt(this.#order, index) === number);
    if (position < 0) return { is: "stranger" };
    const running = this.read.running.get(position);
    if (running !== undefined) return { is: "running", place: running.place };
    return { is: this.read.ended.has(position) ? "over" : "waiting" };
  }

  /**
   * Returns all results of a batch that is over: those of the journal, and those of elements of whose end it says
   * nothing. They are the same ones in the same order each time. `claimed` says whether the task's
   * claim is there.
   */
  resultsAtEnd(end: RecordEnd, claimed: () => boolean): readonly ElementResult[] {
    this.#without ??= this.#withoutEnd(end, claimed);
    return [...this.read.results, ...this.#without];
  }

  #withoutEnd(end: RecordEnd, claimed: () => boolean): readonly ElementResult[] {
    const isRead = this.look() === "read";
    takeTail(this.read, this.#elements, this.#tail);
    if (isRead || (this.#state === "missing" && mayLackJournal(end, claimed())))
      return resultsWithoutEnd(this.read, this.#elements, end.state);
    // Any of them may have begun, and nobody can tell.
    const why = "the journal of its batch cannot be read";
    return this.#elements.flatMap((index, position) =>
      this.read.ended.has(position) ? [] : [[index, "unknown", 0, why] as const],
    );
  }
}

/** Returns whether a batch that ended so may never have had a journal, since nothing of it had begun. */
const mayLackJournal = ({ state, cause, started_ms, finished_ms }: RecordEnd, claimed: boolean): boolean =>
  // One that its keeper could not begin has ended in the moment in which it began, also where it was to stop by then.
  state === "unknown" ? claimed : started_ms === null || started_ms === finished_ms || cause === "start_failed";
