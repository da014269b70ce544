// Writes the journal of a batch. A line is there when what it says begins to hold; one that the disk does not take
// waits, and all later ones behind it, since results are numbered in their order.

import type { ElementEnd } from "../../core/model/array";
import type { BootMs, Ms } from "../../core/units";
import { pause } from "../../os/clock";
import { messageOf } from "../../os/errors";
import { appendTo, closeFile, synced } from "../../os/files/files";
import { appendLines } from "../../os/files/task-files";
import type { Say } from "../../os/log";
import { backLine, beganLine, endedLine, mayLine, onlyLine, openLine } from "../tasks/element-journal";
import type { ElementsOrder } from "./messages";

const WRITE_AGAIN_MS = 1_000;
/** How many elements may begin without a sync: so many for each place, and not fewer than at least. */
const AHEAD = { a_place: 4, least: 64 } as const;

/** Returns how many elements more than those that have begun may begin, so that no place waits for the disk. */
export const aheadOf = ({ places }: Pick<ElementsOrder, "places">): number =>
  Math.max(AHEAD.least, AHEAD.a_place * places);

interface Waiting {
  readonly text: string;
  readonly written: () => void;
}

export class ElementLog {
  readonly #fd: number;
  readonly #say: Say;
  readonly #waiting: Waiting[] = [];
  #writing = Promise.resolve();
  /** Whether the last line may be there in part. */
  #torn = false;

  constructor(fd: number, say: Say) {
    this.#fd = fd;
    this.#say = say;
  }

  /** Resolves when the first `count` elements may begin, and the disk has that. Rejects if it does not take it. */
  async may(count: number): Promise<void> {
    this.#write(mayLine(count));
    await synced(this.#fd);
  }

  /** Says that an element begins. It must not begin if this throws. */
  began(position: number, place: number, at_ms: BootMs): void {
    this.#write(beganLine(position, place, at_ms));
  }

  /** Resolves when the end of an element is written, however long the disk takes nothing. */
  ended(position: number, end: ElementEnd, ran_ms: Ms, why?: string): Promise<void> {
    return this.#note(endedLine(position, end, ran_ms, why));
  }

  back(position: number): Promise<void> {
    return this.#note(backLine(position));
  }

  only(count: number): Promise<void> {
    return this.#note(onlyLine(count));
  }

  open(places: number): Promise<void> {
    return this.#note(openLine(places));
  }

  /** Resolves when all that was noted is written, also if the power is lost, and closes the journal. */
  async close(): Promise<void> {
    await this.#writing;
    for (;;) {
      try {
        await synced(this.#fd);
        break;
      } catch (error) {
        this.#say("a journal of elements could not be synced, and is again every second", { why: messageOf(error) });
        await pause(WRITE_AGAIN_MS);
      }
    }
    closeFile(this.#fd);
  }

  #write(text: string): void {
    if (this.#waiting.length > 0) throw new Error("its journal takes no line");
    this.#append(text);
  }

  #append(text: string): void {
    const append = this.#torn ? appendLines : appendTo;
    this.#torn = true;
    append(this.#fd, text);
    this.#torn = false;
  }

  /** Returns why a line could not be added, or null. */
  #tried(text: string): string | null {
    try {
      this.#append(text);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  }

  #note(text: string): Promise<void> {
    if (this.#waiting.length === 0) {
      const why = this.#tried(text);
      if (why === null) return Promise.resolve();
      this.#say("a journal of elements takes no line, and is tried again every second", { why });
    }
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.push({ text, written: resolve });
    if (this.#waiting.length === 1) this.#writing = this.#writeAgain();
    return promise;
  }

  async #writeAgain(): Promise<void> {
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      await pause(WRITE_AGAIN_MS);
      for (; next !== undefined && this.#tried(next.text) === null; next = this.#waiting[0]) {
        this.#waiting.shift();
        next.written();
      }
    }
  }
}
