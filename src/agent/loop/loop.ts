// The agent's loop: it looks at records and processes, asks core/agent/step for the next actions, has them carried out,
// and reports what has changed.

import { accept } from "../../core/agent/accept";
import type { Fence } from "../../core/agent/fence";
import { cardTasks } from "../../core/agent/card-users";
import { endWithoutResult } from "../../core/agent/ending";
import { withoutRecord } from "../../core/agent/report";
import { step, type BlockedStart } from "../../core/agent/step";
import type { Assignment, Seen, Stamp, TaskRecord, TaskReport, Verb } from "../../core/model/record";
import type { Orphan } from "../../core/model/rows-node";
import type { BootMs } from "../../core/units";
import { messageOf } from "../../os/errors";
import { trace } from "../../os/trace";
import type { Machine } from "../../wire/agent";
import type { CardRules } from "../cards/watch";
import type { Driver } from "../drivers/driver";
import type { TaskInputs } from "../tasks/inputs";
import type { StoredTasks, TaskStore } from "../tasks/store";
import { claimStopped, createActs, type Acts } from "./acts";
import { createReports, type TaskReports, type Situation } from "./reports";
import { begunOf, createUnrecorded, type Unrecorded } from "./unrecorded";

/** How many records of one message are written together. */
const WRITTEN_AT_ONCE = 32;

export interface AgentLoopOptions {
  readonly store: TaskStore;
  readonly driver: Driver;
  readonly inputs: TaskInputs;
  /** What the machine gives away, and its boot: neither changes while an agent runs. */
  readonly machine: Pick<Machine, "boot_id" | "capacity">;
  readonly cards: CardRules;
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
  /** Called with reports of tasks whose state changed. They are repeated until acknowledged. */
  readonly report: (entries: readonly TaskReport[]) => void;
}

export interface AgentLoop {
  wake(): void;
  /**
   * Applies one message of the session. Returns the new fence, which the caller keeps, or null if the message is
   * dropped.
   */
  take(fence: Fence, stamp: Stamp, n: number, verbs: readonly Verb[]): Promise<Fence | null>;
  /** Resolves when no message is being applied. Only then is an inventory whole. */
  quiet(): Promise<void>;
  /** Returns whether this agent has a record or a living process of the task. */
  knows(uid: string): boolean;
  /** Returns the whole inventory as of now. */
  inventory(): { readonly entries: readonly TaskReport[]; readonly unreadable: readonly Orphan[] };
  /** Notes how many results of batches the server has on disk, by uid. */
  hasResults(counts: ReadonlyMap<string, number>): void;
  /** Removes the records of these tasks from the loop, since the server has their ends on disk. */
  acknowledged(uids: readonly string[]): Promise<void>;
  /** Drops tasks that are accepted and not begun, and loads the ends again that another timeline had acknowledged. */
  newTimeline(): Promise<void>;
  heard(sent_ms: BootMs): void;
  /** Returns the tasks of this node whose ends the server does not have yet, by name. */
  left(): readonly UnfinishedTask[];
  stop(): void;
}

export interface UnfinishedTask {
  readonly name: string;
  readonly state: string;
}

/** Loads the records of this agent and starts deciding. No record is removed before the server has been heard. */
export async function createAgentLoop(options: AgentLoopOptions): Promise<AgentLoop> {
  const stored = await options.store.read();
  const orphans = await options.driver.find(stored);
  const loop = new Loop(options, stored, orphans);
  loop.wake();
  return loop;
}

const NEVER = Number.POSITIVE_INFINITY;

/** Returns the tasks that may still begin. */
const awaitingStart = (records: ReadonlyMap<string, TaskRecord>, seen: ReadonlyMap<string, Seen>): Assignment[] =>
  [...records.values()].flatMap(({ assignment, end, stop }) =>
    end === null && stop === null && seen.get(assignment.uid)?.claimed !== true ? [assignment] : [],
  );

class Loop implements AgentLoop {
  readonly #options: AgentLoopOptions;
  readonly #records: Map<string, TaskRecord>;
  readonly #reports: TaskReports;
  readonly #acts: Acts;
  readonly #unrecorded: Unrecorded;
  #reserved: ReadonlySet<string> = new Set();
  #lacking: ReadonlyMap<string, string> = new Map();
  /** Since when the disk owes the records of tasks. */
  readonly #owed_since = new Map<string, BootMs>();
  #heard_ms: BootMs | null = null;
  readonly #begun_ms: BootMs;
  #taking: Promise<void> = Promise.resolve();
  #turn: "idle" | "scheduled" | "stopped" = "idle";
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: AgentLoopOptions, { records, stopped }: StoredTasks, orphans: readonly Orphan[]) {
    const { store, driver, clock, say } = options;
    this.#options = options;
    this.#begun_ms = clock();
    this.#records = records;
    this.#reports = createReports(records, store, driver);
    this.#acts = createActs({ store, driver, records, reports: this.#reports, clock, say, done: () => this.wake() });
    this.#unrecorded = createUnrecorded({ store, driver, orphans, stopped, hasRecord: (uid) => records.has(uid) });
    driver.onChange(() => this.wake());
    options.inputs.onChange(() => this.wake());
  }

  wake(): void {
    if (this.#turn !== "idle") return;
    this.#turn = "scheduled";
    setImmediate(() => {
      if (this.#turn === "stopped") return;
      this.#turn = "idle";
      this.#decide();
    });
  }

  #decide(): void {
    const { driver, inputs, clock, cards, machine, report } = this.#options;
    const now_ms = clock();
    this.#condemn(now_ms);
    const [seen, unreadable] = [driver.seen(), this.#unrecorded.unknown()];
    inputs.want(awaitingStart(this.#records, seen));
    const decided = step({
      records: this.#records,
      seen,
      busy: this.#acts.busy,
      signalled: this.#acts.signalled,
      reserved: this.#reserved,
      boot_id: machine.boot_id,
      now_ms,
      begun_ms: this.#begun_ms,
      capacity: machine.capacity,
      devices: cards.gate(() => cardTasks(this.#records, seen, unreadable)),
      unreadable,
      blocked: this.#blocked(now_ms),
      fetching: inputs.fetching,
      blames: cards.blames(),
      heard_ms: this.#heard_ms,
    });
    this.#reserved = decided.reserved;
    this.#lacking = decided.lacking;
    for (const action of decided.actions) this.#acts.begin(action, now_ms);
    const changed = this.#reports.changed(this.#situation(), this.#acts.busy);
    if (changed.length > 0) report(changed);
    const ends = this.#unrecorded.ends(now_ms);
    if (ends.length > 0) report(ends);
    this.#wakeAt(Math.min(decided.wake_at_ms ?? NEVER, this.#reports.due_ms() ?? NEVER), now_ms);
  }

  #wakeAt(at_ms: BootMs, now_ms: BootMs): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    const in_ms = Math.min(Math.max(at_ms - now_ms, 5), 60_000);
    this.#timer = at_ms === NEVER ? null : setTimeout(() => this.wake(), in_ms);
  }

  #situation(): Situation {
    const { clock, driver, inputs } = this.#options;
    const now_ms = clock();
    const blocked = this.#blocked(now_ms);
    const { fetching } = inputs;
    return { now_ms, seen: driver.seen(), reserved: this.#reserved, lacking: this.#lacking, blocked, fetching };
  }

  /** Returns why accepted tasks cannot be begun: the disk did not take their record, or their start failed. */
  #blocked(now_ms: BootMs): ReadonlyMap<string, BlockedStart> {
    const owed = this.#options.store.owed();
    for (const uid of this.#owed_since.keys()) if (!owed.has(uid)) this.#owed_since.delete(uid);
    const blocked = new Map([...this.#options.inputs.failing, ...this.#acts.failing]);
    for (const [uid, { why }] of owed) {
      const since_ms = this.#owed_since.get(uid) ?? now_ms;
      this.#owed_since.set(uid, since_ms);
      blocked.set(uid, { why, since_ms, at: blocked.get(uid)?.at ?? "kept" });
    }
    return blocked;
  }

  /** Writes down which tasks have to end because of their cards. A full disk does not keep them from being ended. */
  #condemn(now_ms: BootMs): void {
    for (const [uid, why] of this.#options.cards.verdicts()) {
      const record = this.#records.get(uid);
      if (record === undefined || record.end !== null || record.verdict !== null) continue;
      const condemned = { ...record, verdict: { why, at_ms: now_ms } };
      this.#records.set(uid, condemned);
      this.#options.say(`task ${record.assignment.name} is ended: ${why}`);
      this.#options.store.write(condemned).catch((error: unknown) => {
        this.#options.say(`task ${uid}: verdict: ${messageOf(error)}`);
      });
    }
  }

  take(fence: Fence, stamp: Stamp, n: number, verbs: readonly Verb[]): Promise<Fence | null> {
    const done = this.#taking.then(() => this.#take(fence, stamp, n, verbs));
    const over = (): void => undefined;
    this.#taking = done.then(over).catch(over);
    return done;
  }

  async quiet(): Promise<void> {
    await this.#taking;
  }

  async #take(fence: Fence, stamp: Stamp, n: number, verbs: readonly Verb[]): Promise<Fence | null> {
    const { store, driver } = this.#options;
    trace("agent: heard");
    const seen = driver.seen();
    const accepted = accept(
      {
        fence,
        records: this.#records,
        boot_id: this.#options.machine.boot_id,
        now_ms: this.#options.clock(),
        claimed: (uid) => seen.get(uid)?.claimed === true || store.wasClaimed(uid) || driver.wasBegun(uid),
        begun: (uid) => {
          const begun = begunOf(seen, uid);
          // A task whose claim is lost is seen nowhere, but the journal of its keeper may know that it began.
          return begun === "no" && driver.wasBegun(uid) ? "untold" : begun;
        },
      },
      stamp,
      n,
      verbs,
    );
    if (accepted === null) return null;
    for (const stray of accepted.strays) this.#unrecorded.stop(stray);
    const stops = [...accepted.claims, ...accepted.strays.map(({ uid }) => uid)];
    let stopping = stops.map((uid) => claimStopped({ store, driver }, uid));
    // What is written may begin while the rest is being written.
    for (let at = 0; at === 0 || at < accepted.records.length; at += WRITTEN_AT_ONCE) {
      await this.#keep(accepted.records.slice(at, at + WRITTEN_AT_ONCE), stopping);
      stopping = [];
    }
    trace("agent: recorded");
    for (const report of accepted.reports) this.#unrecorded.ended(report);
    if (accepted.reports.length > 0) this.#options.report(accepted.reports);
    return accepted.fence;
  }

  /** Takes records into the loop once they are written. Throws if one is not, or if a claim that is made is not. */
  async #keep(records: readonly TaskRecord[], claims: readonly Promise<unknown>[]): Promise<void> {
    const { store } = this.#options;
    const done = await Promise.allSettled([...records.map((record) => store.write(record)), ...claims]);
    const failed = done.find((each) => each.status === "rejected");
    for (const record of records) {
      const { uid } = record.assignment;
      const now = this.#records.get(uid);
      // The server repeats a stop until it has the end, so the stop is carried out even if a full disk cannot keep it.
      if (failed !== undefined && (now === undefined || record.stop === null)) continue;
      // A task that has ended while this record was written stays ended.
      if (now !== undefined && now.end !== null && record.end === null) await store.write(now);
      else this.#records.set(uid, record);
    }
    this.wake();
    if (failed !== undefined) throw failed.reason;
  }

  knows(uid: string): boolean {
    return this.#records.has(uid) || this.#unrecorded.unknown().some((one) => one.uid === uid);
  }

  inventory(): { entries: readonly TaskReport[]; unreadable: readonly Orphan[] } {
    return {
      entries: [...this.#reports.all(this.#situation()), ...this.#unrecorded.told()],
      unreadable: this.#unrecorded.unknown(),
    };
  }

  hasResults(counts: ReadonlyMap<string, number>): void {
    this.#reports.hasResults(counts);
    // What the server lacks of them follows.
    this.wake();
  }

  async acknowledged(uids: readonly string[]): Promise<void> {
    for (const uid of uids) {
      const record = this.#records.get(uid);
      if (this.#unrecorded.acknowledged(uid) && record === undefined) await this.#options.store.acknowledge(uid);
      if (record === undefined || record.end === null) continue;
      this.#records.delete(uid);
      for (const part of [this.#reports, this.#acts]) part.drop(uid);
      await this.#options.store.acknowledge(uid);
      // Were it to live on, nobody would follow it any more.
      this.#options.driver.end(uid);
      this.#options.driver.drop(uid);
    }
  }

  async newTimeline(): Promise<void> {
    const { store, driver } = this.#options;
    // A successor that is being made belongs to what has not begun.
    await this.#acts.settled();
    const seen = driver.seen();
    const unbegun = [...this.#records].filter(([uid, { end }]) => end === null && seen.get(uid)?.claimed !== true);
    const release = this.#acts.hold(unbegun.map(([uid]) => uid));
    const dropped = await Promise.allSettled(unbegun.map(([, record]) => this.#drop(record)));
    release();
    const failed = dropped.find((each) => each.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    for (const record of await store.kept()) {
      this.#records.set(record.assignment.uid, record);
      driver.look(record.assignment.uid);
    }
    this.#reports.newTimeline();
    this.#unrecorded.newTimeline();
  }

  /**
   * Ends a task that has not begun, so that no server starts it and every server hears that it never began. Its start
   * may have been ordered, of a keeper that hangs, so the task is claimed first: the claim decides whether it begins.
   * Where the disk cannot take the end, the record goes, and the end is told from memory.
   */
  async #drop({ assignment }: TaskRecord): Promise<void> {
    const { store, driver, clock, say } = this.#options;
    const { uid } = assignment;
    const claimed = await claimStopped({ store, driver }, uid, driver.isOrdered(uid) ? "write" : "owe");
    if (claimed !== "now" && driver.seen().get(uid)?.process.is !== "none") return;
    const record = this.#records.get(uid);
    if (record === undefined || record.end !== null) return;
    const end = endWithoutResult("stopped", null, "its server was restored from a copy before it began", clock());
    this.#records.set(uid, { ...record, end });
    this.#reports.caughtUp(assignment);
    try {
      await store.write({ ...record, end });
    } catch (error) {
      say(`task ${uid}: dropped: ${messageOf(error)}`);
      await store.forget(uid);
      driver.drop(uid);
      this.#records.delete(uid);
      this.#unrecorded.ended(withoutRecord(uid, "its server was restored from a copy", "no"));
    }
  }

  heard(sent_ms: BootMs): void {
    this.#heard_ms = sent_ms;
    this.#options.driver.lease(sent_ms);
    // An exclusive task may have waited for a lease since the last one ran out.
    this.wake();
  }

  left(): readonly UnfinishedTask[] {
    const situation = this.#situation();
    const records = [...this.#records.values()].map((record) => ({
      name: record.assignment.name,
      state: record.end !== null ? "ended" : this.#reports.of(record, situation).reported.state,
    }));
    return [...records, ...this.#unrecorded.unknown().map(({ name }) => ({ name, state: "unknown to the server" }))];
  }

  stop(): void {
    this.#turn = "stopped";
    this.#options.inputs.stop();
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
