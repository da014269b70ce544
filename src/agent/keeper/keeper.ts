// The keeper: one small process per node that is the parent of all tasks, so that they, their exit codes and their
// output outlive the agent. It claims, begins, watches and records tasks; what they shall do is decided elsewhere. It
// ends when it has neither a task nor an agent.

import type { TaskExit } from "../../core/model/end";
import { join } from "node:path";
import { nowMs } from "../../os/clock";
import { LEASE_TIMES } from "../../core/limits";
import { createGroupJoining } from "../../os/cgroup/enter";
import { findCgroups } from "../../os/cgroup/hierarchy";
import { leaveService, removeBases, removeLeftKeepers } from "../../os/cgroup/keeper-group";
import { messageOf } from "../../os/errors";
import { makePrivateDir, clearAway } from "../../os/files/files";
import { noNewPrivileges } from "../../os/libc";
import { listenLines, type LineHandlers, type LinePeer } from "../../os/files/lines";
import { createLog } from "../../os/log";
import { selfCommand } from "../../os/self";
import { adjustOom, kernelText } from "../../os/proc";
import { stayLean } from "../../os/process/lean";
import { takeKnownState } from "../../os/process/known-state";
import { orphans, takeOrphans } from "../../os/process/orphans";
import { systemTool, type ProcessExit } from "../../os/process/spawn";
import { RunningBatch } from "./running-batch";
import { begin, NO_PROCESS, type HeldTask, type ReadyBatch, type Surroundings } from "./begin";
import { Enforcer, expired } from "./enforcer";
import { finish, recordExit } from "./finish";
import { LOOK_EVERY_MS, lookAtAll, watchGrowth, type Growth } from "./growth";
import { Guard } from "./guard";
import { clocksNow } from "../tasks/moments";
import { parseToKeeper, toldBy, type FromKeeper, type TaskOrder, type ToKeeper } from "./messages";
import { joiningOf, openJournal } from "../tasks/living";
import { makeRunDir, runDirOf, runName } from "../machine/rundir";
import { places, startFailed } from "../tasks/taskdir";

/**
 * How long a keeper without tasks waits for an agent before it ends: at its start, and after its last agent has left.
 */
const LONELY_MS = { first: 15_000, later: 250 } as const;
/** The keeper's own OOM score. The kernel seldom chooses the keeper when memory runs out, but still can. */
const OWN_OOM_SCORE = -500;

interface Kept {
  held: HeldTask | null;
  growth: Growth | null;
  /** What runs the elements of a task that is a batch. */
  batch: RunningBatch | null;
  /** Whether no further element shall begin, also of a batch that is about to begin. */
  halted: boolean;
  /** Whether the main process has ended: its pid may be a stranger's, and what it left is being killed. */
  exited: boolean;
  /** The end of a task, told before the disk took it; null if there is none yet. */
  unwritten: TaskExit | null;
}

class Keeper {
  readonly #around: Surroundings;
  readonly #version: string;
  readonly #tasks = new Map<string, Kept>();
  readonly #peers = new Set<LinePeer>();
  readonly #socket: string;
  readonly #enforcer: Enforcer;
  /** Whether it was said that dead processes could not be collected. */
  #uncollected = false;
  #lonely: ReturnType<typeof setTimeout> | null = null;
  #looking: ReturnType<typeof setInterval> | null = null;
  #leasing: ReturnType<typeof setInterval> | null = null;
  readonly #done = Promise.withResolvers<void>();

  constructor(around: Surroundings, version: string, socket: string) {
    this.#around = around;
    this.#enforcer = new Enforcer(around);
    this.#version = version;
    this.#socket = socket;
  }

  /** Serves until there is neither a task nor an agent. */
  async serve(): Promise<void> {
    clearAway(this.#socket);
    const server = listenLines(this.#socket, (peer) => this.#greet(peer));
    this.#waitAlone(LONELY_MS.first);
    await this.#done.promise;
    server.stop();
    clearAway(this.#socket);
  }

  #greet(peer: LinePeer): LineHandlers {
    this.#peers.add(peer);
    if (this.#lonely !== null) clearTimeout(this.#lonely);
    this.#lonely = null;
    this.#tell(peer, { is: "here", version: this.#version, uids: [...this.#tasks.keys()], pings: true });
    for (const [uid, { unwritten, batch }] of this.#tasks) {
      batch?.tell();
      if (unwritten !== null) this.#tell(peer, { is: "ended", uid, exit: unwritten });
    }
    return {
      message: (message) => this.#hear(message, peer),
      closed: (why) => {
        if (why !== null) this.#around.say("the connection to an agent broke", { why });
        this.#peers.delete(peer);
        this.#restOrGo();
      },
    };
  }

  #tell(peer: LinePeer, message: FromKeeper): void {
    peer.send(toldBy(message, clocksNow()));
  }

  #tellAll(message: FromKeeper): void {
    for (const peer of this.#peers) this.#tell(peer, message);
  }

  #hear(line: unknown, peer: LinePeer): void {
    const heard = parseToKeeper(line);
    if (heard.is === "asked") return this.#take(heard.message, peer);
    this.#around.say("a line was not understood", { why: heard.why });
    // The agent waits for an answer. `dropped` is not set, since the task may be kept by an earlier order.
    if (heard.uid !== null) this.#tell(peer, { is: "refused", uid: heard.uid, why: heard.why });
  }

  #take(message: ToKeeper, peer: LinePeer): void {
    if (message.do === "lease") {
      this.#enforcer.lease(message.heard_boot_ms);
    } else if (message.do === "ping") {
      this.#tell(peer, { is: "alive" });
    } else if (message.do === "halt") {
      this.#halt(message.uid);
    } else if (message.do === "start") {
      this.#start(message.order)
        .then((refused) => {
          if (refused !== null) this.#tell(peer, { is: "refused", uid: message.order.uid, why: refused });
        })
        .catch((error: unknown) => this.#giveUp(message.order.uid, messageOf(error)));
    }
  }

  /**
   * Begins a task. Returns why the order is refused, for the agent that sent it, or null if all agents were told the
   * outcome.
   */
  async #start(order: TaskOrder): Promise<string | null> {
    const { uid } = order;
    if (this.#tasks.has(uid)) return "it is being kept already";
    if (!this.#enforcer.isLeased(order)) return "there is no valid lease";
    const kept: Kept = { held: null, growth: null, batch: null, halted: false, exited: false, unwritten: null };
    this.#tasks.set(uid, kept);
    const begun = await begin(order, this.#around, {
      isLeased: () => this.#enforcer.isLeased(order),
      onExit: (held, exit) => this.#exited(held, exit),
    });
    switch (begun.is) {
      case "refused":
        this.#giveUp(uid, begun.why);
        return null;
      case "failed": {
        const exit: TaskExit = {
          exit_code: begun.code,
          signal: null,
          started_ms: begun.at_ms,
          ended_ms: begun.at_ms,
          peak_memory_bytes: null,
          oom: false,
          left: 0,
          ...startFailed(begun.why, begun.cause),
        };
        await recordExit(begun.claim, exit, this.#around.say, () => this.#tellUnwritten(uid, exit));
        this.#ended(uid, exit);
        return null;
      }
      case "batch":
        this.#run(kept, begun.ready);
        return null;
      case "running": {
        const { pid, start, started_ms, dir } = begun.held;
        // The exit may have been handled already. Then there is nothing to watch.
        if (!this.#tasks.has(uid)) return null;
        kept.held = begun.held;
        kept.growth = watchGrowth(dir, order.log_cap_bytes);
        this.#watch();
        this.#tellAll({ is: "started", uid, pid, start, started_ms });
        return null;
      }
    }
  }

  #run(kept: Kept, ready: ReadyBatch): void {
    const { uid, name } = ready.order;
    const { say } = this.#around;
    const batch = new RunningBatch(ready, this.#around, (ended, open) =>
      this.#tellAll({ is: "elements", uid, ended, open }),
    );
    kept.batch = batch;
    if (kept.halted) batch.halt();
    this.#watch();
    this.#tellAll({ is: "started", uid, ...NO_PROCESS, started_ms: ready.started_ms });
    batch
      .run()
      .then(async (exit) => {
        await recordExit(ready.claim, exit, say, () => this.#tellUnwritten(uid, exit));
        this.#ended(uid, exit);
      })
      .catch((error: unknown) => say(`the end of batch ${name} could not be told`, { why: String(error) }));
  }

  #halt(uid: string): void {
    const kept = this.#tasks.get(uid);
    if (kept !== undefined) kept.halted = true;
    kept?.batch?.halt();
  }

  #exited(held: HeldTask, exit: ProcessExit): void {
    const { uid, name } = held.order;
    const { say } = this.#around;
    const kept = this.#tasks.get(uid);
    if (kept !== undefined) kept.exited = true;
    finish(held, exit, this.#around, (told) => this.#tellUnwritten(uid, told))
      .then((told) => this.#ended(uid, told))
      .catch((error: unknown) => say(`the end of task ${name} could not be told`, { why: String(error) }));
  }

  /** Tells an end that the disk does not take, also to agents that connect later. */
  #tellUnwritten(uid: string, exit: TaskExit): void {
    const kept = this.#tasks.get(uid);
    if (kept !== undefined) kept.unwritten = exit;
    this.#tellAll({ is: "ended", uid, exit });
  }

  #ended(uid: string, exit: TaskExit): void {
    this.#drop(uid);
    this.#tellAll({ is: "ended", uid, exit });
    this.#noteEnd(uid);
  }

  #noteEnd(uid: string): void {
    try {
      this.#around.journal.ended(uid);
    } catch (error) {
      this.#around.say("an end could not be noted", { uid, why: String(error) });
    }
  }

  /**
   * Reports to every agent that a task is dropped. An agent that has connected meanwhile takes it for one that is being
   * begun.
   */
  #giveUp(uid: string, why: string): void {
    this.#drop(uid);
    this.#tellAll({ is: "refused", uid, why, dropped: true });
  }

  #drop(uid: string): void {
    this.#tasks.delete(uid);
    this.#enforcer.drop(uid);
    this.#restOrGo();
  }

  /**
   * Starts the timers that are needed. They run only while there is something to watch, so an idle keeper does nothing
   * at all.
   */
  #watch(): void {
    this.#looking ??= setInterval(() => {
      lookAtAll(
        [...this.#tasks.values()].flatMap(({ growth, batch }) => growth ?? batch?.growths() ?? []),
        (why) => this.#around.say("output could not be watched", { why }),
      );
      this.#collect();
    }, LOOK_EVERY_MS);
    const exclusive = [...this.#tasks.values()].some(({ held }) => held !== null && held.order.lease_ms !== null);
    if (exclusive) this.#leasing ??= setInterval(() => this.#enforce(), LEASE_TIMES.look_ms);
  }

  /** Collects the dead processes among what tasks have left to this one. What fails is tried at the next look. */
  #collect(): void {
    try {
      orphans();
      this.#uncollected = false;
    } catch (error) {
      if (!this.#uncollected) this.#around.say("what tasks have left is not collected", { why: messageOf(error) });
      this.#uncollected = true;
    }
  }

  #enforce(): void {
    this.#enforcer.enforce([...this.#tasks.values()].flatMap(({ held, exited }) => (exited ? [] : (held ?? []))));
  }

  /** Notes that the guard has killed a task because of its lease. */
  expired(uid: string): void {
    const held = this.#tasks.get(uid)?.held ?? null;
    if (held !== null) expired(held);
  }

  #restOrGo(): void {
    if (this.#tasks.size > 0) return;
    for (const timer of [this.#looking, this.#leasing]) if (timer !== null) clearInterval(timer);
    this.#looking = this.#leasing = null;
    if (this.#peers.size === 0 && this.#lonely === null) this.#waitAlone(LONELY_MS.later);
  }

  #waitAlone(ms: number): void {
    this.#lonely = setTimeout(() => {
      this.#lonely = null;
      if (this.#peers.size === 0 && this.#tasks.size === 0) this.#done.resolve();
    }, ms);
  }
}

/** Runs the keeper of an agent's data directory (`<data>/agent`) until there is neither a task nor an agent. */
export async function runKeeper(dir: string): Promise<void> {
  const say = createLog({ part: "keeper", form: "plain" });
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => say(`${signal} is ignored: a keeper ends when it has neither task nor agent`));
  }
  // Tasks inherit their state from this process.
  for (const why of takeKnownState()) say("tasks inherit this from who started the agent", { why });
  const name = runName(dir);
  const { tasks, keepers } = places(dir);
  for (const one of [tasks, keepers]) makePrivateDir(one);
  const run = runDirOf(dir);
  makeRunDir(run);
  const cgroups = findCgroups(name);
  const service = leaveService(cgroups, name);
  const privileges = noNewPrivileges();
  if (privileges !== null) say("tasks may gain privileges by executing", { why: privileges });
  adjustOom("self", OWN_OOM_SCORE);
  const alone = takeOrphans();
  if (alone !== null) say("what leaves its task's control group is not found", { why: alone });
  const joining = joiningOf(run, process.pid);
  const guard = new Guard({
    command: [...selfCommand(), "guard", dir],
    say,
    expired: (uid) => keeper.expired(uid),
  });
  const around: Surroundings = {
    guard,
    cgroups,
    group_name: name,
    joining: createGroupJoining(cgroups, joining),
    tasks,
    journal: openJournal(run),
    say,
    wrappers: { setpriv: systemTool("setpriv"), prlimit: systemTool("prlimit") },
    oom_score_adj: Number(kernelText("/proc/self/oom_score_adj") ?? "0"),
  };
  const version = process.env["ORCH_KEEPER_VERSION"] ?? "unknown";
  const keeper = new Keeper(around, version, join(keepers, `${process.pid}.sock`));
  say("ready", { version, at_ms: nowMs(), cgroups: cgroups.is });
  const stopLean = stayLean();
  await keeper.serve();
  stopLean();
  await guard.close();
  clearAway(joining);
  service?.back();
  removeLeftKeepers(cgroups, name);
  removeBases(cgroups);
}
