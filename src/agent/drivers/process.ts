// Runs tasks as plain processes of this machine, through a keeper that outlives the agent. A task's keeper keeps the
// view of it current. Without a keeper, the view is read from the task's claim.

import { HOUSE_LIMITS } from "../../core/limits";
import type { Orphan } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import type { BatchSoFar } from "../../core/agent/results";
import type { Seen, TaskRecord } from "../../core/model/record";
import type { BootMs } from "../../core/units";
import { bootMs, breathe } from "../../os/clock";
import { removeLeftGroups } from "../../os/cgroup/keeper-group";
import { messageOf } from "../../os/errors";
import { Processes } from "../../os/process/find";
import { bootId, isAlive } from "../../os/proc";
import { selfCommand } from "../../os/self";
import type { Accounts } from "../machine/account";
import type { DeviceAccess } from "../devices/access";
import { readJournals, type Noted } from "../tasks/living";
import { makeRunDir, runDirOf, runName, runRoot } from "../machine/rundir";
import type { ElementReader } from "../tasks/element-reader";
import type { StoredTasks, TaskFiles } from "../tasks/store";
import type { FromKeeper } from "../keeper/messages";
import { Batches } from "./batches";
import type { Driver } from "./driver";
import { createEnding, type Victim } from "./ending";
import type { Attempt } from "../tasks/taskdir";
import { StandIn } from "./stand-in";
import { Keepers } from "./keepers";
import {
  lookAtAttempt,
  lookAtBatch,
  lookAtNote,
  lookedAlive,
  lookedBatch,
  lookedEnded,
  type Looked,
  type Search,
} from "./look";
import { markerOf } from "./order";
import { createStarts } from "./starts";

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
  #noted: Noted = { survivors: [], claimed: new Set(), notes: new Map() };
  readonly #keepers;
  readonly #ending;
  readonly #standIn;
  readonly #starts;
  readonly #batches;
  /** The batches that shall begin nothing more. */
  readonly #halted = new Set<string>();
  /** The tasks that were here when this agent began. A keeper that is silent from the first may begin one of them. */
  #found: ReadonlySet<string> = new Set();
  #all: Processes | null = null;
  #listener: () => void = () => undefined;

  constructor(options: ProcessDriverOptions, run: string) {
    this.#options = options;
    this.#run = run;
    this.#ending = createEnding(options.say);
    this.#batches = new Batches(options.data);
    this.#standIn = new StandIn({
      outputs: (uid) => this.#batches.outputs(uid),
      cap_bytes: options.log_cap_bytes ?? HOUSE_LIMITS.log_bytes,
      say: options.say,
      look: (uid, all) => this.#look(uid, false, all),
      again: (uid, all) => this.#lookAt(uid, all),
      over: (uid, looked) => this.#put(uid, looked),
    });
    this.#keepers = new Keepers({
      data: options.data,
      version: options.version,
      say: options.say,
      command: options.keeper_command ?? [...selfCommand(), "keeper"],
      told: (message) => this.#told(message),
      gone: (uids) => {
        if (uids.length > 0) options.say(`a keeper is gone; ${uids.length} tasks are looked at by their files`);
        this.#lookAtAll(uids);
      },
      unclear: (uid) => this.#lookAtAll([uid]),
      known: () => {
        for (const uid of this.#halted) this.#haltSoon(uid);
        this.#lookAtAll(this.#looked.keys());
      },
    });
    this.#starts = createStarts(options, {
      isClaimed: (uid) => this.#seen.get(uid)?.claimed === true,
      wasBegun: (uid) => this.wasBegun(uid),
      look: (uid) => this.look(uid),
      order: (order) => this.#keepers.start(order),
    });
  }

  async open(): Promise<void> {
    await this.#keepers.find();
    if (this.#keepers.count() === 0) removeLeftGroups(runName(this.#options.data));
  }

  async find({ uids, records, unreadable }: StoredTasks): Promise<readonly Orphan[]> {
    this.#noted = readJournals(runRoot(), this.#run);
    this.#found = new Set([...uids, ...records.keys()]);
    this.#batches.find(uids, records);
    const orphans = new Map<string, Orphan>();
    let all = new Processes();
    for (const [at, uid] of uids.entries()) {
      if (at % CHUNK === CHUNK - 1) {
        await breathe();
        all = new Processes();
      }
      const looked = this.#look(uid, this.#keepers.keeps(uid), all);
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

  #told(message: Extract<FromKeeper, { is: "started" | "elements" | "ended" }>): void {
    const { uid } = message;
    if (message.is === "ended") return this.#put(uid, lookedEnded(message.exit));
    const was = this.#seen.get(uid)?.process;
    if (message.is === "started" && !this.#batches.has(uid)) {
      const { pid, start, started_ms } = message;
      return this.#put(uid, lookedAlive({ pid, start }, started_ms, this.#groupOf(uid)));
    }
    const started_ms = message.is === "started" ? message.started_ms : was?.is === "alive" ? was.started_ms : null;
    if (started_ms === null) return this.look(uid);
    this.#put(uid, lookedBatch(started_ms, this.#groupOf(uid), this.#batches.look(uid).places));
  }

  #orphanOf(uid: string, { handle }: Looked): Orphan {
    const note = this.#noted.notes.get(uid);
    return { uid, name: note?.name ?? uid, pid: handle?.pid ?? null, held: (note?.held ?? null) as Promised | null };
  }

  seen(): ReadonlyMap<string, Seen> {
    return this.#seen;
  }

  look(uid: string): void {
    this.#lookAt(uid, this.#allNow());
  }

  /** Returns all processes as they are now. Looks of one moment share them, since they take long to read. */
  #allNow(): Processes {
    if (this.#all === null) queueMicrotask(() => (this.#all = null));
    return (this.#all ??= new Processes());
  }

  #lookAtAll(uids: Iterable<string>): void {
    const all = new Processes();
    for (const uid of uids) this.#standIn.lookAgain(uid, all);
  }

  #lookAt(uid: string, all: Processes): void {
    this.#put(uid, this.#look(uid, this.#keepers.keeps(uid), all));
  }

  #look(uid: string, kept: boolean, all: Processes): Looked {
    const was = this.#seen.get(uid)?.process.is;
    const recent = was === "alive" || was === "beginning";
    const search: Search = (leader) => (kept ? [] : this.#standIn.outliving(uid, { leader, recent }, all));
    if (this.#batches.has(uid)) return lookAtBatch(this.#attemptOfBatch(uid), kept, search, this.#batches.look(uid));
    const note = this.#noted.survivors.find((one) => one.uid === uid);
    if (note !== undefined) return lookAtNote(note, search);
    const attempt = this.#options.store.attempt(uid);
    const looked = lookAtAttempt(attempt, kept, search);
    return attempt === null || attempt.claimed === "unknown" ? (this.#knownOf(uid, search) ?? looked) : looked;
  }

  /** Returns the claim of a batch. Of one that has begun it is made up, where it is gone or cannot be read. */
  #attemptOfBatch(uid: string): Attempt | null {
    const attempt = this.#options.store.attempt(uid);
    const before = this.#seen.get(uid)?.process;
    const isKnown = before?.is === "alive" || this.wasBegun(uid);
    if (!isKnown || (attempt !== null && attempt.claimed !== "unknown")) return attempt;
    const known = this.#groupOf(uid);
    const group = known.length > 0 ? known : (this.#noted.notes.get(uid)?.group ?? []);
    const at_ms = before?.is === "alive" ? before.started_ms : 0;
    return { claimed: "start", boot_id: bootId(), at_ms, group, process: null, exit: null, told: null, code: null };
  }

  /** Returns what is known of a task without its claim, which is gone or cannot be read; null if it has not begun. */
  #knownOf(uid: string, search: Search): Looked | null {
    const before = this.#looked.get(uid);
    const handle = before?.handle ?? null;
    if (before !== undefined && handle !== null && isAlive(handle.pid, handle.start)) return before;
    const note = this.#noted.notes.get(uid) ?? (handle === null ? null : { ...handle, group: this.#groupOf(uid) });
    if (note === null) return null;
    const known = lookAtNote(note, search);
    return known.handle !== null || this.wasBegun(uid) ? known : null;
  }

  #put(uid: string, looked: Looked): void {
    // A keeper tells an end before the disk takes it, and until then the claim shows less.
    if (this.#seen.get(uid)?.process.is === "ended" && looked.seen.process.is !== "ended") return;
    // Its last results are there before its end is seen.
    if (looked.seen.process.is === "ended" && this.#batches.has(uid)) this.#batches.look(uid);
    this.#looked.set(uid, looked);
    this.#seen.set(uid, looked.seen);
    if (looked.seen.process.is === "alive" && !this.#keepers.keeps(uid)) this.#standIn.take(uid, looked.group);
    else this.#standIn.leave(uid);
    this.#listener();
  }

  #groupOf(uid: string): Looked["group"] {
    return this.#looked.get(uid)?.group ?? [];
  }

  wasBegun(uid: string): boolean {
    return this.#noted.claimed.has(uid);
  }

  isOrdered(uid: string): boolean {
    if (this.#starts.isUnderWay(uid) || this.#keepers.isOrdered(uid)) return true;
    return this.#found.has(uid) && this.#keepers.keeps(uid);
  }

  trouble(): string | null {
    return this.#keepers.trouble();
  }

  silent(): string | null {
    return this.#keepers.silent();
  }

  start({ assignment }: TaskRecord): Promise<void> {
    this.#batches.know(assignment);
    return this.#starts.start(assignment);
  }

  batch(record: TaskRecord): BatchSoFar | null {
    return this.#batches.soFar(record, () => this.#options.store.wasClaimed(record.assignment.uid));
  }

  reader(uid: string): ElementReader | null {
    return this.#batches.reader(uid);
  }

  /** A batch begins nothing more, whatever of it is ended. */
  async #halt(uid: string): Promise<void> {
    if (!this.#batches.has(uid)) return;
    this.#halted.add(uid);
    await this.#keepers.halt(uid);
  }

  #haltSoon(uid: string): void {
    this.#halt(uid).catch((error: unknown) => this.#options.say(`task ${uid}: halt: ${messageOf(error)}`));
  }

  async signal(uid: string, signal: string): Promise<void> {
    await this.#halt(uid);
    const victim = this.#victim(uid);
    if (victim !== null) this.#ending.signal(victim, signal);
  }

  async kill(uid: string): Promise<void> {
    await this.#halt(uid);
    const victim = this.#victim(uid);
    if (victim !== null) this.#ending.kill(victim);
  }

  end(uid: string): void {
    this.#haltSoon(uid);
    const victim = this.#victim(uid);
    if (victim !== null) this.#ending.stop(victim);
  }

  #victim(uid: string): Victim | null {
    const handle = this.#looked.get(uid)?.handle ?? null;
    const isBatch = this.#batches.has(uid) && this.#looked.get(uid)?.seen.process.is === "alive";
    if (handle === null && !isBatch) return null;
    const known = this.#groupOf(uid);
    // After the keeper's report of the start, only the claim has the group.
    const group = known.length > 0 ? known : (this.#options.store.attempt(uid)?.group ?? []);
    return { handle, group, marker: markerOf(uid) };
  }

  lease(heard_ms: BootMs): void {
    this.#keepers.lease(bootMs() - Math.max(0, this.#options.clock() - heard_ms));
  }

  drop(uid: string): void {
    this.#seen.delete(uid);
    this.#looked.delete(uid);
    this.#standIn.drop(uid);
    this.#batches.drop(uid);
    this.#halted.delete(uid);
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    this.#standIn.close();
    this.#listener = () => undefined;
    if (this.#keepers.count() === 0) removeLeftGroups(runName(this.#options.data));
    this.#keepers.close();
    this.#ending.close();
  }
}
