// The agent's loop: looks at records and processes, asks core/step what to do, does it, and says what has changed.

import { accept, type Fence } from "../core/agent/accept";
import { cardTasks } from "../core/agent/card";
import { successorUid } from "../core/fresh";
import type { Orphan } from "../core/model/rows-node";
import type { Action, Assignment, Reported, Seen, Stamp, TaskRecord, TaskReport, Verb } from "../core/model/record";
import { reportOf } from "../core/agent/report";
import { step } from "../core/agent/step";
import type { Ms } from "../core/units";
import { pause } from "../os/clock";
import { messageOf } from "../os/errors";
import type { Machine } from "../wire/agent";
import type { CardRules } from "./cards/watch";
import type { Driver } from "./drivers/driver";
import { begunOf, createUnrecorded, type Unrecorded } from "./drivers/unrecorded";

/** How long a killed task is left alone before it is killed again. */
const KILL_AGAIN_MS = 900;

/** What could not be done, as on a full disk, is not tried again at once. */
const AGAIN_MS = 1_000;

const nextUid = ({ uid, identity }: Assignment): string => successorUid(uid, identity.attempt + 1);

export interface AgentLoopOptions {
  readonly driver: Driver;
  readonly machine: () => Machine;
  readonly cards: CardRules;
  readonly clock: () => Ms;
  readonly say: (line: string) => void;
  /** Called with reports of tasks whose state changed; they are repeated until acknowledged. */
  readonly report: (entries: readonly TaskReport[]) => void;
}

export interface AgentLoop {
  wake(): void;
  /** Takes in one message of the session; `null` when it is dropped. The fence is the new one, to be kept. */
  take(fence: Fence, stamp: Stamp, n: number, verbs: readonly Verb[]): Promise<Fence | null>;
  /** Resolves when no message is being taken in: only then is an inventory whole. */
  quiet(): Promise<void>;
  /** The whole inventory, as of now. */
  inventory(): { readonly entries: readonly TaskReport[]; readonly unreadable: readonly Orphan[] };
  /** The server has these ends on disk: their records leave the loop. */
  acknowledged(uids: readonly string[]): Promise<void>;
  /** Drops what is accepted and not begun, and brings back the ends that another timeline had acknowledged. */
  newTimeline(): Promise<void>;
  heard(sent_ms: Ms): void;
  /** What of this node the server has not yet seen the end of, by name. */
  left(): readonly UnfinishedTask[];
  stop(): void;
}

export interface UnfinishedTask {
  readonly name: string;
  readonly state: string;
}

/** What makes a report news: everything but the ages in it. */
function markOf(reported: Reported): string {
  const { state } = reported;
  const pid = "pid" in reported ? reported.pid : null;
  const prepared = "prepared" in reported && reported.prepared;
  return JSON.stringify([state, pid, prepared, "reason" in reported ? reported.reason : null]);
}

/** Loads the records of this agent and starts deciding; nothing is reaped before the server has spoken. */
export async function createAgentLoop(options: AgentLoopOptions): Promise<AgentLoop> {
  const { records, unreadable } = await options.driver.records();
  const loop = new Loop(options, records, unreadable);
  loop.wake();
  return loop;
}

class Loop implements AgentLoop {
  readonly #options: AgentLoopOptions;
  readonly #records: Map<string, TaskRecord>;
  readonly #busy = new Set<string>();
  readonly #signalled = new Set<string>();
  readonly #killed = new Map<string, Ms>();
  readonly #reported = new Map<string, string>();
  /** Successors of attempts whose end is not written down: a server that heard of one would not know whose it is. */
  readonly #early = new Set<string>();
  readonly #unrecorded: Unrecorded;
  #reserved: ReadonlySet<string> = new Set();
  #lacking: ReadonlyMap<string, string> = new Map();
  #heard_ms: Ms | null = null;
  #taking: Promise<void> = Promise.resolve();
  #turn: "idle" | "scheduled" | "stopped" = "idle";
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(options: AgentLoopOptions, records: Map<string, TaskRecord>, unreadable: readonly Orphan[]) {
    this.#options = options;
    this.#records = records;
    this.#unrecorded = createUnrecorded(options.driver, unreadable, (uid) => this.#records.has(uid));
    // Of an agent that died between the two writings of `#end`.
    for (const { end, assignment } of records.values()) {
      if (end === null && assignment.identity.attempt < assignment.grant_until) this.#early.add(nextUid(assignment));
    }
    options.driver.onChange(() => this.wake());
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
    const { driver, clock, cards } = this.#options;
    const machine = this.#options.machine();
    const now_ms = clock();
    this.#condemn(now_ms);
    const [seen, unreadable] = [driver.seen(), this.#unrecorded.unknown()];
    const decided = step({
      records: this.#records,
      seen,
      busy: this.#busy,
      signalled: this.#signalled,
      reserved: this.#reserved,
      boot_id: machine.boot_id,
      now_ms,
      capacity: machine.capacity,
      devices: cards.gate(() => cardTasks(this.#records, seen, unreadable)),
      unreadable,
      blames: cards.blames(),
      heard_ms: this.#heard_ms,
    });
    this.#reserved = decided.reserved;
    this.#lacking = decided.lacking;
    for (const action of decided.actions) if (!this.#isTooSoon(action, now_ms)) this.#act(action);
    this.#tell();
    const ends = this.#unrecorded.ends(now_ms);
    if (ends.length > 0) this.#options.report(ends);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer =
      decided.wake_at_ms === null
        ? null
        : setTimeout(() => this.wake(), Math.min(Math.max(decided.wake_at_ms - now_ms, 5), 60_000));
  }

  /** Writes down which tasks have to end for their cards' sake; a full disk does not keep that from being done. */
  #condemn(now_ms: Ms): void {
    for (const [uid, why] of this.#options.cards.verdicts()) {
      const record = this.#records.get(uid);
      if (record === undefined || record.end !== null || record.verdict !== null) continue;
      const condemned = { ...record, verdict: { why, at_ms: now_ms } };
      this.#records.set(uid, condemned);
      this.#options.say(`task ${record.assignment.name} is ended: ${why}`);
      this.#options.driver.write(condemned).catch((error: unknown) => {
        this.#options.say(`task ${uid}: verdict: ${messageOf(error)}`);
      });
    }
  }

  /** A kill that was sent a moment ago is not sent again: what it kills may take a while to go, or never go. */
  #isTooSoon(action: Action, now_ms: Ms): boolean {
    if (action.do !== "kill") return false;
    const sent_ms = this.#killed.get(action.uid);
    if (sent_ms !== undefined && now_ms - sent_ms < KILL_AGAIN_MS) return true;
    this.#killed.set(action.uid, now_ms);
    return false;
  }

  /** Carries one action out; until it is done, nothing more is decided about its task. */
  #act(action: Action): void {
    this.#busy.add(action.uid);
    this.#perform(action)
      .catch((error: unknown) => {
        this.#options.say(`task ${action.uid}: ${action.do}: ${messageOf(error)}`);
        return pause(AGAIN_MS);
      })
      .finally(() => {
        this.#busy.delete(action.uid);
        this.wake();
      });
  }

  async #perform(action: Action): Promise<void> {
    const { driver } = this.#options;
    switch (action.do) {
      case "start": {
        const record = this.#records.get(action.uid);
        if (record !== undefined) await driver.start(record);
        return;
      }
      case "claim":
        await driver.claimStopped(action.uid);
        return;
      case "signal":
        this.#signalled.add(action.uid);
        await driver.signal(action.uid, action.signal);
        return;
      case "kill":
        await driver.kill(action.uid);
        return;
      case "end":
        return this.#end(action);
    }
  }

  /**
   * The successor is written first: a crash between the two finds it again, since its uid follows from this one's. It
   * waits until this end is durable, so that nobody hears of it before the end that made it.
   */
  async #end({ uid, end, next }: Extract<Action, { do: "end" }>): Promise<void> {
    const { driver } = this.#options;
    if (next !== null) {
      this.#busy.add(next.assignment.uid);
      this.#early.add(next.assignment.uid);
    }
    try {
      if (next !== null && !this.#records.has(next.assignment.uid)) {
        await driver.write(next);
        this.#records.set(next.assignment.uid, next);
      }
      const record = this.#records.get(uid);
      if (record === undefined) return;
      const ended = { ...record, end };
      await driver.write(ended);
      this.#records.set(uid, ended);
      this.#early.delete(nextUid(record.assignment));
    } finally {
      if (next !== null) this.#busy.delete(next.assignment.uid);
    }
  }

  /** Reports every task whose state differs from what was last reported. */
  #tell(): void {
    const seen = this.#options.driver.seen();
    const entries: TaskReport[] = [];
    for (const record of this.#records.values()) {
      const { uid } = record.assignment;
      if (this.#early.has(uid)) continue;
      if (this.#busy.has(uid) && seen.get(uid) === undefined && record.end === null) continue;
      const entry = this.#reportOf(record, seen);
      const mark = markOf(entry.reported);
      if (this.#reported.get(uid) === mark) continue;
      this.#reported.set(uid, mark);
      entries.push(entry);
    }
    // The end that made a successor goes before it, also where they travel apart.
    entries.sort((a, b) => (a.identity?.attempt ?? 0) - (b.identity?.attempt ?? 0));
    if (entries.length > 0) this.#options.report(entries);
  }

  #reportOf(record: TaskRecord, seen: ReadonlyMap<string, Seen>): TaskReport {
    return reportOf(record, seen.get(record.assignment.uid), {
      now_ms: this.#options.clock(),
      reserved: this.#reserved,
      lacking: this.#lacking,
      records: this.#records,
      tail: (uid) => this.#options.driver.tail(uid),
    });
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
    const { driver } = this.#options;
    const seen = driver.seen();
    const accepted = accept(
      {
        fence,
        records: this.#records,
        boot_id: this.#options.machine().boot_id,
        now_ms: this.#options.clock(),
        claimed: (uid) => seen.get(uid)?.claimed === true || driver.wasClaimed(uid),
        begun: (uid) => begunOf(seen, uid),
      },
      stamp,
      n,
      verbs,
    );
    if (accepted === null) return null;
    for (const stray of accepted.strays) this.#unrecorded.stop(stray);
    const stops = [...accepted.claims, ...accepted.strays.map(({ uid }) => uid)];
    const done = await Promise.allSettled([
      ...accepted.records.map((record) => driver.write(record)),
      ...stops.map((uid) => driver.claimStopped(uid)),
    ]);
    const failed = done.find((each) => each.status === "rejected");
    for (const record of accepted.records) {
      const { uid } = record.assignment;
      const now = this.#records.get(uid);
      // A stop is repeated until its end is known, so it is carried out also where a full disk cannot keep it.
      if (failed !== undefined && (now === undefined || record.stop === null)) continue;
      // What ended while this was written has ended.
      if (now !== undefined && now.end !== null && record.end === null) await driver.write(now);
      else this.#records.set(uid, record);
    }
    this.wake();
    if (failed !== undefined) throw failed.reason;
    if (accepted.reports.length > 0) this.#options.report(accepted.reports);
    return accepted.fence;
  }

  inventory(): { entries: readonly TaskReport[]; unreadable: readonly Orphan[] } {
    const seen = this.#options.driver.seen();
    const named = [...this.#records.values()].filter(({ assignment }) => !this.#early.has(assignment.uid));
    const entries = named.map((record) => this.#reportOf(record, seen));
    return { entries: [...entries, ...this.#unrecorded.told()], unreadable: this.#unrecorded.unknown() };
  }

  async acknowledged(uids: readonly string[]): Promise<void> {
    for (const uid of uids) {
      this.#unrecorded.acknowledged(uid);
      const record = this.#records.get(uid);
      if (record === undefined || record.end === null) continue;
      this.#records.delete(uid);
      this.#reported.delete(uid);
      this.#signalled.delete(uid);
      this.#killed.delete(uid);
      await this.#options.driver.acknowledge(uid);
    }
  }

  async newTimeline(): Promise<void> {
    const { driver } = this.#options;
    const seen = driver.seen();
    for (const [uid, record] of this.#records) {
      if (record.end !== null || seen.get(uid)?.claimed === true || this.#busy.has(uid)) continue;
      await driver.forget(uid);
      this.#records.delete(uid);
      this.#early.delete(nextUid(record.assignment));
    }
    for (const record of await driver.kept()) this.#records.set(record.assignment.uid, record);
    this.#reported.clear();
    this.#unrecorded.newTimeline();
  }

  heard(sent_ms: Ms): void {
    this.#heard_ms = sent_ms;
    this.#options.driver.lease(sent_ms);
    // An exclusive task may have waited for this since the last lease ran out.
    this.wake();
  }

  left(): readonly UnfinishedTask[] {
    const records = [...this.#records.values()].map((record) => ({
      name: record.assignment.name,
      state: record.end !== null ? "ended" : this.#reportOf(record, this.#options.driver.seen()).reported.state,
    }));
    return [...records, ...this.#unrecorded.unknown().map(({ name }) => ({ name, state: "unknown to the server" }))];
  }

  stop(): void {
    this.#turn = "stopped";
    if (this.#timer !== null) clearTimeout(this.#timer);
  }
}
