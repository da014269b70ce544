// Runs the elements of a batch, place by place, without a word to the agent between two of them. What it began and how
// that ended is in the batch's journal, before anybody is told.

import { numberAt, sayElementEnd } from "../../core/model/array";
import type { TaskExit } from "../../core/model/end";
import { atMoment, bootMs, pause } from "../../os/clock";
import { memoryFacts, removeGroup, weigh } from "../../os/cgroup/group";
import { messageOf } from "../../os/errors";
import { elementsOf } from "../tasks/element-journal";
import { startFailed } from "../tasks/taskdir";
import type { ReadyBatch, Surroundings } from "./begin";
import { inTrouble, removeLater } from "./clear";
import { aheadOf, ElementLog } from "./element-log";
import { limitsOfPlaces } from "./grouping";
import type { Growth } from "./growth";
import { ElementPlace, type NodeTrouble } from "./element-place";

/** How long a place without an element is held, so that a batch that is about to end says nothing of its places. */
const IDLE_MS = 300;
const TELL_EVERY_MS = 50;

export class RunningBatch {
  readonly #batch: ReadyBatch;
  readonly #around: Surroundings;
  readonly #told: (ended: number, open: number) => void;
  readonly #log: ElementLog;
  readonly #elements: readonly number[];
  readonly #places: readonly ElementPlace[];
  /** How many elements were taken to be begun, and how many may be. */
  #taken = 0;
  #may: number;
  #extending: Promise<void> | null = null;
  #ended = 0;
  #open: number;
  /** Aborted when nothing more begins, and when nothing more runs. */
  readonly #halted = new AbortController();
  readonly #isHalted = aborted(this.#halted.signal);
  readonly #finished = new AbortController();
  /** Why elements could not begin; null if they could. */
  #trouble: NodeTrouble | null = null;
  #stopped = false;
  #telling: ReturnType<typeof setTimeout> | null = null;

  constructor(batch: ReadyBatch, around: Surroundings, told: (ended: number, open: number) => void) {
    const { batch: order } = batch.order;
    this.#batch = batch;
    this.#around = around;
    this.#told = told;
    this.#log = new ElementLog(batch.journal, around.say);
    this.#elements = elementsOf(order);
    this.#may = aheadOf(order);
    this.#open = Math.min(order.places, this.#elements.length);
    this.#places = Array.from({ length: this.#open }, (_, number) => new ElementPlace(number, batch, around));
  }

  growths(): Growth[] {
    return this.#places.flatMap((place) => place.growth() ?? []);
  }

  /** Tells how far the batch is. */
  tell(): void {
    if (this.#telling !== null) clearTimeout(this.#telling);
    this.#telling = null;
    this.#told(this.#ended, this.#open);
  }

  /** Begins no further element, since the batch is being stopped: what ends from now on is stopped with it. */
  halt(): void {
    this.#stopped = true;
    this.#beginNoMore();
  }

  #beginNoMore(): void {
    if (this.#halted.signal.aborted) return;
    this.#halted.abort();
    if (this.#taken === this.#elements.length) return;
    this.#note(this.#log.only(this.#taken));
    this.#tellSoon();
  }

  /** Runs the batch. Resolves with its end when nothing of it is left, and its results are safe. */
  async run(): Promise<TaskExit> {
    const { started_ms, order } = this.#batch;
    const cancel = atMoment(started_ms + order.batch.begins_for_ms, () => this.#beginNoMore());
    if (this.#open < order.batch.places) this.#note(this.#log.open(this.#open));
    let busy = this.#places.length;
    await Promise.all(
      this.#places.map(async (place) => {
        await this.#serve(place);
        busy -= 1;
        if (busy === 0) this.#finished.abort();
        else await this.#giveUp();
        await place.close();
      }),
    );
    cancel();
    await this.#log.close();
    const exit = this.#exit();
    const { group } = this.#batch;
    if (!removeGroup(group)) await removeLater(group, this.#around.cgroups, this.#around.say);
    this.tell();
    return exit;
  }

  #exit(): TaskExit {
    const { group, started_ms } = this.#batch;
    const failed = this.#ended === 0 ? this.#trouble : null;
    const peak_memory_bytes = inTrouble(
      this.#around.say,
      "the memory that a batch has used is not known",
      null,
      () => memoryFacts(group).peak_bytes,
    );
    return {
      exit_code: failed === null ? 0 : null,
      signal: null,
      started_ms,
      ended_ms: bootMs(),
      peak_memory_bytes,
      oom: false,
      left: 0,
      ...(failed ?? { reason: null }),
    };
  }

  /** Runs one element after the other in a place, until it finds no further one. */
  async #serve(place: ElementPlace): Promise<void> {
    for (;;) {
      const position = this.#take() ?? (await this.#takeLater());
      if (position === null) return;
      await this.#run(place, position);
    }
  }

  /** Takes the next element; null if there is none that may begin now. */
  #take(): number | null {
    if (this.#halted.signal.aborted || this.#taken >= this.#elements.length) return null;
    if (bootMs() - this.#batch.started_ms >= this.#batch.order.batch.begins_for_ms) {
      this.#beginNoMore();
      return null;
    }
    const ahead = aheadOf(this.#batch.order.batch);
    if (this.#may - this.#taken <= ahead / 2) this.#extend(this.#taken + ahead);
    return this.#taken < this.#may ? this.#taken++ : null;
  }

  /** Waits until another element may begin, and takes it; null if there is none. */
  async #takeLater(): Promise<number | null> {
    while (this.#extending !== null && !this.#halted.signal.aborted && this.#taken < this.#elements.length) {
      await Promise.race([this.#extending, this.#isHalted]);
      const position = this.#take();
      if (position !== null) return position;
    }
    return null;
  }

  /** Lets more elements begin, once the disk has that. */
  #extend(count: number): void {
    if (this.#extending !== null || this.#may >= this.#elements.length) return;
    this.#extending = this.#log
      .may(count)
      .then(() => {
        this.#may = count;
      })
      .catch((error: unknown) => this.#cease(startFailed(messageOf(error), "node_unable")))
      .finally(() => {
        this.#extending = null;
      });
  }

  async #run(place: ElementPlace, position: number): Promise<void> {
    try {
      place.prepare();
      this.#log.began(position, place.number, bootMs());
    } catch (error) {
      this.#cease(startFailed(messageOf(error), "node_unable"));
      // The line of its beginning may be there in part.
      return this.#log.back(position);
    }
    const ran = await place.run(numberAt(this.#batch.order.batch, this.#elements[position] ?? 0));
    if (ran.is === "back") {
      this.#cease(ran.trouble);
      return this.#log.back(position);
    }
    if (this.#stopped) await this.#log.ended(position, "stopped", ran.ran_ms, ran.why ?? sayElementEnd(ran.end));
    else await this.#log.ended(position, ran.end, ran.ran_ms, ran.why);
    this.#ended += 1;
    this.#tellSoon();
  }

  /** Begins no further element, for a trouble that each of them would have. */
  #cease(trouble: NodeTrouble): void {
    this.#trouble ??= trouble;
    this.#around.say(`batch ${this.#batch.order.name} begins nothing more here`, { why: trouble.reason });
    this.#beginNoMore();
  }

  /** Gives a place up once it was idle for a while, unless the batch ends meanwhile. */
  async #giveUp(): Promise<void> {
    await pause(IDLE_MS, this.#finished.signal);
    if (this.#finished.signal.aborted) return;
    this.#open -= 1;
    const { order, group } = this.#batch;
    const unweighed = weigh(this.#around.cgroups, group, limitsOfPlaces(order.limits, this.#open));
    if (unweighed !== null)
      this.#around.say("a batch has the weight of places that it has given up", { why: unweighed });
    this.#note(this.#log.open(this.#open));
    this.#tellSoon();
  }

  /** Has something noted that nothing waits for: the journal is closed after it. */
  #note(noted: Promise<void>): void {
    noted.catch((error: unknown) => this.#around.say("a batch could not be noted", { why: messageOf(error) }));
  }

  #tellSoon(): void {
    this.#telling ??= setTimeout(() => this.tell(), TELL_EVERY_MS);
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
