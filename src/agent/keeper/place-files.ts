// The files of one place of a batch. The output files stay open and are handed to one element after the other, for as
// long as none of them writes anything: most elements of a large array do not.

import { join } from "node:path";
import { clearAway, closeFile, exists, makePrivateDir, renameTo } from "../../os/files/files";
import { handOutput, holdOutput, sizeOfHeld, type HeldOutput } from "../../os/files/task-files";
import type { Say } from "../../os/log";
import { give, openFor, type Descriptors } from "../../os/process/spawn";
import { FILES } from "../tasks/taskdir";
import type { ReadyBatch } from "./begin";
import { inTrouble } from "./clear";
import { capAtEnd, type Growth } from "./growth";

export class PlaceFiles {
  readonly dir: string;
  readonly #batch: ReadyBatch;
  readonly #say: Say;
  #outputs: readonly [stdout: HeldOutput, stderr: HeldOutput] | null = null;

  constructor(place: number, batch: ReadyBatch, say: Say) {
    this.dir = join(batch.dir, `place.${place}`);
    this.#batch = batch;
    this.#say = say;
  }

  /** Makes the files that an element writes to, unless the one before has left them empty. */
  prepare(): void {
    if (this.#outputs !== null) return;
    makePrivateDir(this.dir);
    const { account } = this.#batch.order;
    const hold = (name: string): HeldOutput => {
      const held = holdOutput(this.dir, name);
      if (account !== null) give(held.fd, account.gid, 0o660);
      return held;
    };
    this.#outputs = [hold(FILES.stdout), hold(FILES.stderr)];
  }

  /** Returns how the descriptors of an element are opened, each of them anew. `tells`: it says why it cannot begin. */
  streams(tells: boolean): Descriptors {
    const { dir, order } = this.#batch;
    const { account, stdin_bytes } = order;
    if (this.#outputs === null) throw new Error("a place was not prepared");
    const [stdout, stderr] = this.#outputs;
    return {
      stdin: stdin_bytes === undefined ? null : () => openFor(account, join(dir, FILES.stdin), "input"),
      stdout: () => handOutput(stdout),
      stderr: () => handOutput(stderr),
      notes: tells ? () => openFor(account, join(this.dir, FILES.notes), "output") : null,
    };
  }

  /** Gives the directory the name of the element that has ended, if it has written anything: it is where it stays. */
  putAway(number: number, growth: Growth): void {
    const { order, dir } = this.#batch;
    inTrouble(this.#say, "the output of an element could not be put away", undefined, () => {
      const isMarked = growth.streams.some(({ marks, base }) => marks > 0 || base > 0);
      if (!isMarked && (this.#outputs ?? []).every((output) => sizeOfHeld(output) === 0)) return;
      try {
        capAtEnd(this.dir, order.log_cap_bytes, (why) => this.#say("output could not be capped", { why }));
      } finally {
        // Whatever the element has made of its directory, the next one writes into files of its own.
        this.#closeOutputs();
      }
      const { round } = order.batch;
      renameTo(this.dir, join(dir, round === 1 ? String(number) : `${number}.${round}`));
    });
    // What could not be put away must not become the output of the next one.
    if (this.#outputs === null && exists(this.dir)) clearAway(this.dir);
  }

  #closeOutputs(): void {
    const outputs = this.#outputs ?? [];
    this.#outputs = null;
    for (const { fd } of outputs) closeFile(fd);
  }

  close(): void {
    this.#closeOutputs();
    clearAway(this.dir);
  }
}
