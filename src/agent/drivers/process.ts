// Runs tasks as plain processes of this machine, through a keeper that outlives the agent. A task's keeper keeps the
// view of it current. Without a keeper, the view is read from the task's claim.

import { join } from "node:path";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Orphan } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import type { Seen, TaskRecord } from "../../core/model/record";
import type { BootMs } from "../../core/units";
import { bootMs, breathe, pause } from "../../os/clock";
import { removeGroup } from "../../os/cgroup/group";
import { messageOf } from "../../os/errors";
import { removeLeftGroups } from "../../os/cgroup/keeper-group";
import { isAlive } from "../../os/proc";
import { selfCommand } from "../../os/self";
import type { Accounts } from "../machine/account";
import type { DeviceAccess } from "../devices/access";
import { readJournals, type Noted } from "../tasks/living";
import { makeRunDir, runDirOf, runName, runRoot } from "../machine/rundir";
import type { StoredTasks, TaskFiles } from "../tasks/store";
import type { Driver } from "./driver";
import { createEnding, type Victim } from "./ending";
import { capAtEnd, lookAtAll } from "../keeper/growth";
import { places } from "../tasks/taskdir";
import { clearInherited, inherit, type Inherited } from "./heir";
import { Keepers } from "./keepers";
import { lookAtAttempt, lookAtNote, lookedAlive, lookedEnded, type Looked } from "./look";
import { limitsProblem, orderOf } from "./order";

export interface ProcessDriverOptions {
  /** `<data>/agent`. */
  readonly data: string;
  /** The store of that directory's tasks. */
  readonly store: TaskFiles;
  readonly version: string;
  readonly accounts: Accounts;
  /** Returns how a task gets access to the cards that it was promised, as of now. */
  readonly access: (promised: Promised["devices"]) => DeviceAccess;
  /** The loop's clock. Leases are told in its time. */
  readonly clock: () => BootMs;
  readonly say: (line: string) => void;
  /** The argv that starts a keeper; this program by default. */
  readonly keeper_command?: readonly string[];
  readonly log_cap_bytes?: number;
}

/** How long a start that did nothing takes to fail, so that it is not tried again at once. */
const START_AGAIN_MS = 1_000;

/** How often a task without a keeper is looked at. */
const ABANDONED_LOOK_MS = 500;
/** How long an heir tries to clear what a task has left before the task's end is told all the same. */
const CLEAR_FOR_MS = 60_000;
/** How many tasks are looked at before other work gets its turn. */
const CHUNK = 200;

/** Opens the driver of a data directory, and finds the keepers that run. */
export async function openProcessDriver(options: ProcessDriverOptions): Promise<Driver> {
  const run = runDirOf(options.data);
  makeRunDir(run);
  const driver = new ProcessDriver(options, run);
  await driver.open();
  return driver;
}

class ProcessDriver implements Driver {
  readonly #options: ProcessDriverOptions;
  readonly #run: string;
  readonly #looked = new Map<string, Looked>();
  readonly #seen = new Map<string, Seen>();
  readonly #abandoned = new Map<string, Inherited>();
  /** The tasks of which no keeper tells, and at which the last look failed. */
  readonly #unlooked = new Set<string>();
  /** Since when looks at tasks and their heirs fail, by uid. */
  readonly #failing = new Map<string, BootMs>();
  #noted: Noted = { survivors: [], claimed: new Set(), notes: new Map() };
  readonly #keepers;
  readonly #ending;
  #listener: () => void = () => undefined;
  #watching: ReturnType<typeof setInterval> | null = null;

  constructor(options: ProcessDriverOptions, run: string) {
    this.#options = options;
    this.#run = run;
    this.#ending = createEnding(options.say);
    this.#keepers = new Keepers({
      data: options.data,
      version: options.version,
      say: options.say,
      command: options.keeper_command ?? [...selfCommand(), "keeper"],
      told: (message) => {
        const { uid } = message;
        if (message.is === "ended") return this.#put(uid, lookedEnded(message.exit));
        const { pid, start, started_ms } = message;
        this.#put(uid, lookedAlive({ pid, start }, started_ms, this.#groupOf(uid)));
      },
      gone: (uids) => {
        if (uids.length > 0) options.say(`a keeper is gone; ${uids.length} tasks are looked at by their files`);
        for (const uid of uids) this.#lookAgain(uid);
      },
      unclear: (uid) => this.#lookAgain(uid),
      known: () => {
        for (const uid of this.#looked.keys()) this.#lookAgain(uid);
      },
    });
  }

  async open(): Promise<void> {
    await this.#keepers.find();
    if (this.#keepers.count() === 0) removeLeftGroups(runName(this.#options.data));
  }

  async find({ uids, records, unreadable }: StoredTasks): Promise<readonly Orphan[]> {
    this.#noted = readJournals(runRoot(), this.#run);
    const orphans = new Map<string, Orphan>();
    for (const [at, uid] of uids.entries()) {
      if (at % CHUNK === CHUNK - 1) await breathe();
      const looked = this.#look(uid, this.#keepers.keeps(uid));
      if (looked.seen.claimed) this.#put(uid, looked);
      if (records.has(uid)) continue;
      if (looked.seen.process.is === "alive" || unreadable.has(uid)) orphans.set(uid, this.#orphanOf(uid, looked));
    }
    for (const { uid, name, pid, held } of this.#noted.survivors) {
      this.look(uid);
      orphans.set(uid, { uid, name, pid, held: held as Promised | null });
    }
    return [...orphans.values()];
  }

  #orphanOf(uid: string, { handle }: Looked): Orphan {
    const note = this.#noted.notes.get(uid);
    return { uid, name: note?.name ?? uid, pid: handle?.pid ?? null, held: (note?.held ?? null) as Promised | null };
  }

  seen(): ReadonlyMap<string, Seen> {
    return this.#seen;
  }

  look(uid: string): void {
    this.#put(uid, this.#look(uid, this.#keepers.keeps(uid)));
  }

  /** Looks at a task of which no keeper tells. A look that fails keeps no other task from its own, and is repeated. */
  #lookAgain(uid: string): void {
    try {
      this.look(uid);
      if (this.#unlooked.delete(uid)) this.#failing.delete(uid);
    } catch (error) {
      this.#failed(uid, error);
      this.#unlooked.add(uid);
      this.#watch();
    }
  }

  #look(uid: string, kept: boolean): Looked {
    const note = this.#noted.survivors.find((one) => one.uid === uid);
    if (note !== undefined) return lookAtNote(note);
    const attempt = this.#options.store.attempt(uid);
    const looked = lookAtAttempt(attempt, kept);
    return attempt?.claimed === "unknown" ? (this.#knownOf(uid) ?? looked) : looked;
  }

  /** Returns what is known of a task without its claim, which cannot be read; null if it does not live. */
  #knownOf(uid: string): Looked | null {
    const before = this.#looked.get(uid);
    const handle = before?.handle ?? null;
    if (before !== undefined && handle !== null && isAlive(handle.pid, handle.start)) return before;
    const note = this.#noted.notes.get(uid);
    return note === undefined || !isAlive(note.pid, note.start) ? null : lookAtNote(note);
  }

  #put(uid: string, looked: Looked): void {
    this.#looked.set(uid, looked);
    this.#seen.set(uid, looked.seen);
    const abandoned = looked.seen.process.is === "alive" && !this.#keepers.keeps(uid);
    if (abandoned) this.#watchAbandoned(uid, looked);
    else this.#abandoned.delete(uid);
    this.#listener();
  }

  /** Does for a task without a keeper what the keeper did, again and again, since nobody else does it. */
  #watchAbandoned(uid: string, looked: Looked): void {
    const { data, log_cap_bytes = HOUSE_LIMITS.log_bytes } = this.#options;
    if (!this.#abandoned.has(uid)) {
      this.#abandoned.set(uid, inherit(uid, looked, join(places(data).tasks, uid), log_cap_bytes));
    }
    this.#watch();
  }

  #watch(): void {
    this.#watching ??= setInterval(() => this.#lookAtAbandoned(), ABANDONED_LOOK_MS);
  }

  #lookAtAbandoned(): void {
    const { say } = this.#options;
    for (const uid of this.#unlooked) this.#lookAgain(uid);
    lookAtAll(
      [...this.#abandoned.values()].map(({ growth }) => growth),
      (why) => say(`output could not be watched: ${why}`),
    );
    for (const [uid, inherited] of this.#abandoned) {
      try {
        this.#endAbandoned(uid, inherited);
      } catch (error) {
        // It is tried again at the next look, and keeps no other task from its end.
        this.#failed(uid, error);
      }
    }
    if (this.#abandoned.size + this.#unlooked.size > 0 || this.#watching === null) return;
    clearInterval(this.#watching);
    this.#watching = null;
  }

  #endAbandoned(uid: string, inherited: Inherited): void {
    const { say } = this.#options;
    const now = this.#look(uid, false);
    if (now.seen.process.is === "alive" && now.left !== true) return;
    if (this.#clear(uid, inherited) > 0) return;
    // What was killed may be gone only now.
    const over = this.#look(uid, false);
    if (over.seen.process.is === "alive") return;
    removeGroup(inherited.group);
    this.#put(uid, over);
    capAtEnd(inherited.growth.dir, inherited.growth.cap_bytes, (why) => say(`output could not be capped: ${why}`));
  }

  /**
   * Kills what is left of a task whose main process has ended. Returns how many were found. What always fails keeps the
   * task's end from being told for a while, and not for ever.
   */
  #clear(uid: string, inherited: Inherited): number {
    try {
      const found = clearInherited(inherited);
      this.#failing.delete(uid);
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

  #groupOf(uid: string): Looked["group"] {
    return this.#looked.get(uid)?.group ?? [];
  }

  wasBegun(uid: string): boolean {
    return this.#noted.claimed.has(uid);
  }

  isOrdered(uid: string): boolean {
    return this.#keepers.isAsked(uid);
  }

  trouble(): string | null {
    return this.#keepers.trouble();
  }

  silent(): string | null {
    return this.#keepers.silent();
  }

  async start({ assignment }: TaskRecord): Promise<void> {
    const { uid } = assignment;
    const { store, accounts, access, log_cap_bytes = HOUSE_LIMITS.log_bytes } = this.#options;
    if (this.#isClaimed(uid) || store.wasClaimed(uid) || this.wasBegun(uid)) return this.look(uid);
    const account = await accounts.of(assignment);
    const why = account.is === "refused" ? account.why : limitsProblem(assignment);
    if (account.is === "refused" || why !== null) {
      await store.claimRefused(uid, why ?? "");
      return this.look(uid);
    }
    const order = orderOf(assignment, account, access(assignment.promised.devices), log_cap_bytes);
    const answer = await this.#keepers.start(order);
    if (answer.is === "begun") return;
    this.look(uid);
    if (this.#isClaimed(uid)) return;
    await pause(START_AGAIN_MS);
    throw new Error(answer.why);
  }

  #isClaimed(uid: string): boolean {
    return this.#seen.get(uid)?.claimed === true;
  }

  async signal(uid: string, signal: string): Promise<void> {
    const victim = this.#victim(uid);
    if (victim !== null) this.#ending.signal(victim, signal);
  }

  async kill(uid: string): Promise<void> {
    const victim = this.#victim(uid);
    if (victim !== null) this.#ending.kill(victim);
  }

  end(uid: string): void {
    const victim = this.#victim(uid);
    if (victim !== null) this.#ending.stop(victim);
  }

  #victim(uid: string): Victim | null {
    const handle = this.#looked.get(uid)?.handle ?? null;
    if (handle === null) return null;
    const group = this.#groupOf(uid);
    // After the keeper's report of the start, only the claim has the group.
    return { handle, group: group.length > 0 ? group : (this.#options.store.attempt(uid)?.group ?? []) };
  }

  lease(heard_ms: BootMs): void {
    this.#keepers.lease(bootMs() - Math.max(0, this.#options.clock() - heard_ms));
  }

  drop(uid: string): void {
    this.#seen.delete(uid);
    this.#looked.delete(uid);
    this.#abandoned.delete(uid);
    this.#failing.delete(uid);
    this.#unlooked.delete(uid);
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    if (this.#watching !== null) clearInterval(this.#watching);
    this.#listener = () => undefined;
    if (this.#keepers.count() === 0) removeLeftGroups(runName(this.#options.data));
    this.#keepers.close();
    this.#ending.close();
  }
}
