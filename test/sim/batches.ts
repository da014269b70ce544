// A simulated keeper's batch: it runs the elements place by place and keeps the real journal, as
// src/agent/keeper/running-batch.ts does. Its elements outlive it.

import type { BatchOrder, ElementEnd } from "../../src/core/model/array";
import type { StartTrouble } from "../../src/core/model/end";
import {
  backLine,
  beganLine,
  elementsOf,
  endedLine,
  mayLine,
  onlyLine,
  openLine,
} from "../../src/agent/tasks/element-journal";
import { startFailed } from "../../src/agent/tasks/taskdir";
import { behaviourOfElement, type Execution, type Executions } from "./elements";
import type { Journal } from "./journal";
import type { Exit, Machine, Process } from "./machine";
import type { Random } from "./random";
import type { Schedule } from "./schedule";

export interface BatchHands {
  readonly schedule: Schedule;
  readonly random: Random;
  readonly elements: Executions;
  readonly isCalm: () => boolean;
  /** Called when nothing of a batch is left: with its end if the keeper saw that, else null. */
  readonly over: (machine: Machine, process: Process, exit: Exit | null) => void;
  /** Called when a keeper has written how many elements begin, or how many places are left. */
  readonly wrote: (
    machine: Machine,
    process: Process,
    said: { readonly only?: number; readonly open?: number },
  ) => void;
}

const IDLE_MS = 300;
const TELL_EVERY_MS = 50;
const WRITE_AGAIN_MS = 1_000;
const BLOCK_BYTES = 4_096;
/** How long a halt waits for a keeper that does not answer, before what runs is signalled. */
const HEARD_MS = 250;

/** What lives of an element. */
interface Running {
  readonly execution: Execution;
  readonly hangs: boolean;
  /** Why its keeper ends it, or null. */
  why: string | null;
}

export class SimBatch {
  readonly #hands: BatchHands;
  readonly #machine: Machine;
  readonly #process: Process;
  readonly #order: BatchOrder;
  readonly #elements: readonly number[];
  readonly #journal: Journal;
  readonly #boot: string;
  readonly #deaths: number;
  readonly #ahead: number;
  /** What lives, by position. */
  readonly running = new Map<number, Running>();
  /** Places that are not given up, and those that have not run out of elements. */
  open: number;
  #busy: number;
  #taken = 0;
  #may: number;
  #extending = false;
  /** Places that wait until more elements may begin. */
  readonly #waiting: number[] = [];
  #halted = false;
  #stopped = false;
  #finished = false;
  #ended = 0;
  #trouble: ReturnType<typeof startFailed> | null = null;
  readonly #unwritten: { readonly text: string; readonly written: () => void }[] = [];
  #telling = false;

  constructor(hands: BatchHands, machine: Machine, process: Process, order: BatchOrder) {
    const { random } = hands;
    this.#hands = hands;
    this.#machine = machine;
    this.#process = process;
    this.#order = order;
    this.#elements = elementsOf(order);
    this.#boot = machine.boot_id;
    this.#deaths = machine.deaths;
    this.open = this.#busy = Math.min(order.places, this.#elements.length);
    this.#ahead = random.pick([1, 1, 4, 64]) + this.open;
    this.#may = this.#ahead;
    const text = mayLine(this.#ahead);
    this.#journal = { text, synced: text.length };
    machine.disk.journals.set(process.uid, this.#journal);
  }

  begin(): void {
    const { schedule } = this.#hands;
    if (this.open < this.#order.places) this.#note(openLine(this.open));
    schedule.in(this.#order.begins_for_ms, () => this.#awake(() => this.#beginNoMore()));
    for (let place = 0, places = this.open; place < places; place++) this.#serve(place);
  }

  get #isKept(): boolean {
    return this.#machine.boot_id === this.#boot && this.#machine.deaths === this.#deaths && this.#process.kept;
  }

  /** Does something as the keeper: at once, when it or its disk hangs no more, or never if it is dead. */
  #awake(what: () => void): void {
    const { schedule } = this.#hands;
    const { keeper, disk } = this.#machine.hangs;
    const at_ms = Math.max(keeper, disk);
    if (this.#isOver || !this.#isKept) return;
    if (at_ms > schedule.now_ms) schedule.at(at_ms, () => this.#awake(what));
    else what();
  }

  get #isOver(): boolean {
    return this.#machine.processes.get(this.#process.uid) !== this.#process;
  }

  // ---- the journal

  /** Returns whether a line could be written. */
  #write(text: string): boolean {
    if (this.#unwritten.length > 0 || !this.#takes(text)) return false;
    this.#journal.text += text;
    return true;
  }

  /** Returns whether the disk takes a line: a full one those that fit into a block that the journal has. */
  #takes(text: string): boolean {
    const used = this.#journal.text.length % BLOCK_BYTES;
    return !this.#machine.full || (used > 0 && used + text.length <= BLOCK_BYTES);
  }

  /** Writes a line, however long the disk takes nothing. */
  #note(text: string, written: () => void = () => undefined): void {
    if (this.#write(text)) return written();
    this.#unwritten.push({ text, written });
    if (this.#unwritten.length === 1) this.#writeLater();
  }

  #writeLater(): void {
    this.#hands.schedule.in(WRITE_AGAIN_MS, () =>
      this.#awake(() => {
        for (let next = this.#unwritten[0]; next !== undefined && this.#takes(next.text); next = this.#unwritten[0]) {
          this.#journal.text += next.text;
          this.#unwritten.shift();
          next.written();
        }
        if (this.#unwritten.length > 0) this.#writeLater();
      }),
    );
  }

  /** Calls `done` once the disk has all that was written by now. */
  #sync(done: () => void): void {
    const { schedule, random } = this.#hands;
    const { length } = this.#journal.text;
    schedule.in(random.int(1, 30), () =>
      this.#awake(() => {
        this.#journal.synced = Math.max(this.#journal.synced, length);
        done();
      }),
    );
  }

  // ---- places

  #serve(place: number): void {
    const position = this.#take();
    if (position !== null) return this.#run(place, position);
    if (this.#extending && !this.#halted && this.#taken < this.#elements.length) this.#waiting.push(place);
    else this.#rest();
  }

  #take(): number | null {
    if (this.#halted || this.#taken >= this.#elements.length) return null;
    if (this.#hands.schedule.now_ms - this.#process.started_ms >= this.#order.begins_for_ms) {
      this.#beginNoMore();
      return null;
    }
    if (this.#may - this.#taken <= this.#ahead / 2) this.#extend(this.#taken + this.#ahead);
    return this.#taken < this.#may ? this.#taken++ : null;
  }

  #extend(count: number): void {
    if (this.#extending || this.#may >= this.#elements.length) return;
    if (!this.#write(mayLine(count))) return this.#cease("node_unable");
    this.#extending = true;
    this.#sync(() => {
      this.#may = count;
      this.#extending = false;
      this.#serveWaiting();
    });
  }

  #serveWaiting(): void {
    for (const place of this.#waiting.splice(0)) this.#serve(place);
  }

  #run(place: number, position: number): void {
    const { schedule, random, elements, isCalm } = this.#hands;
    const index = this.#elements[position] ?? 0;
    if (!this.#write(beganLine(position, place, schedule.now_ms + this.#machine.clocks.boot_ms))) {
      this.#cease("node_unable");
      return this.#note(backLine(position), () => this.#serve(place));
    }
    if (random.chance(0.01) && !isCalm()) {
      this.#cease("no_directory");
      return this.#note(backLine(position), () => this.#serve(place));
    }
    const { round } = this.#order;
    const { runs_ms, end, hangs } = behaviourOfElement(this.#process.assignment, index, round);
    const execution = elements.elementBegan(this.#machine, this.#process, index, round);
    const one: Running = { execution, hangs, why: null };
    this.running.set(position, one);
    if (runs_ms !== null) schedule.in(Math.max(1, runs_ms), () => this.#gone(place, position, one, end));
    const { time_limit_ms: limit_ms, stop } = this.#process.assignment;
    if (limit_ms === null) return;
    const signal = (name: string): void => {
      if (this.running.get(position) !== one) return;
      one.why = "time limit reached";
      this.#end(place, position, one, name);
    };
    schedule.in(limit_ms, () => this.#awake(() => signal("TERM")));
    schedule.in(limit_ms + stop.grace_ms, () => this.#awake(() => signal("KILL")));
  }

  /** Signals an element. It takes a while to end, and some ignore all but a kill. */
  #end(place: number, position: number, one: Running, name: string): void {
    const { schedule, random } = this.#hands;
    if (name !== "KILL" && one.hangs) return;
    schedule.in(random.int(1, name === "KILL" ? 20 : 2_000), () => this.#gone(place, position, one, name));
  }

  /** The process of an element is gone, whether its keeper lives or not. */
  #gone(place: number, position: number, one: Running, end: ElementEnd): void {
    if (this.#isOver || this.running.get(position) !== one) return;
    this.running.delete(position);
    this.#hands.elements.elementEnded(one.execution, end);
    if (!this.#isKept) {
      if (this.running.size === 0) this.#hands.over(this.#machine, this.#process, null);
      return;
    }
    this.#awake(() => {
      const ran_ms = this.#hands.schedule.now_ms - one.execution.started_ms;
      const said = this.#stopped ? "stopped" : end;
      this.#note(endedLine(position, said, ran_ms, one.why ?? (end === said ? undefined : String(end))), () => {
        this.#ended += 1;
        this.#tellSoon();
        this.#serve(place);
      });
    });
  }

  /** A place has found no further element. */
  #rest(): void {
    this.#busy -= 1;
    if (this.#busy === 0) return this.#finish();
    this.#hands.schedule.in(IDLE_MS, () =>
      this.#awake(() => {
        if (this.#finished) return;
        this.open -= 1;
        const { open } = this;
        this.#note(openLine(open), () => {
          this.#hands.wrote(this.#machine, this.#process, { open });
          this.#tellSoon();
        });
      }),
    );
  }

  #finish(): void {
    this.#finished = true;
    const close = (): void => {
      if (this.#unwritten.length > 0) this.#hands.schedule.in(WRITE_AGAIN_MS, () => this.#awake(close));
      else this.#sync(() => this.#hands.over(this.#machine, this.#process, this.#exit()));
    };
    close();
  }

  #exit(): Exit {
    const failed = this.#ended === 0 ? this.#trouble : null;
    const { started_ms } = this.#process;
    const ended_ms = this.#hands.schedule.now_ms;
    return {
      exit_code: failed === null ? 0 : null,
      signal: null,
      started_ms,
      ended_ms,
      ...(failed ?? { reason: null }),
    };
  }

  // ---- what begins no more

  #beginNoMore(): void {
    if (this.#halted || this.#finished) return;
    this.#halted = true;
    const only = this.#taken;
    if (only < this.#elements.length) {
      this.#note(onlyLine(only), () => this.#hands.wrote(this.#machine, this.#process, { only }));
      this.#tellSoon();
    }
    this.#serveWaiting();
  }

  #cease(trouble: StartTrouble): void {
    this.#trouble ??= startFailed("its machine lacks something", trouble);
    this.#beginNoMore();
  }

  /** An agent has it begin nothing more, and then signals what runs. */
  signal(name: string): void {
    const { schedule } = this.#hands;
    const hears = this.#isKept && Math.max(this.#machine.hangs.keeper, this.#machine.hangs.disk) <= schedule.now_ms;
    this.#awake(() => {
      this.#stopped = true;
      this.#beginNoMore();
    });
    schedule.in(hears || !this.#isKept ? 1 : HEARD_MS, () => {
      // The number of its place is the keeper's to know, and a place that is free again is as good as any other.
      for (const [position, one] of Array.from(this.running)) this.#end(0, position, one, name);
    });
  }

  /** Its keeper was killed, perhaps in the middle of a line. What runs goes on. */
  orphan(): void {
    const { random } = this.#hands;
    const line = beganLine(this.#elements.length, 0, 0);
    if (random.chance(0.3)) this.#journal.text += line.slice(0, random.int(1, line.length - 1));
    if (this.running.size === 0) this.#hands.over(this.#machine, this.#process, null);
  }

  /** Its machine has lost its power. */
  powerOff(): void {
    for (const { execution } of this.running.values()) this.#hands.elements.elementEnded(execution, "POWER");
    this.running.clear();
  }

  #tellSoon(): void {
    if (this.#telling) return;
    this.#telling = true;
    this.#hands.schedule.in(TELL_EVERY_MS, () => {
      this.#telling = false;
      this.#awake(() => this.#machine.changed());
    });
  }
}
