// Runs tasks as plain processes of this machine, through a keeper that outlives the agent. What is seen of them is kept
// current by the keeper's word, and read from their files when there is no keeper to give it.

import { join } from "node:path";
import { HOUSE_LIMITS } from "../../core/limits";
import type { Orphan } from "../../core/model/rows-node";
import type { Promised } from "../../core/model/promised";
import type { Seen, TaskRecord } from "../../core/model/record";
import type { Ms } from "../../core/units";
import { bootMs, breathe, nowMs, pause } from "../../os/clock";
import { removeGroup } from "../../os/cgroup/group";
import { findCgroups } from "../../os/cgroup/hierarchy";
import { removeBases, removeLeftGroups } from "../../os/cgroup/keeper-group";
import { messageOf } from "../../os/errors";
import { createOnce, exists, makePrivateDir, namesIn, removeFile, removeTree, renameTo } from "../../os/files/files";
import { bootId } from "../../os/proc";
import { selfCommand } from "../../os/self";
import type { Accounts } from "../machine/account";
import type { DeviceAccess } from "../devices/access";
import { readJournals, type Noted } from "../tasks/living";
import { makeRunDir, runDirOf, runName, runRoot } from "../machine/rundir";
import { claimText, exitLine, FILES, isUid, places, startFailed, STOPPED_CLAIM } from "../tasks/taskdir";
import type { Driver } from "./driver";
import { createEnding, type Victim } from "./ending";
import { Keepers } from "./keepers";
import { lookAtNote, lookAtTask, seenAlive, seenEnded, type Looked } from "./look";
import { orderOf } from "./order";
import { badPath, createRecordWriter, readRecord } from "../tasks/records";
import { sweepEnded } from "../tasks/retention";
import { createTails } from "../tasks/tails";

export interface ProcessDriverOptions {
  /** `<data>/agent`. */
  readonly data: string;
  readonly version: string;
  readonly accounts: Accounts;
  /** How a task comes to what it was promised, as of now. */
  readonly access: (promised: Promised["devices"]) => DeviceAccess;
  /** The loop's clock, which leases are told on. */
  readonly clock: () => Ms;
  readonly say: (line: string) => void;
  /** What starts a keeper; this program by default. */
  readonly keeper_command?: readonly string[];
  readonly log_cap_bytes?: number;
}

/** A start that did nothing is not tried again at once. */
const START_AGAIN_MS = 1_000;

/** How often a task without a keeper is looked at. */
const ABANDONED_LOOK_MS = 500;
const SWEEP_EVERY_MS = 3_600_000;
const CHUNK = 200;

/** Opens the tasks of a data directory, and finds the keepers that run. */
export async function openProcessDriver(options: ProcessDriverOptions): Promise<Driver> {
  const { tasks, ended } = places(options.data);
  for (const dir of [tasks, ended]) makePrivateDir(dir);
  const run = runDirOf(options.data);
  makeRunDir(run);
  const driver = new ProcessDriver(options, run);
  await driver.open();
  return driver;
}

class ProcessDriver implements Driver {
  readonly #options: ProcessDriverOptions;
  readonly #tasks: string;
  readonly #endedDir: string;
  readonly #run: string;
  readonly #looked = new Map<string, Looked>();
  readonly #seen = new Map<string, Seen>();
  readonly #abandoned = new Set<string>();
  #noted: Noted = { survivors: [], claimed: new Set(), notes: new Map() };
  readonly #keepers;
  readonly #writer;
  readonly #tails;
  readonly #ending;
  #listener: () => void = () => undefined;
  #watching: ReturnType<typeof setInterval> | null = null;
  #sweeping: ReturnType<typeof setInterval> | null = null;

  constructor(options: ProcessDriverOptions, run: string) {
    const { tasks, ended } = places(options.data);
    this.#options = options;
    this.#tasks = tasks;
    this.#endedDir = ended;
    this.#run = run;
    this.#writer = createRecordWriter(tasks);
    this.#tails = createTails(tasks);
    this.#ending = createEnding(options.say);
    this.#keepers = new Keepers({
      data: options.data,
      version: options.version,
      say: options.say,
      command: options.keeper_command ?? [...selfCommand(), "keeper"],
      told: (message) =>
        message.is === "started"
          ? this.#put(message.uid, {
              seen: seenAlive(message.pid, message.started_ms),
              group: this.#groupOf(message.uid),
              target: { pid: message.pid, start: message.start },
            })
          : this.#put(message.uid, { seen: seenEnded(message.exit), target: null, group: [] }),
      gone: (uids) => {
        if (uids.length > 0) options.say(`a keeper is gone; ${uids.length} tasks are looked at by their files`);
        for (const uid of uids) this.#lookAgain(uid);
      },
      refused: (uid) => this.#lookAgain(uid),
    });
  }

  async open(): Promise<void> {
    await this.#keepers.find();
    if (this.#keepers.count() === 0) this.#tidyGroups();
    const sweep = (): void => {
      sweepEnded(this.#endedDir, this.#tasks, nowMs()).catch((error: unknown) =>
        this.#options.say(`old tasks could not be removed: ${messageOf(error)}`),
      );
    };
    sweep();
    this.#sweeping = setInterval(sweep, SWEEP_EVERY_MS);
  }

  #put(uid: string, looked: Looked): void {
    this.#looked.set(uid, looked);
    this.#seen.set(uid, looked.seen);
    const abandoned = looked.seen.process.is === "alive" && !this.#keepers.keeps(uid);
    if (abandoned) this.#watchAbandoned(uid);
    else this.#abandoned.delete(uid);
    this.#listener();
  }

  #lookAgain(uid: string): void {
    this.#put(uid, this.#look(uid, this.#keepers.keeps(uid)));
  }

  #look(uid: string, kept: boolean): Looked {
    const note = this.#noted.survivors.find((one) => one.uid === uid);
    return note === undefined ? lookAtTask(join(this.#tasks, uid), kept) : lookAtNote(note);
  }

  /** Tasks whose keeper died live on; nobody tells of their end, so they are looked at. */
  #watchAbandoned(uid: string): void {
    this.#abandoned.add(uid);
    this.#watching ??= setInterval(() => {
      for (const one of this.#abandoned) {
        const now = this.#look(one, false);
        if (now.seen.process.is === "alive") continue;
        removeGroup(this.#groupOf(one));
        this.#put(one, now);
      }
      if (this.#abandoned.size > 0 || this.#watching === null) return;
      clearInterval(this.#watching);
      this.#watching = null;
    }, ABANDONED_LOOK_MS);
  }

  /** What a killed machine or keeper has left; never while a keeper could be making more. */
  #tidyGroups(): void {
    const name = runName(this.#options.data);
    const cgroups = findCgroups(name);
    removeLeftGroups(cgroups, name);
    removeBases(cgroups);
  }

  #groupOf(uid: string): Looked["group"] {
    return this.#looked.get(uid)?.group ?? [];
  }

  async records(): Promise<{ records: Map<string, TaskRecord>; unreadable: readonly Orphan[] }> {
    this.#noted = readJournals(runRoot(), this.#run);
    const records = new Map<string, TaskRecord>();
    const unreadable = new Map<string, Orphan>();
    let at = 0;
    for (const uid of namesIn(this.#tasks).filter(isUid)) {
      if (++at % CHUNK === 0) await breathe();
      const read = readRecord(this.#tasks, uid);
      const looked = lookAtTask(join(this.#tasks, uid), this.#keepers.keeps(uid));
      if (looked.seen.claimed) this.#put(uid, looked);
      if (read.is === "there") {
        records.set(uid, read.record);
        continue;
      }
      if (read.is === "bad") this.#options.say(`the record of task ${uid} is unreadable, and set aside: ${read.why}`);
      const alive = looked.seen.process.is === "alive";
      if (alive || exists(badPath(this.#tasks, uid))) unreadable.set(uid, this.#orphanOf(uid, looked));
    }
    for (const note of this.#noted.survivors) {
      this.#lookAgain(note.uid);
      unreadable.set(note.uid, { uid: note.uid, name: note.name, pid: note.pid, held: note.held as Promised | null });
    }
    return { records, unreadable: [...unreadable.values()] };
  }

  #orphanOf(uid: string, looked: Looked): Orphan {
    const note = this.#noted.notes.get(uid);
    const held = (note?.held ?? null) as Promised | null;
    return { uid, name: note?.name ?? uid, pid: looked.target?.pid ?? null, held };
  }

  async kept(): Promise<readonly TaskRecord[]> {
    const records: TaskRecord[] = [];
    let at = 0;
    for (const uid of namesIn(this.#endedDir).filter(isUid)) {
      if (++at % CHUNK === 0) await breathe();
      const read = readRecord(this.#endedDir, uid);
      if (read.is !== "there" || exists(join(this.#tasks, uid))) continue;
      renameTo(join(this.#endedDir, uid), join(this.#tasks, uid));
      this.#lookAgain(uid);
      records.push(read.record);
    }
    return records;
  }

  write(record: TaskRecord): Promise<void> {
    return this.#writer.write(record);
  }

  seen(): ReadonlyMap<string, Seen> {
    return this.#seen;
  }

  wasClaimed(uid: string): boolean {
    return (
      this.#seen.get(uid)?.claimed === true ||
      exists(join(this.#tasks, uid, FILES.claim)) ||
      exists(join(this.#endedDir, uid)) ||
      this.#noted.claimed.has(uid)
    );
  }

  async start(record: TaskRecord): Promise<void> {
    const { assignment } = record;
    const { uid } = assignment;
    if (this.wasClaimed(uid)) return this.#lookAgain(uid);
    const account = await this.#options.accounts.of(assignment.unix_user);
    if (account.is === "refused") return this.#refuse(uid, account.why);
    const access = this.#options.access(assignment.promised.devices);
    const order = orderOf(assignment, account, access, this.#options.log_cap_bytes ?? HOUSE_LIMITS.log_bytes);
    const answer = await this.#keepers.start(order);
    if (answer.is === "begun") return;
    this.#lookAgain(uid);
    if (this.#seen.get(uid)?.claimed === true) return;
    await pause(START_AGAIN_MS);
    throw new Error(answer.why);
  }

  /** What can never begin here is claimed and over at once. */
  async #refuse(uid: string, why: string): Promise<void> {
    const dir = join(this.#tasks, uid);
    const now = nowMs();
    const exit = {
      exit_code: null,
      signal: null,
      started_ms: now,
      ended_ms: now,
      peak_memory_bytes: null,
      oom: false,
      left: 0,
      ...startFailed(why),
    };
    await createOnce(join(dir, FILES.claim), claimText(bootId(), now, []) + exitLine(exit));
    this.#lookAgain(uid);
  }

  async claimStopped(uid: string): Promise<void> {
    const dir = join(this.#tasks, uid);
    if (exists(join(this.#endedDir, uid))) return;
    makePrivateDir(dir);
    const stray = this.#victim(uid);
    if ((await createOnce(join(dir, FILES.claim), STOPPED_CLAIM)) === "created") {
      if (stray === null) return this.#lookAgain(uid);
    } else if (exists(join(dir, FILES.record))) return;
    // It lives, or lived, without a record that could be read: this is the order that ends it.
    if (stray !== null) this.#ending.stop(stray);
    removeFile(badPath(this.#tasks, uid));
  }

  async signal(uid: string, signal: string): Promise<void> {
    const { target } = this.#looked.get(uid) ?? { target: null };
    if (target !== null) this.#ending.signal(target, signal);
  }

  async kill(uid: string): Promise<void> {
    const victim = this.#victim(uid);
    if (victim !== null) this.#ending.kill(victim);
  }

  #victim(uid: string): Victim | null {
    const { target, group } = this.#looked.get(uid) ?? { target: null, group: [] };
    if (target === null) return null;
    // When its keeper told of the start, the group stands only in the claim.
    return { target, group: group.length > 0 ? group : lookAtTask(join(this.#tasks, uid), true).group };
  }

  lease(heard_ms: Ms): void {
    this.#keepers.lease(bootMs() - Math.max(0, this.#options.clock() - heard_ms));
  }

  tail(uid: string): { stdout: string; stderr: string } {
    return this.#tails.of(uid);
  }

  async acknowledge(uid: string): Promise<void> {
    const to = join(this.#endedDir, uid);
    if (exists(to)) removeTree(to);
    if (exists(join(this.#tasks, uid))) renameTo(join(this.#tasks, uid), to);
    this.#drop(uid);
  }

  async forget(uid: string): Promise<void> {
    removeTree(join(this.#tasks, uid));
    removeTree(join(this.#endedDir, uid));
    this.#drop(uid);
  }

  #drop(uid: string): void {
    this.#seen.delete(uid);
    this.#looked.delete(uid);
    this.#abandoned.delete(uid);
    this.#tails.forget(uid);
  }

  onChange(listener: () => void): void {
    this.#listener = listener;
  }

  close(): void {
    for (const timer of [this.#watching, this.#sweeping]) if (timer !== null) clearInterval(timer);
    this.#listener = () => undefined;
    if (this.#keepers.count() === 0) this.#tidyGroups();
    this.#keepers.close();
    this.#ending.close();
  }
}
